"""A UE can't speak for another's address, and an association that is unknown gets a notice."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

import esp
from testbed.hse import AddressPlan, EchoApplication, Gateway, GatewayLimits, HsePort
from testbed.hse.addresses import AddressBook, SourceBinding
from testbed.notice import UnknownAssociation
from testbed.packets import build_udp_packet
from testbed.ue.layers import Unit
from tests.testbed.conftest import SECRET, UE_ADDRESS, Device, make_device

PLAN = {
    "ue-1": [ip_network("10.0.0.1"), ip_network("2001:db8:1::/64")],
    "ue-2": [ip_network("10.0.0.2")],
}
TUNNELS = ["esp-tunnel", "rohc+esp-tunnel"]


class Lab:
    def __init__(
        self,
        plan: AddressPlan | None = None,
        notices_per_s: float = 0.0,
        *,
        share_addresses: bool = False,
        sessions: int = 100,
    ) -> None:
        self.application = EchoApplication()
        self.now = 100.0
        self.gateway = Gateway(
            secrets=lambda identity: SECRET,
            application=self.application,
            addresses=plan,
            share_addresses=share_addresses,
            limits=GatewayLimits(notices_per_s=notices_per_s, sessions=sessions),
        )

    def send(self, port: HsePort, data: bytes) -> list[bytes]:
        return [reply.data for reply in self.gateway.receive(port, data, UE_ADDRESS, self.now)]

    def one(self, port: HsePort, data: bytes) -> bytes:
        (answer,) = self.send(port, data)
        return answer

    def says(self, device: Device, source: str) -> bool:
        """Whether a message with this inner source address reaches the application."""
        destination = "10.9.9.9" if "." in source else "2001:db8::9"
        packet = build_udp_packet(source, destination, 40000, 5683, b"reading")
        before = self.application.requests
        self.send(HsePort.ESP, device.stack.down(packet, self.now).data)
        return self.application.requests > before

    @property
    def rejected(self) -> dict[tuple[str, str], int]:
        return dict(self.gateway.snapshot().rejected)


@pytest.mark.parametrize("name", TUNNELS)
def test_an_assigned_address_is_the_only_one_its_ue_may_use(name: str) -> None:
    lab = Lab(AddressPlan(PLAN))
    device = make_device(name, lab.one, "ue-1")
    assert lab.says(device, "10.0.0.1")
    assert lab.says(device, "2001:db8:1::77")
    assert not lab.says(device, "10.0.0.2")
    assert not lab.says(device, "10.0.0.3")
    assert not lab.says(device, "2001:db8:2::77")
    assert lab.rejected == {("esp", "wrong-selector"): 3}
    assert lab.says(device, "10.0.0.1")


@pytest.mark.parametrize("name", TUNNELS)
def test_a_learned_address_binds_the_association(name: str) -> None:
    lab = Lab()
    device = make_device(name, lab.one)
    assert lab.says(device, "10.0.0.1")
    assert not lab.says(device, "10.0.0.2")
    assert lab.says(device, "2001:db8::1")  # one of each IP version
    assert not lab.says(device, "2001:db8::2")
    assert lab.says(device, "10.0.0.1")
    assert lab.rejected == {("esp", "wrong-selector"): 2}
    assert lab.says(make_device(name, lab.one), "10.0.0.2")  # a new session may move


@pytest.mark.parametrize("name", TUNNELS)
def test_nobody_learns_an_address_that_is_assigned_to_another(name: str) -> None:
    lab = Lab(AddressPlan(PLAN))
    stranger = make_device(name, lab.one, "ue-3")
    assert not lab.says(stranger, "10.0.0.1")
    assert not lab.says(stranger, "2001:db8:1::1")
    assert lab.says(stranger, "10.0.0.4")
    assert lab.rejected == {("esp", "wrong-selector"): 2}


@pytest.mark.parametrize("name", TUNNELS)
def test_another_s_address_passes_when_the_check_is_switched_off(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SourceBinding, "refusal", lambda self, inner: None)
    monkeypatch.setattr(AddressPlan, "selectors", lambda self, identity: None)
    lab = Lab(AddressPlan(PLAN))
    device = make_device(name, lab.one, "ue-1")
    assert lab.says(device, "10.0.0.2")
    assert lab.says(device, "10.0.0.3")


# -- addresses that were learned -------------------------------------------------------------------


@pytest.mark.parametrize("name", TUNNELS)
def test_a_learned_address_belongs_to_its_identity(name: str) -> None:
    lab = Lab()
    owner, other = make_device(name, lab.one, "ue-1"), make_device(name, lab.one, "ue-2")
    assert lab.says(owner, "10.0.0.1")
    assert lab.says(owner, "2001:db8::1")
    assert not lab.says(other, "10.0.0.1")
    assert not lab.says(other, "2001:db8::1")
    assert lab.rejected == {("esp", "address-in-use"): 2}
    assert lab.says(other, "10.0.0.2")  # its own it may learn
    assert lab.says(owner, "10.0.0.1")


def test_another_s_learned_address_passes_when_the_check_is_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AddressBook, "refusal", lambda self, identity, address: None)
    lab = Lab()
    owner = make_device("esp-tunnel", lab.one, "ue-1")
    other = make_device("esp-tunnel", lab.one, "ue-2")
    assert lab.says(owner, "10.0.0.1")
    assert lab.says(other, "10.0.0.1")


def test_benches_that_share_addresses_on_purpose_may() -> None:
    lab = Lab(share_addresses=True)
    for identity in ("ue-1", "ue-2"):
        assert lab.says(make_device("esp-tunnel", lab.one, identity), "10.0.0.1")


def test_a_ue_may_use_its_address_over_several_sessions_and_come_back() -> None:
    lab = Lab()
    first = make_device("esp-tunnel", lab.one, "ue-1")
    assert lab.says(first, "10.0.0.1")
    assert lab.says(make_device("rohc+esp-tunnel", lab.one, "ue-1"), "10.0.0.1")
    assert lab.says(make_device("esp-tunnel", lab.one, "ue-1"), "10.0.0.1")  # replaces the first
    assert not lab.says(first, "10.0.0.1")
    assert not lab.says(make_device("esp-tunnel", lab.one, "ue-2"), "10.0.0.1")


def test_a_ue_that_changes_its_address_gives_the_old_one_back() -> None:
    lab = Lab()
    assert lab.says(make_device("esp-tunnel", lab.one, "ue-1"), "10.0.0.1")
    other = make_device("esp-tunnel", lab.one, "ue-2")
    assert not lab.says(other, "10.0.0.1")
    assert lab.says(make_device("esp-tunnel", lab.one, "ue-1"), "10.0.0.3")  # new keys, moved
    assert lab.says(other, "10.0.0.1")
    assert not lab.says(make_device("esp-tunnel", lab.one, "ue-3"), "10.0.0.3")


@pytest.mark.parametrize("ended", ["crowded out", "expired"])
def test_an_address_is_free_when_the_last_session_of_its_owner_is_gone(ended: str) -> None:
    lab = aged(esp.Lifetime(hard_packets=2)) if ended == "expired" else Lab(sessions=2)
    owner = make_device("esp-tunnel", lab.one, "ue-1")
    assert lab.says(owner, "10.0.0.1")
    if ended == "expired":
        lab.says(owner, "10.0.0.1")
        lab.says(owner, "10.0.0.1")
    else:
        for identity in ("ue-4", "ue-5"):
            assert lab.says(make_device("esp-tunnel", lab.one, identity), f"10.0.0.{identity[-1]}")
    assert lab.says(make_device("esp-tunnel", lab.one, "ue-2"), "10.0.0.1")
    assert not lab.says(make_device("esp-tunnel", lab.one, "ue-1"), "10.0.0.1")  # too late


def test_a_key_exchange_alone_claims_no_address() -> None:
    lab = Lab()
    silent = make_device("esp-tunnel", lab.one, "ue-1")
    assert lab.says(make_device("esp-tunnel", lab.one, "ue-2"), "10.0.0.1")
    assert not lab.says(silent, "10.0.0.1")


def test_two_identities_can_t_be_assigned_one_address() -> None:
    with pytest.raises(ValueError, match="'ue-2' and 'ue-1' share addresses"):
        AddressPlan({"ue-1": [ip_network("10.0.0.0/24")], "ue-2": [ip_network("10.0.0.9")]})
    AddressPlan({"ue-1": [ip_network("10.0.0.1"), ip_network("10.0.0.1")]})


# -- notices ---------------------------------------------------------------------------------------


def unknown(device: Device) -> bytes:
    packet = device.stack.down(build_udp_packet("10.0.0.1", "10.0.0.9", 1, 2, b"x"), 0.0).data
    return b"\x7f\xff\xff\xff" + packet[4:]


def test_an_unknown_association_gets_a_notice_at_a_bounded_rate() -> None:
    lab = Lab(notices_per_s=2.0)
    device = make_device("esp-tunnel", lab.one)
    replies = [lab.send(HsePort.ESP, unknown(device)) for _ in range(50)]
    told = [UnknownAssociation.decode(one) for reply in replies for one in reply]
    assert told == [
        UnknownAssociation(spi=0x7FFFFFFF, sequence=1),
        UnknownAssociation(spi=0x7FFFFFFF, sequence=2),
    ]
    lab.now += 0.6
    assert len(lab.send(HsePort.ESP, unknown(device))) == 1
    assert lab.send(HsePort.ESP, unknown(device)) == []
    lab.now += 3600
    assert sum(len(lab.send(HsePort.ESP, unknown(device))) for _ in range(50)) == 2
    snapshot = lab.gateway.snapshot()
    assert snapshot.notices == 5
    assert snapshot.rejected == {("esp", "unknown-spi"): 102}


def test_other_refusals_and_what_is_no_packet_get_none() -> None:
    lab = Lab(notices_per_s=1000.0)
    device = make_device("esp-tunnel", lab.one)
    good = device.stack.down(build_udp_packet("10.0.0.1", "10.0.0.9", 1, 2, b"x"), 0.0).data
    lab.send(HsePort.ESP, good)
    for hostile in (
        good,
        good[:-1] + b"\0",
        good[:10],
        b"\x7f\xff\xff\xff",
        b"\0\0\0\7" + good[4:],
    ):
        assert lab.send(HsePort.ESP, hostile) == []
    assert lab.gateway.snapshot().notices == 0


# -- lifetimes -------------------------------------------------------------------------------------


def aged(lifetime: esp.Lifetime) -> Lab:
    lab = Lab(notices_per_s=0.0)
    lab.gateway = Gateway(
        secrets=lambda identity: SECRET,
        application=lab.application,
        lifetime=lifetime,
        limits=GatewayLimits(notices_per_s=0.0),
    )
    return lab


@pytest.mark.parametrize("name", ["esp-transport", *TUNNELS])
@pytest.mark.parametrize(
    "lifetime",
    [esp.Lifetime(hard_packets=3), esp.Lifetime(hard_bytes=120), esp.Lifetime(hard_s=3.5)],
    ids=["packets", "octets", "seconds"],
)
def test_a_session_ends_at_its_hard_lifetime(name: str, lifetime: esp.Lifetime) -> None:
    lab = aged(lifetime)
    device = make_device(name, lab.one)
    passed = []
    for _ in range(12):
        lab.now += 1.0
        passed.append(lab.says(device, "10.0.0.1"))
    assert passed[0]
    assert not passed[-1]
    assert passed == sorted(passed, reverse=True)
    assert lab.rejected["esp", "expired"] == 1
    snapshot = lab.gateway.snapshot()
    assert (snapshot.sessions, snapshot.security_associations) == (0, 0)
    assert lab.says(make_device(name, lab.one), "10.0.0.1")


def test_without_a_lifetime_it_goes_on() -> None:
    lab = Lab()
    device = make_device("esp-tunnel", lab.one)
    lab.now += 1e9
    assert all(lab.says(device, "10.0.0.1") for _ in range(50))


def test_feedback_over_an_association_that_ends_is_counted_and_raises_nothing() -> None:
    lab = aged(esp.Lifetime(hard_packets=2))
    device = make_device("rohc+esp-tunnel", lab.one)
    assert lab.says(device, "10.0.0.1")
    (session,) = lab.gateway._table._sessions.values()
    session.outbound.end()
    assert session.tunnel is not None
    assert device.stack.protection is not None
    garbage = device.stack.protection
    unit = Unit(data=b"\xe5\x7a" + bytes(9), next_header=esp.NEXT_HEADER_ROHC)
    garbage.down(unit, lab.now)  # CID 5 has no context: the decompressor asks for one
    assert lab.send(HsePort.ESP, unit.data) == []
    assert lab.rejected["esp", "decompression-failed"] == 1


def test_a_plan_of_twenty_thousand_ues_is_made_and_asked_at_once() -> None:
    """As many as there may be sessions; with each compared to each this took minutes."""
    plan = AddressPlan(
        {
            f"ue-{n}": [ip_network((0x0A000000 + n, 32)), ip_network(f"2001:db8:{n:x}::/48")]
            for n in range(20_000)
        }
    )
    for n in range(20_000):
        address = (0x0A000000 + n).to_bytes(4, "big")
        assert plan.is_anothers("ue-20000", address)
        assert not plan.is_anothers(f"ue-{n}", address)
    assert plan.is_anothers("ue-1", ip_network("2001:db8:2::7").network_address.packed)
    assert not plan.is_anothers("ue-1", ip_network("2001:db7::7").network_address.packed)
