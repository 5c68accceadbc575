"""Packets: what protect() makes, unprotect() takes; what is refused, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp import (
    NEXT_HEADER_IPV4,
    NEXT_HEADER_IPV6,
    NEXT_HEADER_NONE,
    NEXT_HEADER_ROHC,
    NEXT_HEADER_UDP,
    SUITES,
    InboundAssociation,
    Mode,
    OutboundAssociation,
    Suite,
    esp_parts,
    suite,
)
from esp.errors import (
    BadIcv,
    BadPadding,
    EspError,
    InvalidParameter,
    LocalError,
    MalformedInner,
    OutsideWindow,
    PacketRejected,
    Reason,
    Replayed,
    SequenceExhausted,
    Truncated,
    UnknownSpi,
    WrongNextHeader,
)
from esp.transforms import Transform, new_transform

GCM = suite("aes-gcm-16-128")
SPI = 0x1000_0001


def keys_of(row: Suite) -> dict[str, bytes]:
    return {
        "key": bytes(range(row.key_bytes)),
        "salt": bytes(range(200, 200 + row.salt_bytes)),
        "integrity_key": bytes(range(100, 100 + row.integrity_key_bytes)),
    }


def pair(
    row: Suite = GCM,
    mode: Mode = Mode.TRANSPORT,
    *,
    esn: bool = False,
    sequence: int = 0,
    replay_window: int = 64,
    rohc: bool = False,
) -> tuple[OutboundAssociation, InboundAssociation]:
    keys = keys_of(row)
    return (
        OutboundAssociation(SPI, row, mode=mode, esn=esn, sequence=sequence, **keys),
        InboundAssociation(
            SPI,
            row,
            mode=mode,
            esn=esn,
            sequence=sequence,
            replay_window=replay_window,
            rohc=rohc,
            **keys,
        ),
    )


def ipv4(size: int = 28, length: int | None = None) -> bytes:
    stated = size if length is None else length
    return (b"\x45\0" + stated.to_bytes(2, "big")).ljust(size, b"\x11")


def ipv6(size: int = 48, length: int | None = None) -> bytes:
    stated = size - 40 if length is None else length
    return (b"\x60\0\0\0" + stated.to_bytes(2, "big")).ljust(size, b"\x22")


def forge(plaintext: bytes, sequence: int = 1, row: Suite = GCM) -> bytes:
    """An authentic packet with any plaintext, as only the key's owner can make it."""
    keys = keys_of(row)
    transform = new_transform(row, keys["key"], keys["salt"], keys["integrity_key"])
    header = SPI.to_bytes(4, "big") + sequence.to_bytes(4, "big")
    return transform.seal(header, sequence, plaintext)


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("esn", [False, True])
@settings(max_examples=12, deadline=None)
@given(payloads=st.lists(st.binary(max_size=120), min_size=1, max_size=4))
def test_every_suite_gives_back_what_it_protected(
    name: str, esn: bool, payloads: list[bytes]
) -> None:
    outbound, inbound = pair(SUITES[name], esn=esn)
    for number, payload in enumerate(payloads, 1):
        packet = outbound.protect(payload, NEXT_HEADER_UDP)
        assert len(packet) == SUITES[name].packet_bytes(len(payload))
        opened = inbound.unprotect(packet)
        assert opened == (payload, NEXT_HEADER_UDP, number, 0)


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("size", range(20))
def test_the_parts_of_a_packet_add_up_to_its_size(name: str, size: int) -> None:
    outbound, _ = pair(SUITES[name])
    parts = outbound.overhead(size)
    packet = outbound.protect(bytes(size), NEXT_HEADER_UDP)
    assert len(packet) == size + parts.total
    assert parts.header == 8
    assert parts.trailer == 2
    assert (size + parts.padding + 2) % SUITES[name].block_bytes == 0
    assert (len(packet) - 8) % 4 == 0 or SUITES[name].iv_bytes % 4
    assert esp_parts(SUITES[name], size, len(packet)) == parts


def test_the_padding_of_a_packet_that_was_padded_more_is_reported_as_seen() -> None:
    assert esp_parts(GCM, 10, GCM.packet_bytes(10) + 8).padding == 8


def test_sequence_numbers_start_with_one_and_rise_by_one() -> None:
    outbound, _ = pair()
    assert outbound.sequence == 0
    numbers = [outbound.protect(b"x", 17)[4:8] for _ in range(3)]
    assert numbers == [b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\3"]
    assert outbound.sequence == 3


def test_no_iv_repeats_under_a_key() -> None:
    outbound, _ = pair()
    assert len({outbound.protect(b"x", 17)[8:16] for _ in range(500)}) == 500


def test_the_last_number_is_used_and_then_the_association_is_finished() -> None:
    outbound, inbound = pair(sequence=0xFFFF_FFFE)
    assert inbound.unprotect(outbound.protect(b"last", 17)).sequence == 0xFFFF_FFFF
    for _ in range(3):
        with pytest.raises(SequenceExhausted) as caught:
            outbound.protect(b"one more", 17)
        assert "new security association" in caught.value.hint
    assert outbound.sequence == 0xFFFF_FFFF


def test_extended_numbers_cross_the_32_bit_boundary_and_end_at_64_bits() -> None:
    outbound, inbound = pair(esn=True, sequence=0xFFFF_FFFE)
    packets = [outbound.protect(b"x", 17) for _ in range(3)]
    assert [p[4:8].hex() for p in packets] == ["ffffffff", "00000000", "00000001"]
    assert [inbound.unprotect(p).sequence for p in packets] == [
        0xFFFF_FFFF,
        0x1_0000_0000,
        0x1_0000_0001,
    ]
    outbound, _ = pair(esn=True, sequence=(1 << 64) - 2)
    outbound.protect(b"x", 17)
    with pytest.raises(SequenceExhausted):
        outbound.protect(b"x", 17)


@pytest.mark.parametrize("spi", [-1, 0, 1, 255, 1 << 32])
def test_reserved_spis_name_no_association(spi: int) -> None:
    for kind in (OutboundAssociation, InboundAssociation):
        with pytest.raises(InvalidParameter):
            kind(spi, GCM, bytes(16), bytes(4))


@pytest.mark.parametrize(
    ("key", "salt"), [(15, 4), (17, 4), (32, 4), (0, 4), (16, 0), (16, 3), (16, 8)]
)
def test_keys_and_salts_of_the_wrong_size_are_refused_without_being_shown(
    key: int, salt: int
) -> None:
    for kind in (OutboundAssociation, InboundAssociation):
        with pytest.raises(InvalidParameter) as caught:
            kind(SPI, GCM, b"K" * key, b"S" * salt)
        assert "KKK" not in str(caught.value)
        assert "SSS" not in str(caught.value)


@pytest.mark.parametrize("next_header", [-1, 256, 70000])
def test_a_next_header_is_one_octet(next_header: int) -> None:
    outbound, _ = pair()
    with pytest.raises(InvalidParameter):
        outbound.protect(b"x", next_header)
    assert outbound.sequence == 0


def test_a_replayed_packet_is_refused_and_nothing_changes() -> None:
    outbound, inbound = pair()
    packet = outbound.protect(b"once", 17)
    inbound.unprotect(packet)
    for _ in range(3):
        with pytest.raises(Replayed) as caught:
            inbound.unprotect(packet)
        assert caught.value.reason is Reason.REPLAYED
    assert inbound.window.top == 1


def test_a_replayed_packet_passes_when_the_window_is_switched_off() -> None:
    outbound, inbound = pair(replay_window=0)
    packet = outbound.protect(b"twice", 17)
    assert inbound.unprotect(packet) == inbound.unprotect(packet)


def test_packets_out_of_order_inside_the_window_pass_and_tell_how_late_they_are() -> None:
    outbound, inbound = pair()
    packets = [outbound.protect(bytes((n,)), 17) for n in range(64)]
    assert inbound.unprotect(packets[63]).late_by == 0
    for n in range(62, -1, -1):
        assert inbound.unprotect(packets[n]).late_by == 63 - n


def test_packets_left_of_the_window_are_refused() -> None:
    outbound, inbound = pair()
    packets = [outbound.protect(bytes((n,)), 17) for n in range(65)]
    inbound.unprotect(packets[64])
    with pytest.raises(OutsideWindow) as caught:
        inbound.unprotect(packets[0])
    assert caught.value.reason is Reason.OUTSIDE_WINDOW
    assert inbound.unprotect(packets[1]).late_by == 63


def test_a_forged_packet_far_ahead_does_not_move_the_window() -> None:
    outbound, inbound = pair()
    good = [outbound.protect(b"x", 17) for _ in range(2)]
    inbound.unprotect(good[0])
    forged = good[1][:4] + b"\x7f\xff\xff\xff" + good[1][8:]
    with pytest.raises(BadIcv):
        inbound.unprotect(forged)
    assert inbound.window.top == 1
    assert inbound.unprotect(good[1]).sequence == 2


def test_the_forged_packet_would_shut_out_good_ones_if_the_window_moved_first() -> None:
    outbound, inbound = pair()
    good = outbound.protect(b"x", 17)
    checked = inbound._open

    def window_first(packet: bytes, sequence: int) -> bytes:
        inbound.window.accept(sequence)
        return checked(packet, sequence)

    inbound._open = window_first
    with pytest.raises(BadIcv):
        inbound.unprotect(good[:4] + b"\x7f\xff\xff\xff" + good[8:])
    with pytest.raises(OutsideWindow):
        inbound.unprotect(good)


def test_the_window_is_asked_before_the_cipher_is_set_to_work() -> None:
    outbound, inbound = pair()
    packet = outbound.protect(b"x", 17)
    inbound.unprotect(packet)
    broken = packet[:-1] + bytes((packet[-1] ^ 1,))
    with pytest.raises(Replayed):
        inbound.unprotect(broken)


@pytest.mark.parametrize("name", SUITES)
def test_every_flipped_bit_is_noticed(name: str) -> None:
    outbound, inbound = pair(SUITES[name])
    packet = outbound.protect(b"seventeen octets!", 17)
    refused = set()
    for bit in range(len(packet) * 8):
        altered = bytearray(packet)
        altered[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(PacketRejected) as caught:
            inbound.unprotect(bytes(altered))
        refused.add(caught.value.reason)
    assert refused <= {Reason.UNKNOWN_SPI, Reason.REPLAYED, Reason.BAD_ICV}
    assert inbound.window.top == 0
    assert inbound.unprotect(packet).payload == b"seventeen octets!"


def test_a_flipped_bit_passes_when_the_integrity_check_is_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counter mode without its tag gives the flipped bit to the application."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    keys = keys_of(GCM)

    class Unchecked(Transform):
        def open(self, packet: bytes, sequence: int) -> bytes:
            nonce = keys["salt"] + packet[8:16] + b"\0\0\0\2"
            context = Cipher(algorithms.AES(keys["key"]), modes.CTR(nonce)).decryptor()
            return context.update(packet[16:-16])

    outbound, inbound = pair()
    packet = bytearray(outbound.protect(b"pay 100", 17))
    packet[16 + 4] ^= ord("1") ^ ord("9")
    with pytest.raises(BadIcv):
        inbound.unprotect(bytes(packet))
    inbound._open = Unchecked().open
    assert inbound.unprotect(bytes(packet)).payload == b"pay 900"


@pytest.mark.parametrize("name", SUITES)
def test_truncation_at_every_octet_is_noticed(name: str) -> None:
    outbound, inbound = pair(SUITES[name])
    packet = outbound.protect(b"some octets", 17)
    for size in range(len(packet)):
        with pytest.raises((Truncated, BadIcv)):
            inbound.unprotect(packet[:size])
    for size in range(SUITES[name].minimum_packet_bytes):
        with pytest.raises(Truncated) as caught:
            inbound.unprotect(packet[:size])
        assert caught.value.reason is Reason.TRUNCATED
    assert inbound.unprotect(packet).payload == b"some octets"


@pytest.mark.parametrize("name", SUITES)
def test_octets_behind_the_packet_are_noticed(name: str) -> None:
    outbound, inbound = pair(SUITES[name])
    packet = outbound.protect(b"some octets", 17)
    for extra in (b"\0", b"\0\0\0\0", bytes(16)):
        with pytest.raises(BadIcv):
            inbound.unprotect(packet + extra)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=80), with_spi=st.booleans())
def test_random_octets_raise_nothing_but_packet_rejected(data: bytes, with_spi: bool) -> None:
    for esn in (False, True):
        _, inbound = pair(esn=esn)
        with pytest.raises(PacketRejected) as caught:
            inbound.unprotect(SPI.to_bytes(4, "big") + data if with_spi else data)
        assert caught.value.reason in Reason
        assert inbound.window.top == 0


def test_a_packet_of_another_association_is_refused() -> None:
    keys = keys_of(GCM)
    other = OutboundAssociation(SPI + 1, GCM, mode=Mode.TRANSPORT, **keys)
    _, inbound = pair()
    with pytest.raises(UnknownSpi):
        inbound.unprotect(other.protect(b"x", 17))


def test_a_packet_under_another_key_is_refused() -> None:
    other = OutboundAssociation(SPI, GCM, bytes(16), bytes(4), Mode.TRANSPORT)
    _, inbound = pair()
    with pytest.raises(BadIcv):
        inbound.unprotect(other.protect(b"x", 17))


@pytest.mark.parametrize(
    ("trailer", "why"),
    [
        (b"\0\1\x11", "one octet of padding that is not 1"),
        (b"\1\3\2\x03\x11", "3 octets in another order"),
        (b"\0\0\xff\x11", "more padding than there is plaintext"),
        (b"\1\2\4\x03\x11", "a wrong last octet"),
    ],
)
def test_authentic_packets_with_other_padding_are_refused(trailer: bytes, why: str) -> None:
    _, inbound = pair()
    with pytest.raises(BadPadding) as caught:
        inbound.unprotect(forge(b"data" + trailer))
    assert caught.value.reason is Reason.BAD_PADDING, why
    assert inbound.window.top == 1, "the packet was authentic, so its number is used up"


def test_bad_padding_passes_when_its_check_is_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import esp.inbound

    class Anything:
        def __ne__(self, other: object) -> bool:
            return False

    _, inbound = pair()
    monkeypatch.setattr(esp.inbound, "PADDING", [Anything()] * 256)
    assert inbound.unprotect(forge(b"data\0\1\x11")).payload == b"data"


@pytest.mark.parametrize("pad", [0, 1, 5, 100, 255])
def test_more_padding_than_needed_is_accepted_up_to_255_octets(pad: int) -> None:
    _, inbound = pair()
    packet = forge(b"data" + bytes(range(1, pad + 1)) + bytes((pad, 17)))
    assert inbound.unprotect(packet).payload == b"data"


@pytest.mark.parametrize("next_header", [0, 6, 17, 47, 50, 143, 255])
def test_tunnel_mode_carries_nothing_but_ip_packets(next_header: int) -> None:
    outbound, inbound = pair(mode=Mode.TUNNEL)
    with pytest.raises(WrongNextHeader) as caught:
        inbound.unprotect(outbound.protect(ipv4(), next_header))
    assert caught.value.reason is Reason.WRONG_NEXT_HEADER


def test_rohc_is_taken_only_where_it_was_agreed() -> None:
    outbound, inbound = pair(mode=Mode.TUNNEL)
    with pytest.raises(WrongNextHeader):
        inbound.unprotect(outbound.protect(b"\xfd", NEXT_HEADER_ROHC))
    outbound, inbound = pair(mode=Mode.TUNNEL, rohc=True)
    assert inbound.rohc
    opened = inbound.unprotect(outbound.protect(b"\xfd\x04", NEXT_HEADER_ROHC))
    assert opened.payload == b"\xfd\x04"
    assert opened.next_header == NEXT_HEADER_ROHC


def test_rohc_under_transport_mode_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidParameter, match="RFC 5856") as caught:
        InboundAssociation(SPI, GCM, bytes(16), bytes(4), Mode.TRANSPORT, rohc=True)
    assert "tunnel" in caught.value.hint


@pytest.mark.parametrize(
    ("payload", "next_header"),
    [
        (ipv4(), NEXT_HEADER_IPV4),
        (ipv4(20), NEXT_HEADER_IPV4),
        (ipv6(), NEXT_HEADER_IPV6),
        (ipv6(40), NEXT_HEADER_IPV6),
    ],
)
def test_tunnel_mode_cuts_traffic_flow_padding_off(payload: bytes, next_header: int) -> None:
    outbound, inbound = pair(mode=Mode.TUNNEL)
    for fill in (0, 1, 300):
        opened = inbound.unprotect(outbound.protect(payload + bytes(fill), next_header))
        assert opened.payload == payload


@pytest.mark.parametrize(
    ("payload", "next_header"),
    [
        (b"", NEXT_HEADER_IPV4),
        (ipv4(19), NEXT_HEADER_IPV4),
        (ipv4(28, 29), NEXT_HEADER_IPV4),
        (ipv4(28, 19), NEXT_HEADER_IPV4),
        (ipv4(28, 0), NEXT_HEADER_IPV4),
        (ipv6(), NEXT_HEADER_IPV4),
        (b"", NEXT_HEADER_IPV6),
        (ipv6(39, 0), NEXT_HEADER_IPV6),
        (ipv6(48, 9), NEXT_HEADER_IPV6),
        (ipv4(60), NEXT_HEADER_IPV6),
    ],
)
def test_an_inner_packet_that_contradicts_itself_is_refused(
    payload: bytes, next_header: int
) -> None:
    outbound, inbound = pair(mode=Mode.TUNNEL)
    with pytest.raises(MalformedInner) as caught:
        inbound.unprotect(outbound.protect(payload, next_header))
    assert caught.value.reason is Reason.MALFORMED_INNER


@pytest.mark.parametrize("mode", Mode)
def test_a_dummy_packet_comes_out_marked_as_one(mode: Mode) -> None:
    outbound, inbound = pair(mode=mode)
    opened = inbound.unprotect(outbound.protect(b"noise", NEXT_HEADER_NONE))
    assert opened.is_dummy
    assert not inbound.unprotect(outbound.protect(ipv4(), NEXT_HEADER_IPV4)).is_dummy


@pytest.mark.parametrize("name", SUITES)
def test_the_largest_payload_for_a_packet_size_fits_and_one_more_does_not(name: str) -> None:
    row = SUITES[name]
    for room in range(row.minimum_packet_bytes, row.minimum_packet_bytes + 200):
        largest = row.largest_payload_bytes(room)
        assert row.packet_bytes(largest) <= room < row.packet_bytes(largest + 1)
    with pytest.raises(InvalidParameter):
        row.largest_payload_bytes(row.minimum_packet_bytes - 1)


def test_no_repr_or_error_shows_a_key_or_a_salt() -> None:
    key, salt = b"CANARYCANARYKEY!", b"SALT"
    outbound = OutboundAssociation(SPI, GCM, key, salt)
    inbound = InboundAssociation(SPI, GCM, key, salt)
    texts = [repr(outbound), str(outbound), repr(inbound), str(inbound)]
    for data in (b"", b"x" * 8, SPI.to_bytes(4, "big") + bytes(60)):
        with pytest.raises(EspError) as caught:
            inbound.unprotect(data)
        texts += [repr(caught.value), str(caught.value), caught.value.hint]
    for text in texts:
        for leak in ("CANARY", "SALT", key.hex(), salt.hex(), repr(key), repr(salt)):
            assert leak not in text
    assert "0x10000001" in repr(outbound)
    assert "aes-gcm-16-128" in repr(inbound)


def test_local_and_remote_errors_are_apart() -> None:
    assert not issubclass(SequenceExhausted, PacketRejected)
    assert issubclass(SequenceExhausted, LocalError)
    assert not issubclass(BadIcv, LocalError)
