"""How associations are used: 64-bit numbers, replay windows, padding to one size, at both ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import esp
from esp import keying
from testbed.association import EspSettings
from testbed.bench import Configuration, validate_bench
from testbed.cli import main
from testbed.errors import UsageError
from testbed.hse import EchoApplication, Gateway, HsePort
from testbed.packets import build_udp_packet
from testbed.results import JournalReader, MessageRecord, RunDirectory
from testbed.ue.stack import UeStack, build_stack
from tests.testbed.conftest import SECRET, UE_ADDRESS

MODES = ["esp-transport", "esp-tunnel", "rohc+esp-tunnel"]


class Lab:
    """A UE and a gateway that may use associations in different ways."""

    def __init__(self, name: str, ue: EspSettings, hse: EspSettings | None = None) -> None:
        self.gateway = Gateway(
            secrets=lambda identity: SECRET,
            application=EchoApplication(),
            associations=hse,
        )
        configuration = Configuration.parse(name)
        suite = configuration.esp_suite
        assert suite is not None
        mode = esp.Mode.TRANSPORT if "transport" in name else esp.Mode.TUNNEL
        offer = keying.Offer(suite=suite, mode=mode, compression="rohc" in name, esn=ue.esn)
        initiator = keying.Initiator("ue-1", SECRET, offer)
        (answer,) = self.send(esp.add_marker(initiator.request()))
        self.keys = initiator.response(esp.remove_marker(answer))
        self.stack: UeStack = build_stack(
            configuration, "10.0.0.1", "10.0.0.2", self.keys, associations=ue
        )

    def send(self, data: bytes) -> list[bytes]:
        return [reply.data for reply in self.gateway.receive(HsePort.ESP, data, UE_ADDRESS, 0.0)]

    def down(self, size: int) -> bytes:
        packet = build_udp_packet("10.1.0.1", "10.1.0.2", 40000, 5683, bytes(size))
        unit = self.stack.down(packet, 0.0)
        unit.layer_bytes.check_total(28 + len(unit.data))
        return unit.data

    def echo(self, size: int) -> int:
        """Send a message; gives the size of the answer's datagram."""
        (answer,) = self.send(self.down(size))
        unit = self.stack.up(answer, 0.0)
        unit.layer_bytes.check_total(28 + len(answer))
        assert unit.data == bytes(size)
        return len(answer)

    @property
    def rejected(self) -> dict[tuple[str, str], int]:
        return dict(self.gateway.snapshot().rejected)


# -- extended sequence numbers ---------------------------------------------------------------------


@pytest.mark.parametrize("suite", ["aes-gcm-16-128", "aes-cbc-128+hmac-sha2-256-128"])
@pytest.mark.parametrize("mode", MODES)
def test_numbers_of_64_bits_are_agreed_on_and_go_on_behind_the_32nd_bit(
    mode: str, suite: str
) -> None:
    lab = Lab(f"{mode}/{suite}", EspSettings(esn=True))
    plain = Lab(f"{mode}/{suite}", EspSettings())
    assert lab.keys.esn and not plain.keys.esn
    assert lab.echo(20) == plain.echo(20)  # the upper half is not sent
    protection = lab.stack.protection
    assert protection is not None
    protection._outbound.skip_to(2**31)
    lab.echo(20)
    protection._outbound.skip_to(2**32 - 2)
    for _ in range(4):
        lab.echo(20)
    assert protection._outbound.sequence == 2**32 + 2
    assert lab.rejected == {}


def test_without_them_the_association_ends_there() -> None:
    lab = Lab("esp-tunnel", EspSettings())
    protection = lab.stack.protection
    assert protection is not None
    protection._outbound.skip_to(2**32 - 2)
    lab.echo(20)
    with pytest.raises(esp.LocalError, match="last sequence number"):
        lab.down(20)


# -- the replay window -----------------------------------------------------------------------------


@pytest.mark.parametrize(("window", "passes"), [(64, False), (128, True)])
def test_the_window_at_the_hse_decides_how_late_a_packet_may_be(window: int, passes: bool) -> None:
    lab = Lab("esp-tunnel", EspSettings(), EspSettings(replay_window=window))
    packets = [lab.down(20) for _ in range(101)]
    lab.send(packets[100])
    assert bool(lab.send(packets[0])) is passes
    assert lab.rejected == ({} if passes else {("esp", "outside-window"): 1})


@pytest.mark.parametrize(("window", "passes"), [(64, False), (128, True)])
def test_the_window_at_the_ue_decides_it_for_answers(window: int, passes: bool) -> None:
    lab = Lab("esp-tunnel", EspSettings(replay_window=window))
    answers = [lab.send(lab.down(20))[0] for _ in range(101)]
    lab.stack.up(answers[100], 0.0)
    if passes:
        assert lab.stack.up(answers[0], 0.0).data == bytes(20)
    else:
        with pytest.raises(esp.RemoteError, match="window"):
            lab.stack.up(answers[0], 0.0)


@pytest.mark.parametrize("window", [0, 31, 4097])
def test_other_windows_are_refused(window: int) -> None:
    with pytest.raises(ValueError, match="32 to 4096"):
        EspSettings(replay_window=window)
    with pytest.raises(UsageError, match="replay_window"):
        validate_bench({"esp": {"replay_window": window}})


# -- padding to one size ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["esp-transport", "esp-tunnel"])
def test_padding_gives_all_short_messages_one_size_both_ways(mode: str) -> None:
    padded = EspSettings(pad_to=128)
    lab = Lab(mode, padded, padded)
    sizes = range(0, 100, 7)
    up = {len(lab.down(size)) for size in sizes}
    down = {lab.echo(size) for size in sizes}
    assert up == down == {esp.suite("aes-gcm-16-128").packet_bytes(128)}
    assert lab.echo(150) > max(down)  # a longer one goes as it is
    assert Lab(mode, EspSettings(), padded).echo(5) == max(down)
    assert len({Lab(mode, EspSettings()).echo(size) for size in sizes}) > 10
    assert lab.rejected == {}


def test_a_packet_under_rohc_can_t_be_padded() -> None:
    padded = EspSettings(pad_to=128)
    assert Lab("rohc+esp-tunnel", padded, padded).echo(5) < 128
    with pytest.raises(UsageError, match="does not state its length"):
        validate_bench({"esp": {"pad_to": 128}, "matrix": ["esp-tunnel", "rohc+esp-tunnel"]})
    assert validate_bench({"esp": {"pad_to": 128}, "matrix": ["rohc", "esp-tunnel"]}).matrix


@pytest.mark.parametrize("mode", ["esp-transport", "esp-tunnel"])
@pytest.mark.parametrize("pad_to", [0, 40, 100, 400])
def test_the_largest_payload_that_fits_counts_the_padding(mode: str, pad_to: int) -> None:
    lab = Lab(mode, EspSettings(pad_to=pad_to))
    packet = build_udp_packet("10.1.0.1", "10.1.0.2", 40000, 5683, bytes(300))
    largest = lab.stack.largest_payload(lab.stack.down(packet, 0.0), 200)
    if pad_to == 400:
        assert largest == 0
    else:
        assert len(lab.down(largest)) <= 200 < len(lab.down(largest + 1))


# -- a whole run -----------------------------------------------------------------------------------


def test_a_run_pays_for_its_padding_octet_by_octet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    bench = tmp_path / "bench.yaml"
    bench.write_text(
        "matrix: [esp-tunnel, esp-transport]\n"
        "esp: {esn: true, replay_window: 256, pad_to: 160}\n"
        "traffic: {messages: 6}\n"
    )
    with pytest.raises(SystemExit) as ended:
        main(["run", "--json", "--bench", str(bench)])
    out, err = capsys.readouterr()
    assert not ended.value.code, err
    place = RunDirectory.open(json.loads(out)["directory"])
    journal = list(JournalReader(place.journal_path).typed())
    messages = [one for one in journal if isinstance(one, MessageRecord)]
    assert len(messages) == 12
    packet = 28 + esp.suite("aes-gcm-16-128").packet_bytes(160)
    assert {one.uplink_bytes.total for one in messages if one.uplink_bytes} == {packet}
    assert {one.downlink_bytes.total for one in messages if one.downlink_bytes} == {packet}
    settings = next(iter(JournalReader(place.journal_path)))["settings"]
    assert (settings["esp_esn"], settings["esp_pad_to"]) == (True, 160)
