"""The door with the real codec behind it: a flow through a lossy, reordering tunnel."""

from __future__ import annotations

import random
from ipaddress import ip_address

import pytest

from esp import InboundAssociation, OutboundAssociation, SecurityAssociationDatabase, suite
from esp.checksum import internet_checksum, recompute_checksum
from esp.errors import DecompressionFailed
from esp.keying import Initiator, Offer, Responder
from esp.rohcoipsec import CompressedTunnel, Decapsulated
from rohc import Channel, Compressor, Decompressor

GCM = suite("aes-gcm-16-128")


def packet(version: int, number: int) -> bytes:
    """The next CoAP-like message of one flow."""
    payload = b"\x44\x02" + number.to_bytes(2, "big") + b"reading"
    segment = b"\xc0\x01\x16\x33" + (8 + len(payload)).to_bytes(2, "big") + b"\0\0" + payload
    if version == 4:
        head = b"\x45\0" + (20 + len(segment)).to_bytes(2, "big") + number.to_bytes(2, "big")
        head += b"\x40\0\x40\x11\0\0" + ip_address("10.0.0.1").packed + b"\x0a\0\0\2"
        head = head[:10] + internet_checksum(head).to_bytes(2, "big") + head[12:]
        return head + recompute_checksum(17, segment, head[12:16], head[16:20])
    head = b"\x60\0\0\0" + len(segment).to_bytes(2, "big") + b"\x11\x40"
    head += ip_address("fd00::1").packed + ip_address("fd00::2").packed
    return head + recompute_checksum(17, segment, head[8:24], head[24:40])


def ends(mode: str = "O", icv_bytes: int = 0) -> tuple[CompressedTunnel, CompressedTunnel]:
    """UE and HSE after a hello."""
    secret = b"a secret of 16 octets or more"
    database: SecurityAssociationDatabase[None] = SecurityAssociationDatabase()
    initiator = Initiator("ue", secret, Offer(suite=GCM, compression=True))
    handled = Responder({"ue": secret}.get, database.allocate_spi).handle(initiator.request(), 0.0)
    assert handled.reply is not None
    assert handled.session is not None
    tunnels = []
    for session in (initiator.response(handled.reply), handled.session):
        channel = Channel()
        icvs = session.rohc_icvs(icv_bytes=icv_bytes) if icv_bytes else (None, None)
        tunnels.append(
            CompressedTunnel(
                session.outbound_association(),
                session.inbound_association(),
                Compressor(channel, mode=mode),
                Decompressor(channel, mode=mode),
                outbound_icv=icvs[0],
                inbound_icv=icvs[1],
            )
        )
    return tunnels[0], tunnels[1]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("mode", ["U", "O"])
@pytest.mark.parametrize("icv_bytes", [0, 4])
def test_messages_and_answers_come_through_and_shrink(
    version: int, mode: str, icv_bytes: int
) -> None:
    ue, hse = ends(mode, icv_bytes)
    sizes = []
    for number in range(50):
        sent = packet(version, number)
        esp = ue.protect(sent, float(number))
        sizes.append(len(esp))
        assert hse.unprotect(esp, float(number)).packet == sent
        answer = packet(version, number + 1000)
        assert ue.unprotect(hse.protect(answer, float(number)), float(number)).packet == answer
    headers = 28 if version == 4 else 48
    plain = ue.outbound.suite.packet_bytes(len(packet(version, 0)))
    assert plain - sizes[-1] >= headers - 12 - icv_bytes


@pytest.mark.parametrize("seed", range(4))
def test_under_loss_and_reordering_no_wrong_packet_is_delivered_with_the_rohc_icv(
    seed: int,
) -> None:
    chance = random.Random(seed)
    ue, hse = ends(icv_bytes=8)
    sent = [packet(6, number) for number in range(300)]
    wire = [(ue.protect(inner, float(n)), inner) for n, inner in enumerate(sent)]
    arriving = [one for one in wire if chance.random() > 0.1]
    for at in range(0, len(arriving) - 1, 7):
        if chance.random() < 0.5:
            arriving[at], arriving[at + 1] = arriving[at + 1], arriving[at]
    delivered = 0
    for esp, inner in arriving:
        try:
            result = hse.unprotect(esp)
        except DecompressionFailed:
            continue
        assert result.packet == inner
        delivered += 1
    assert delivered > 0.5 * len(arriving)


def test_a_decompressor_that_lost_its_context_says_so_and_recovers_with_a_new_session() -> None:
    ue, hse = ends()
    for number in range(10):
        hse.unprotect(ue.protect(packet(4, number)))
    hse.decompressor = Decompressor(Channel())
    with pytest.raises(DecompressionFailed) as caught:
        hse.unprotect(ue.protect(packet(4, 10)))
    assert caught.value.cause is not None
    ue, hse = ends()
    assert hse.unprotect(ue.protect(packet(4, 11))).packet == packet(4, 11)


def test_the_result_names_the_packet_type_and_the_header_size() -> None:
    ue, hse = ends()
    first: Decapsulated = hse.unprotect(ue.protect(packet(4, 0)))
    assert first.rohc is not None
    assert getattr(first.rohc, "packet_type", "") == "IR"
    assert getattr(first.rohc, "header_bytes", 0) > 20


def test_random_octets_as_rohc_raise_nothing_but_decompression_failed() -> None:
    chance = random.Random(7)
    key, salt = bytes(16), bytes(4)
    outbound = OutboundAssociation(1000, GCM, key, salt)
    inbound = InboundAssociation(1000, GCM, key, salt, rohc=True)
    tunnel = CompressedTunnel(outbound, inbound, Compressor(Channel()), Decompressor(Channel()))
    for _ in range(500):
        esp = outbound.protect(chance.randbytes(chance.randrange(40)), 142)
        try:
            result = tunnel.unprotect(esp)
        except DecompressionFailed:
            continue
        assert result.packet is None or result.packet[0] >> 4 in (4, 6)
