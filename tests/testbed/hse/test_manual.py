"""Associations with configured keys: what a file may hold, and what the gateway makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import esp
from esp import keying
from testbed.errors import UsageError
from testbed.hse import AddressPlan, EchoApplication, Gateway, GatewayLimits, HsePort
from testbed.hse.manual import ManualAssociations, read_associations
from testbed.hse.state import HseState
from testbed.packets import build_udp_packet, parse_udp_packet
from tests.testbed.conftest import SECRET, UE_ADDRESS, make_device

CBC, NULL = "aes-cbc-128+hmac-sha2-256-128", "null+hmac-sha2-256-128"
KEY = "5b" * 16


def entry(number: int = 0, suite: str = CBC, more: str = "") -> str:
    row = esp.suite(suite)
    keys = f"key: 'hex:{'5b' * row.key_bytes}', salt: 'hex:{'00' * row.salt_bytes}'"
    keys += f", integrity_key: 'hex:{'c7' * row.integrity_key_bytes}'"
    return (
        f"  - identity: peer-{number}\n"
        f"    suite: {suite}\n"
        f"    inbound: {{spi: {4096 + number}, {keys}}}\n"
        f"    outbound: {{spi: {8192 + number}, {keys}}}\n{more}"
    )


def read(folder: Path, *entries: str, head: str = "") -> ManualAssociations:
    path = folder / "sa.yaml"
    path.write_text(f"{head}associations:\n" + "".join(entries))
    return read_associations(path, lambda suite: suite.name != NULL or "null" not in head)


def peer_of(keys: keying.Session) -> keying.Session:
    return keying.Session(
        identity=keys.identity,
        suite=keys.suite,
        mode=keys.mode,
        compression=False,
        esn=keys.esn,
        inbound=keys.outbound,
        outbound=keys.inbound,
    )


# -- the file --------------------------------------------------------------------------------------


def test_a_file_gives_sessions_and_addresses(tmp_path: Path) -> None:
    more = "    mode: transport\n    esn: true\n    addresses: [10.0.0.5, '2001:db8::/64']\n"
    found = read(tmp_path, entry(0), entry(1, NULL, more))
    one, other = found.sessions
    assert (one.identity, one.suite.name, one.mode, one.esn) == (
        *("peer-0", CBC),
        *(esp.Mode.TUNNEL, False),
    )
    assert (other.suite.name, other.mode, other.esn) == (NULL, esp.Mode.TRANSPORT, True)
    assert (one.inbound.spi, one.outbound.spi) == (4096, 8192)
    assert {name: len(nets) for name, nets in found.addresses.items()} == {"peer-1": 2}
    assert not found.test_vectors
    assert KEY not in repr(found)


@pytest.mark.parametrize("suite", [name for name in esp.SUITES if not esp.suite(name).manual_keys])
def test_a_suite_that_counts_is_refused_by_name_unless_its_keys_are_test_vectors(
    tmp_path: Path, suite: str
) -> None:
    one = entry(0, suite)
    with pytest.raises(UsageError, match=r"sa.yaml:2: .*must not run on a manual key") as caught:
        read(tmp_path, one)
    assert suite in str(caught.value)
    assert len(read(tmp_path, one, head="test_vectors: true\n").sessions) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (CBC, "aes-cbc-129", "aes-cbc-129"),
        ("spi: 4096", "spi: 255", "greater than or equal to 256"),
        (KEY, KEY[:-2], "16"),
        (KEY, KEY[:-1], "not an even number"),
        (f"hex:{KEY}", KEY, "a key is hex: and hexadecimal digits"),
        ("identity: peer-0", "identity: ''", "at least 1 character"),
        ("identity: peer-0", "name: peer-0", "Field required"),
        ("suite:", "secret: x\n    suite:", "not permitted"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_no_key_is_shown(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, entry().replace(old, new, 1))
    text = str(caught.value)
    assert "sa.yaml:" in text
    assert said in text
    assert KEY[:-2] not in text


def test_other_mistakes_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="SPI 4096 is taken"):
        read(tmp_path, entry(0), entry(0))
    with pytest.raises(UsageError, match="is not allowed here"):
        read(tmp_path, entry(0, NULL), head="# no null\n")
    with pytest.raises(UsageError, match="appear to be an IPv4 or IPv6"):
        read(tmp_path, entry(more="    addresses: [here]\n"))
    with pytest.raises(UsageError, match="associations"):
        read(tmp_path)


# -- at the gateway --------------------------------------------------------------------------------


class Peer:
    """A gateway with an association of a file, and the other end of that."""

    def __init__(self, keys: keying.Session, state: HseState | None = None, **more: object) -> None:
        self.gateway = Gateway(
            secrets=lambda identity: SECRET,
            application=EchoApplication(),
            state=state,
            **more,  # type: ignore[arg-type]
        )
        self.gateway.adopt(keys)
        self.mode = keys.mode
        mirrored = peer_of(keys)
        self.outbound = mirrored.outbound_association()
        self.inbound = mirrored.inbound_association()

    def send(self, packet: bytes, host: str = UE_ADDRESS[0], now: float = 0.0) -> list[bytes]:
        replies = self.gateway.receive(HsePort.ESP, packet, (host, 4500), now)
        return [reply.data for reply in (*replies, *self.gateway.flush(now))]

    def packet(self, source: str = "10.0.0.1") -> bytes:
        destination = "10.0.0.9" if "." in source else "2001:db8::9"
        inner = build_udp_packet(source, destination, 40000, 5683, b"reading")
        if self.mode is esp.Mode.TRANSPORT:
            datagram = parse_udp_packet(inner).datagram
            return self.outbound.protect(datagram, esp.NEXT_HEADER_UDP)
        return self.outbound.protect(inner, 4 if "." in source else 41)

    @property
    def rejected(self) -> dict[tuple[str, str], int]:
        return dict(self.gateway.snapshot().rejected)


@pytest.mark.parametrize("esn", ["false", "true"])
@pytest.mark.parametrize("mode", ["tunnel", "transport"])
@pytest.mark.parametrize("suite", [CBC, NULL])
def test_a_peer_without_a_key_exchange_is_served(
    tmp_path: Path, suite: str, mode: str, esn: str
) -> None:
    more = f"    mode: {mode}\n    esn: {esn}\n"
    (keys,) = read(tmp_path, entry(0, suite, more)).sessions
    peer = Peer(keys)
    for _ in range(3):
        (answer,) = peer.send(peer.packet())
        assert peer.inbound.unprotect(answer).payload.endswith(b"reading")
    packet = peer.packet()
    peer.send(packet)
    assert peer.send(packet) == []
    assert peer.rejected == {("esp", "replayed"): 1}


def test_its_addresses_are_held_to_like_anybody_s(tmp_path: Path) -> None:
    found = read(tmp_path, entry(more="    addresses: [10.0.0.1]\n"))
    peer = Peer(found.sessions[0], addresses=AddressPlan(found.addresses))
    assert peer.send(peer.packet())
    assert peer.send(peer.packet("10.0.0.2")) == []
    learning = Peer(found.sessions[0])
    assert learning.send(learning.packet())
    assert learning.send(learning.packet("10.0.0.2")) == []
    assert peer.rejected == learning.rejected == {("esp", "wrong-selector"): 1}


def test_it_has_no_lifetime_and_is_never_crowded_out(tmp_path: Path) -> None:
    (keys,) = read(tmp_path, entry()).sessions
    peer = Peer(
        keys,
        lifetime=esp.Lifetime(hard_packets=2, hard_s=5.0),
        limits=GatewayLimits(sessions=2),
    )

    def exchange(port: HsePort, data: bytes) -> bytes:
        return peer.send(data)[0]

    for number in range(5):
        device = make_device("esp-transport", exchange, f"ue-{number}")
        packet = build_udp_packet("10.0.0.9", "10.9.9.9", 40000, 5683, b"reading")
        assert peer.send(device.stack.down(packet, 0.0).data)
    assert all(peer.send(peer.packet(), now=1000.0) for _ in range(10))
    assert peer.gateway.snapshot().sessions == 2


def test_after_a_restart_nothing_is_accepted_twice_and_no_number_used_twice(
    tmp_path: Path,
) -> None:
    (keys,) = read(tmp_path, entry()).sessions
    recorded: list[bytes] = []
    numbers: list[int] = []
    sender = Peer(keys)
    for _ in range(4):
        state = HseState(tmp_path / "state")
        peer = Peer(keys, state)
        assert [peer.send(packet) for packet in recorded] == [[] for _ in recorded]
        for _ in range(5):
            packet = sender.packet()
            recorded.append(packet)
            (answer,) = peer.send(packet)
            numbers.append(int.from_bytes(answer[4:8], "big"))
        state.close()
    assert len(set(numbers)) == len(numbers) == 20
    assert not list((tmp_path / "state" / "sessions").iterdir())  # its keys stand in its file


def test_ended_by_its_last_number_it_is_not_forgotten(tmp_path: Path) -> None:
    (keys,) = read(tmp_path, entry()).sessions
    state = HseState(tmp_path / "state")
    peer = Peer(keys, state)
    packet = peer.packet()
    assert peer.send(packet)
    (session,) = peer.gateway._table._sessions.values()
    session.outbound.end()
    assert peer.send(peer.packet()) == []
    assert peer.gateway.snapshot().sessions == 0
    state.close()
    again = HseState(tmp_path / "state")
    assert Peer(keys, again).send(packet) == []
    again.close()


def test_over_ipv6_transport_mode_s_answer_has_a_checksum(tmp_path: Path) -> None:
    (keys,) = read(tmp_path, entry(more="    mode: transport\n")).sessions
    for own, peer_host, checked in (
        ("2001:db8::1", "2001:db8::2", True),
        ("192.0.2.1", "192.0.2.2", False),
        (None, "2001:db8::2", False),
    ):
        peer = Peer(keys, own_address=own)
        (answer,) = peer.send(peer.packet(), peer_host)
        datagram = peer.inbound.unprotect(answer).payload
        assert (datagram[6:8] != b"\0\0") is checked
        if checked and own is not None:
            inner = build_udp_packet(own, peer_host, 5683, 40000, b"reading")
            assert parse_udp_packet(inner).datagram == datagram
