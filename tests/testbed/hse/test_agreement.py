"""The HSE with hello and AKA on one port: sessions of both, vectors that take time, restarts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import esp
from esp import keying
from esp.aka import (
    AkaSyncFailure,
    AuthenticationCentre,
    AuthenticationVector,
    Milenage,
    Subscriber,
    UsedVectors,
    Usim,
)
from esp.errors import NoVector
from testbed.bench import Configuration
from testbed.compression import RohcMode, RohcSettings
from testbed.errors import UsageError
from testbed.hse import (
    AkaService,
    EchoApplication,
    Gateway,
    HsePort,
    HseServer,
    ListenAddresses,
    Reply,
)
from testbed.hse.sources import VectorSources, holds_usim_keys
from testbed.hse.state import HseState
from testbed.hse.vectors import read_ready_vectors
from testbed.traffic import generated_traffic
from tests.testbed.conftest import SECRET, UE_ADDRESS, Device, device_with, make_device

MESSAGES = generated_traffic(messages=12, seed=2).messages
ALGORITHM = Milenage(k=bytes(range(16)), opc=bytes(range(16, 32)))


def subscriber(identity: str = "meter-17") -> Subscriber:
    return Subscriber(identity=identity, algorithm=ALGORITHM)


class Ue:
    """A UE with a card that lives through everything."""

    def __init__(self, identity: str = "meter-17") -> None:
        self.identity = identity
        self.card = Usim(ALGORITHM)
        self.out_of_step = 0

    def begin(self, name: str, rohc: RohcSettings | None = None) -> keying.AkaInitiator:
        configuration = Configuration.parse(name)
        suite = configuration.esp_suite
        assert suite is not None
        transport = configuration.security.value == "esp-transport"
        offer = keying.Offer(
            suite=suite,
            mode=esp.Mode.TRANSPORT if transport else esp.Mode.TUNNEL,
            compression=configuration.compression.value == "rohc",
        )
        settings = rohc or RohcSettings()
        return keying.AkaInitiator(self.identity, offer, rohc=settings.channel)

    def answer(self, initiator: keying.AkaInitiator, data: bytes) -> bytes | keying.Session:
        taken = initiator.handle(esp.remove_marker(data))
        if isinstance(taken, keying.Challenge):
            told = self.card.authenticate(taken.rand, taken.autn)
            self.out_of_step += isinstance(told, AkaSyncFailure)
            return esp.add_marker(initiator.answer(taken, told))
        assert isinstance(taken, keying.Session)
        return taken


class Hse:
    """One life of an HSE."""

    def __init__(self, folder: Path | None = None, **options: Any) -> None:
        self.state = None if folder is None else HseState(folder)
        self.store = None if self.state is None else self.state.store
        if "aka" not in options:
            centre = AuthenticationCentre((subscriber(),), store=self.store)
            options["aka"] = AkaService(vectors=centre)
        self.application = EchoApplication()
        self.gateway = Gateway(
            secrets=lambda identity: SECRET if identity == "ue-1" else None,
            application=self.application,
            state=self.state,
            **options,
        )
        self.now = 0.0

    def send(self, data: bytes) -> list[Reply]:
        replies = self.gateway.receive(HsePort.ESP, data, UE_ADDRESS, self.now)
        return [*replies, *self.gateway.flush(self.now)]

    def one(self, port: HsePort, data: bytes) -> bytes:
        (reply,) = self.send(data)
        return reply.data

    def keyed(self, ue: Ue, name: str, rohc: RohcSettings | None = None) -> Device:
        initiator = ue.begin(name, rohc)
        said: bytes | keying.Session = esp.add_marker(initiator.request())
        while isinstance(said, bytes):
            said = ue.answer(initiator, self.one(HsePort.ESP, said))
        return device_with(Configuration.parse(name), said, rohc)

    def echo(self, device: Device, start: int = 0, count: int = 4) -> None:
        for message in MESSAGES[start : start + count]:
            answer = self.one(HsePort.ESP, device.stack.down(message.packet, 0.0).data)
            assert device.stack.up(answer, 0.0).data == message.payload

    @property
    def rejected(self) -> dict[tuple[str, str], int]:
        return dict(self.gateway.snapshot().rejected)

    def end(self) -> None:
        """However it ended: nothing is written on the way out."""
        if self.state is not None:
            self.state.close()


@pytest.mark.parametrize("name", ["esp-transport", "esp-tunnel", "rohc+esp-tunnel"])
def test_hello_and_aka_live_side_by_side_on_one_port(name: str) -> None:
    hse, ue = Hse(share_addresses=True), Ue()
    by_aka, by_hello = hse.keyed(ue, name), make_device(name, hse.one)
    for start in (0, 4):
        hse.echo(by_aka, start)
        hse.echo(by_hello, start)
    assert hse.rejected == {}
    snapshot = hse.gateway.snapshot()
    assert (snapshot.exchanges, snapshot.sessions) == (2, 2)


def test_the_rohc_channel_is_the_one_that_was_agreed_on() -> None:
    """Hello: both ends need the same settings. AKA: what both can do is what is used."""
    hse = Hse(rohc_settings=RohcSettings(mode=RohcMode.RELIABLE))
    wanted = RohcSettings(mode=RohcMode.UNIDIRECTIONAL, integrity="hmac-sha2-256-128", icv_bytes=4)
    device = hse.keyed(Ue(), "rohc+esp-tunnel", wanted)
    assert device.keys is not None
    assert device.keys.rohc is not None
    agreed = device.keys.rohc
    assert (agreed.mode, agreed.integrity, agreed.icv_bytes) == ("U", "hmac-sha2-256-128", 4)
    hse.echo(device, 0, 12)
    assert hse.rejected == {}


def test_without_aka_its_messages_are_refused_and_counted() -> None:
    hse = Hse(aka=None)
    request = esp.add_marker(Ue().begin("esp-tunnel").request())
    assert hse.send(request) == []
    assert hse.rejected == {("esp", "malformed-message"): 1}


# -- restarts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["esp-transport", "esp-tunnel"])
def test_sessions_and_sequence_numbers_survive_a_kill(tmp_path: Path, name: str) -> None:
    ue = Ue()
    first = Hse(tmp_path)
    device = first.keyed(ue, name)
    first.echo(device)
    first.end()
    for _ in range(3):
        again = Hse(tmp_path)
        again.echo(device, 4)  # the session goes on
        another = again.keyed(ue, "esp-tunnel/aes-ccm-8-128")
        again.echo(another)
        again.end()
    assert ue.out_of_step == 0


def test_without_state_a_restart_costs_one_resynchronisation() -> None:
    """Which shows that it is the state that spares it."""
    ue = Ue()
    for life in range(3):
        hse = Hse()
        for _ in range(20 if life == 0 else 1):
            hse.keyed(ue, "esp-tunnel")
        assert ue.out_of_step == life
        if life:
            assert hse.rejected == {("esp", "synchronisation-failure"): 1}


def test_a_kill_in_the_middle_of_an_exchange_costs_that_exchange_alone(tmp_path: Path) -> None:
    ue = Ue()
    first = Hse(tmp_path)
    initiator = ue.begin("esp-tunnel")
    challenge = first.one(HsePort.ESP, esp.add_marker(initiator.request()))
    confirm = ue.answer(initiator, challenge)
    assert isinstance(confirm, bytes)
    first.end()
    again = Hse(tmp_path)
    assert again.send(confirm) == []
    again.echo(again.keyed(ue, "esp-tunnel"))
    assert ue.out_of_step == 0
    again.end()


def test_ready_vectors_are_used_once_through_all_lives(tmp_path: Path) -> None:
    centre = AuthenticationCentre((subscriber(),))
    lines = []
    for _ in range(4):
        vector = centre.vector("meter-17")
        values = {one: getattr(vector, one).hex() for one in ("rand", "autn", "xres", "ck", "ik")}
        lines.append(json.dumps({"identity": "meter-17", **values}))
    file = tmp_path / "vectors.jsonl"
    file.write_text("\n".join(lines))
    file.chmod(0o600)
    ue = Ue()
    for _ in range(4):
        state = HseState(tmp_path / "state")
        source = read_ready_vectors(file, UsedVectors(state.store))
        hse = Hse(aka=AkaService(vectors=source))
        hse.echo(hse.keyed(ue, "esp-tunnel"))
        state.close()
    assert ue.out_of_step == 0
    state = HseState(tmp_path / "state")
    hse = Hse(aka=AkaService(vectors=read_ready_vectors(file, UsedVectors(state.store))))
    initiator = ue.begin("esp-tunnel")
    notice = hse.one(HsePort.ESP, esp.add_marker(initiator.request()))
    with pytest.raises(esp.errors.PeerRefused, match="no-vector"):
        initiator.handle(esp.remove_marker(notice))
    assert hse.rejected == {("esp", "no-vector"): 1}
    state.close()


# -- a source that takes its time ------------------------------------------------------------------


class Slow:
    """A source of vectors somewhere else."""

    def __init__(self, delay_s: float = 0.01) -> None:
        self.centre = AuthenticationCentre((subscriber(),))
        self.delay_s = delay_s
        self.asked: list[str] = []
        self.fails = False

    async def vector(self, identity: str) -> AuthenticationVector:
        self.asked.append("vector")
        await asyncio.sleep(self.delay_s)
        if self.fails:
            raise NoVector("the server is down")
        return self.centre.vector(identity)

    async def resynchronise(self, identity: str, rand: bytes, auts: bytes) -> None:
        self.asked.append("resynchronise")
        await asyncio.sleep(self.delay_s)
        self.centre.resynchronise(identity, rand, auts)


class Client(asyncio.DatagramProtocol):
    """A UE's socket."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.came.put_nowait(data)


async def exchange(server: HseServer, ue: Ue) -> keying.Session | None:
    """One exchange over a socket; none when the HSE's answer leads nowhere."""
    loop = asyncio.get_running_loop()
    address = server.address(HsePort.ESP)
    transport, client = await loop.create_datagram_endpoint(Client, remote_addr=address)
    initiator = ue.begin("esp-tunnel")
    said: bytes | keying.Session = esp.add_marker(initiator.request())
    try:
        while isinstance(said, bytes):
            transport.sendto(said)
            said = ue.answer(initiator, await asyncio.wait_for(client.came.get(), 5.0))
    except esp.RemoteError:
        return None
    finally:
        transport.close()
    return said


def slow_server(source: Slow) -> HseServer:
    return HseServer(
        secrets=lambda identity: None,
        aka=AkaService(),
        vectors=source,
        listen=ListenAddresses(esp_port=0, rohc_port=0, plain_port=0),
    )


async def test_a_source_that_takes_its_time_is_waited_for() -> None:
    source, ue = Slow(), Ue()
    async with slow_server(source) as server:
        assert await exchange(server, ue) is not None
        assert source.asked == ["vector"]
        ue.card = Usim(ALGORITHM, accepted=[50] * 32)
        assert await exchange(server, ue) is not None
        assert source.asked == ["vector", "vector", "resynchronise", "vector"]
        assert ue.out_of_step == 1
        assert server.snapshot().exchanges == 2
        source.fails = True
        assert await exchange(server, ue) is None
        assert server.snapshot().rejected["esp", "no-vector"] == 1


async def test_an_hse_that_is_closed_asks_nobody_any_more() -> None:
    source = Slow(delay_s=3600.0)
    async with slow_server(source) as server:
        asking = asyncio.ensure_future(exchange(server, Ue()))
        while not source.asked:
            await asyncio.sleep(0)
        asking.cancel()
        (task,) = server._asking
    await asyncio.wait([task], timeout=5.0)
    assert task.cancelled()


def test_what_waits_for_vectors_is_bounded_and_a_late_one_is_not_used() -> None:
    hse = Hse(aka=AkaService())
    most = keying.Limits().waiting
    for number in range(most + 50):
        request = Ue(f"meter-{number}").begin("esp-tunnel").request()
        hse.send(esp.add_marker(request))
    wanted = hse.gateway.take_wanted()
    assert len(wanted) == most
    assert hse.rejected["esp", "busy"] == 50
    assert hse.gateway.take_wanted() == []
    vector = AuthenticationCentre((subscriber(),)).vector("meter-17")
    hse.now = keying.Limits().waiting_s + 1.0
    assert hse.gateway.supply(wanted[0].token, vector, hse.now) == []
    assert hse.gateway.supply(wanted[0].token, vector, hse.now) == []
    assert hse.gateway.supply(999_999, vector, hse.now) == []


def test_nobody_who_takes_what_is_wanted_costs_no_memory() -> None:
    hse = Hse(aka=AkaService())
    limits = keying.Limits()
    for number in range(2000):
        hse.now += 2 * limits.waiting_s / limits.waiting
        request = Ue(f"meter-{number}").begin("esp-tunnel").request()
        hse.send(esp.add_marker(request))
    assert len(hse.gateway.take_wanted()) <= limits.waiting


@pytest.mark.parametrize("both", [True, False])
def test_a_server_has_one_source_of_vectors(both: bool) -> None:
    centre = AuthenticationCentre((subscriber(),))
    with pytest.raises(ValueError, match="vectors"):
        HseServer(
            secrets=lambda identity: None,
            aka=AkaService(vectors=centre) if both else AkaService(),
            vectors=Slow() if both else None,
        )


# -- which source ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("schema_version: 1\nsubscribers:\n  - identity: a\n", True),
        ("subscribers:   # of the lab\n  - {identity: a}\n", True),
        ('{"schema_version": 1, "subscribers": [{"identity": "a"}]}', True),
        ("subscribers:\n  - identity: [broken\n", True),  # whoever parses it shows nothing of it
        ("ue-1: hex:00112233445566778899aabbccddeeff\n", False),
        ("subscribers: hex:00112233445566778899aabbccddeeff\n", False),
        ("", False),
    ],
)
def test_a_file_of_usims_is_told_from_one_of_secrets(
    tmp_path: Path, text: str, is_one: bool
) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(text)
    assert holds_usim_keys(file) is is_one
    assert holds_usim_keys(tmp_path / "none.yaml") is False


def test_sources_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(UsageError, match="without --state nothing remembers"):
        VectorSources(vectors="vectors.jsonl")
    with pytest.raises(UsageError, match="belong to a server"):
        VectorSources(vectors="vectors.jsonl", durable=True, token_file=Path("token"))
    known: Any = object()
    with pytest.raises(UsageError, match="one of the two"):
        VectorSources(subscribers=known, vectors="https://vectors.example/hse")


async def test_a_server_is_a_source_that_takes_its_time() -> None:
    async with VectorSources(vectors="https://vectors.example/hse").open(None) as (aka, slow):
        assert aka is not None
        assert aka.vectors is None
        assert "vectors.example" in repr(slow)
    async with VectorSources().open(None) as (aka, slow):
        assert (aka, slow) == (None, None)
