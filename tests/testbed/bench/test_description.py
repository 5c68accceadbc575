"""The bench description: read from YAML, mistakes named with file, line and what is allowed."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest

from testbed.bench import Bench, bench_schema, load_bench, validate_bench
from testbed.errors import ExitCode, UsageError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "bench.yaml"
    path.write_text(dedent(text).lstrip("\n"))
    return path


def mistake(tmp_path: Path, text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load_bench(written(tmp_path, text))
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


def test_nothing_at_all_is_a_virtual_bench_with_the_default_matrix() -> None:
    bench = validate_bench({})
    assert bench.module.is_virtual
    assert [one.name for one in bench.matrix] == ["none", "esp-tunnel", "rohc+esp-tunnel"]
    assert (bench.timing.kind, bench.timing.scale) == ("virtual", None)


def test_a_run_against_an_hse_elsewhere_goes_slower() -> None:
    elsewhere = {"address": "192.0.2.1:4500", "secret": "sixteen letters!"}
    assert validate_bench({"hse": elsewhere}).timing.scale == 20.0
    assert validate_bench({"hse": elsewhere, "time_scale": 5}).timing.scale == 5.0
    real = {"module": {"port": "/dev/ttyUSB0"}, "hse": elsewhere}
    assert validate_bench(real).timing.scale == 1.0


def test_a_whole_description_is_read(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        schema_version: 1
        name: desk-3
        identity: meter-17
        module:
          family: bc66
          port: virtual:bc66
          apn: iot.example
          power_saving: {psm: true, active_time_s: 6, periodic_tau_s: 7200}
          release_assistance: none
          virtual:
            radio: {rsrp_dbm: -115}
            network: {inactivity_timer_s: 10}
        hse: {secret_file: secret.txt}
        traffic: {capture: device.pcapng, device: 2001:DB8::1, messages: 5, pace: capture}
        matrix:
          - none
          - esp-tunnel
          - {security: esp-tunnel, compression: rohc}
        answer_timeout_s: 30
        time_scale: 100
        seed: 7
        """,
    )
    bench = load_bench(path)
    assert bench.name == "desk-3"
    assert bench.module.virtual is not None
    assert bench.module.virtual.radio.rsrp_dbm == -115
    assert bench.module.virtual.network.inactivity_timer_s == 10
    assert bench.traffic.device == "2001:db8::1"
    assert [one.name for one in bench.matrix] == ["none", "esp-tunnel", "rohc+esp-tunnel"]
    assert bench.timing.scale == 100


def test_paths_in_a_file_are_relative_to_its_folder(tmp_path: Path) -> None:
    path = written(tmp_path, "traffic: {capture: a/b.pcapng}\nhse: {secret_file: s}\n")
    bench = load_bench(path)
    assert bench.traffic.capture == tmp_path / "a/b.pcapng"
    assert bench.hse.secret_file == tmp_path / "s"


def test_options_beat_the_file_and_keep_their_own_folder(tmp_path: Path) -> None:
    path = written(tmp_path, "name: desk\ntraffic: {capture: in-file.pcapng, messages: 9}\n")
    bench = load_bench(path, {"traffic": {"capture": "given.pcapng"}})
    assert bench.traffic.capture == Path("given.pcapng")
    assert bench.traffic.messages == 9
    assert bench.name == "desk"


def test_an_unknown_key_is_named_with_file_line_and_the_known_ones(tmp_path: Path) -> None:
    error = mistake(tmp_path, "name: desk\nmodule:\n  family: bc66\n  colour: red\n")
    assert str(error) == f"{tmp_path / 'bench.yaml'}:4: unknown key 'module.colour'"
    assert error.hint is not None
    assert "family, port, baudrate" in error.hint


def test_an_unknown_key_at_the_top_names_the_top_keys(tmp_path: Path) -> None:
    error = mistake(tmp_path, "nmae: desk\n")
    assert ":1: unknown key 'nmae'" in str(error)
    assert error.hint is not None
    assert "schema_version, name, identity, module" in error.hint


def test_an_unknown_key_of_a_virtual_module_is_named_too(tmp_path: Path) -> None:
    error = mistake(tmp_path, "module:\n  virtual:\n    radio:\n      rsrp: -100\n")
    assert ":4: unknown key 'module.virtual.radio.rsrp'" in str(error)
    assert error.hint is not None
    assert "rsrp_dbm" in error.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("schema_version: 2\n", ":1: schema_version: "),
        ("answer_timeout_s: 0\n", ":1: answer_timeout_s: "),
        ("name: desk\nseed: -1\n", ":2: seed: "),
        ("matrix: []\n", "the matrix is empty"),
        ("matrix:\n  - none\n  - esp-magic\n", ":3: matrix.1: unknown configuration 'esp-magic'"),
        ("matrix:\n  - rohc+esp-transport\n", ":2: matrix.0: rohc under esp-transport"),
        ("matrix:\n  - {securty: none}\n", ":2: matrix.0: unknown key 'securty'"),
        ("matrix: [none, none]\n", "configuration 'none' stands twice"),
        ("hse: {address: nowhere}\n", ":1: hse.address: 'nowhere' is not HOST:PORT"),
        ("hse: {address: 'h:70000'}\n", "port 70000 is not between 1 and 65535"),
        ("hse: {secret: abc, secret_file: f}\n", "both 'secret' and 'secret_file'"),
        ("traffic: {device: nobody}\n", "'nobody' is no IP address"),
        ("traffic: {pace: slow}\n", ":1: traffic.pace: "),
        ("module: {port: 'virtual:bc95'}\n", "name the same family twice"),
        (
            "module: {port: /dev/ttyUSB0, virtual: {booted: true}}\nhse: {address: 'h:4500'}\n",
            "'virtual' settings with the real port",
        ),
        ("module: {port: /dev/ttyUSB0}\n", "cannot reach an HSE that only this machine sees"),
        (
            "module: {port: /dev/ttyUSB0}\nhse: {address: 'h:4500'}\ntime_scale: 10\n",
            "only virtual modules run faster than real",
        ),
        (
            "module: {port: /dev/ttyUSB0}\nhse: {address: 'h:4500'}\ntime: virtual\n",
            "a real module lives in real time",
        ),
        ("hse: {address: 'h:4500'}\ntime: virtual\n", "all of the bench has to be inside the run"),
        ("time: virtual\ntime_scale: 10\n", "virtual time has no scale"),
        ("time: real\ntime_scale: 10\n", "keep one of the two"),
        ("time: scaled\ntime_scale: 1\n", "say time: real"),
        ("time: virtual\nhse: {secret: sixteen letters!}\n", "keys come from the seed"),
    ],
)
def test_each_mistake_is_named_where_it_stands(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in str(mistake(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("- a\n- b\n", "is a mapping of keys to values"),
        ("name: [desk\n", "not valid YAML"),
        ("name: desk\nname: other\n", ":2: 'name' stands here again (first in line 1)"),
        ("name: &a [*a]\n", "an alias that contains itself"),
        ("name: \x01\n", "not valid YAML"),
    ],
)
def test_what_is_no_description_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in str(mistake(tmp_path, text))


def test_a_missing_file_and_one_that_is_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_bench(tmp_path / "missing.yaml")
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_bench(path)


def test_several_mistakes_are_all_named(tmp_path: Path) -> None:
    error = mistake(tmp_path, "seed: -1\ntraffic: {pace: slow}\n")
    assert str(error).count("\n") == 1


def test_one_mistake_gives_one_sentence(tmp_path: Path) -> None:
    assert "\n" not in str(mistake(tmp_path, "matrix: [rohc+esp-transport]\n"))


def test_no_secret_shows_in_a_description() -> None:
    bench = validate_bench({"hse": {"secret": "correct horse battery staple"}})
    assert "horse" not in repr(bench)
    assert "horse" not in json.dumps(bench.model_dump(mode="json"))


def test_a_dump_of_a_description_describes_the_same_bench() -> None:
    bench = validate_bench({"matrix": ["rohc", "esp-transport"], "seed": 3})
    dumped = bench.model_dump(mode="json")
    assert dumped["matrix"] == ["rohc", "esp-transport"]
    assert Bench.model_validate(json.loads(json.dumps(dumped))) == bench


def test_the_schema_for_editors_lists_every_key() -> None:
    schema = bench_schema()
    assert set(schema["properties"]) == set(Bench.model_fields)
    assert schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema
    assert schema["properties"]["matrix"]["minItems"] == 1
