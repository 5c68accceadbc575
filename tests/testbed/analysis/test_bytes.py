"""The byte layers: one definition, in the order of the wire, that has to add up."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.analysis.bytes import LAYERS, Layer, LayerBytes, LayerMeans, LayerSumError

counts = st.fixed_dictionaries({layer.value: st.integers(0, 2000) for layer in LAYERS})

TUNNEL = LayerBytes(
    outer_ip=20,
    outer_udp=8,
    esp_header=8,
    esp_iv=8,
    inner_ip=20,
    inner_udp=8,
    application=12,
    esp_padding=2,
    esp_trailer=2,
    esp_icv=16,
)

CONFIGURATIONS = [
    ("none", LayerBytes(outer_ip=20, outer_udp=8, application=12), 40, 28),
    ("rohc", LayerBytes(outer_ip=20, outer_udp=8, rohc_header=3, application=12), 43, 31),
    ("esp-tunnel", TUNNEL, 104, 92),
    (
        "rohc+esp-tunnel",
        dataclasses.replace(TUNNEL, rohc_header=4, inner_ip=0, inner_udp=0),
        80,
        68,
    ),
]


def test_the_record_has_one_field_per_layer_in_the_order_of_the_wire() -> None:
    assert tuple(field.name for field in dataclasses.fields(LayerBytes)) == LAYERS


def test_each_layer_has_a_label_of_its_own_and_a_sentence_of_help() -> None:
    assert len({layer.label for layer in LAYERS}) == len(LAYERS)
    assert all(layer.help.endswith(".") for layer in LAYERS)


@pytest.mark.parametrize(
    ("layers", "total", "header"),
    [row[1:] for row in CONFIGURATIONS],
    ids=[row[0] for row in CONFIGURATIONS],
)
def test_total_and_header_are_what_the_standards_add(
    layers: LayerBytes, total: int, header: int
) -> None:
    assert layers.total == total
    assert layers.header == header
    assert layers.header + layers.application == layers.total


def test_esp_and_inner_header_are_read_off_the_layers() -> None:
    assert TUNNEL.esp == 8 + 8 + 2 + 2 + 16
    assert TUNNEL.inner_header == 28


@given(counts)
def test_a_record_survives_the_journal(record: dict[str, int]) -> None:
    layers = LayerBytes(**record)
    assert LayerBytes.from_json(json.loads(json.dumps(layers.to_json()))) == layers
    assert list(layers.to_json()) == list(LAYERS)
    assert layers.total == sum(record.values())


def test_a_missing_layer_counts_zero() -> None:
    assert LayerBytes.from_json({"application": 5}) == LayerBytes(application=5)


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        ({"esp_salt": 4}, "unknown byte layer 'esp_salt'; known are outer_ip,"),
        ({"application": 1.5}, "not a whole number"),
        ({"application": True}, "not a whole number"),
        ({"application": "7"}, "not a whole number"),
        ({"application": -1}, "layer application has -1 bytes"),
    ],
)
def test_a_record_that_cannot_be_true_is_refused(record: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        LayerBytes.from_json(record)


def test_a_sum_that_differs_from_the_packet_is_an_error_that_names_both() -> None:
    assert TUNNEL.check_total(104) is TUNNEL
    with pytest.raises(LayerSumError, match="sum to 104 bytes, the packet has 103") as caught:
        TUNNEL.check_total(103)
    assert caught.value.packet_bytes == 103
    assert caught.value.layers is TUNNEL
    assert "esp_icv=16" in str(caught.value)


@given(counts, counts)
def test_adding_packets_adds_each_layer(one: dict[str, int], two: dict[str, int]) -> None:
    added = LayerBytes(**one) + LayerBytes(**two)
    assert added.to_json() == {name: one[name] + two[name] for name in one}


@given(st.lists(counts, max_size=5))
def test_means_are_over_the_packets_given(records: list[dict[str, int]]) -> None:
    packets = [LayerBytes(**record) for record in records]
    means = LayerMeans.over(packets)
    assert means.packets == len(packets)
    assert means.total == pytest.approx(sum(p.total for p in packets) / max(len(packets), 1))
    assert means.header == pytest.approx(sum(p.header for p in packets) / max(len(packets), 1))


def test_means_name_their_layers() -> None:
    means = LayerMeans.over([TUNNEL, dataclasses.replace(TUNNEL, application=13)])
    assert means[Layer.APPLICATION] == 12.5
    assert means.inner_header == 28
    assert means.to_json()["application"] == 12.5
    assert list(means.to_json()) == list(LAYERS)


def test_means_of_another_number_of_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="3 means for 13 layers"):
        LayerMeans(packets=1, by_layer=(1.0, 2.0, 3.0))
