"""Whatever a host, a network and bad luck do to a module, in any order: it lives and adds up."""

from __future__ import annotations

import random

import pytest

from firmware_bridge.virtual import (
    FAMILIES,
    ConnectionState,
    EventKind,
    FaultKind,
    ModuleSettings,
    Move,
    NetworkSettings,
    PowerSettings,
    RadioSettings,
    SocketClosed,
    SocketOpened,
    VirtualModule,
)

QUECTEL = [
    b"AT",
    b"ATE0",
    b"ATE1",
    b"ATI;+CSQ;+CESQ",
    b"AT+CFUN=0",
    b"AT+CFUN=1",
    b"AT+CFUN=4",
    b"AT+CFUN=1,1",
    b"AT+CGATT=0",
    b"AT+CGATT=1",
    b"AT+COPS=0",
    b"AT+COPS=2",
    b"AT+COPS=?",
    b"AT+CEREG=5;+CSCON=1;+QNBIOTEVENT=1,1",
    b'AT+CPSMS=1,,,"10100011","00000001"',
    b"AT+CPSMS=0",
    b'AT+CEDRXS=2,5,"0010"',
    b"AT+CEDRXS=0",
    b'AT+QIOPEN=1,0,"UDP","192.0.2.1",5683',
    b'AT+QIOPEN=0,0,"UDP","192.0.2.1",5683',
    b'AT+QIOPEN=1,1,"UDP","far.example",5683,0,0',
    b"AT+QISEND=0,5,hello",
    b"AT+QISEND=0,5,hello,1",
    b"AT+QISEND=0,5,hello,2",
    b"AT+QISEND=1,300," + b"x" * 300,
    b"AT+QISEND=0,10",
    b"AT+QISEND=0",
    b"0123456789",
    b"\x1a",
    b"\x1b",
    b"AT+QIRD=1,100",
    b"AT+QICLOSE=0",
    b"AT+QICLOSE=1",
    b'AT+QPING=1,"192.0.2.1",4,2',
    b'AT+QIDNSGIP=1,"far.example"',
    b"AT+QENG=0;+QENG=2;+QENG=3",
    b"AT+QRELLOCK",
    b"AT+CNMPSD",
    b"AT+QSCLK=1",
    b"AT+QSCLK=0",
    b"AT+QRST=1",
]
NEUL = [
    b"AT",
    b"AT+CFUN=0",
    b"AT+CFUN=1",
    b"AT+CGATT=0",
    b"AT+CGATT=1",
    b"AT+COPS=2",
    b"AT+COPS=0",
    b"AT+CEREG=5;+CSCON=1;+NPSMR=1",
    b'AT+CPSMS=1,,,"10100011","00000001"',
    b"AT+CPSMS=0",
    b"AT+NSOCR=DGRAM,17,0,1",
    b"AT+NSOST=1,192.0.2.1,5683,5,68656C6C6F,7",
    b"AT+NSOSTF=1,192.0.2.2,5683,0x200,1,41",
    b"AT+NSORF=1,100",
    b"AT+NSOCL=1",
    b"AT+NPING=192.0.2.1",
    b"AT+NUESTATS",
    b"AT+NCONFIG=AUTOCONNECT,FALSE",
    b"AT+NCONFIG=AUTOCONNECT,TRUE",
    b"AT+NRB",
]

SETTINGS = ModuleSettings(
    radio=RadioSettings(
        rsrp_dbm=-114,
        rsrp_variation_db=14.0,
        variation_period_s=120.0,
        moves=tuple(
            Move(at_s=60.0 * index, cell=index, tracking_area=index // 2) for index in range(1, 99)
        ),
    ),
    network=NetworkSettings(
        inactivity_timer_s=5.0,
        core_loss=0.05,
        psm_buffer_packets=2,
        nat_timeout_s=60.0,
        periodic_tau_s=300.0,
    ),
    power=PowerSettings(trace_length=50),
)


def walk(family: str, seed: int, steps: int) -> list[object]:
    """A random life; returns all that came out of it."""
    rng = random.Random(seed)
    module = VirtualModule(family, SETTINGS, seed, 0.0)
    commands = NEUL if family == "bc95" else QUECTEL
    now, joules, sockets = 0.0, 0.0, set()
    history: list[object] = []
    for _ in range(steps):
        choice = rng.random()
        if choice < 0.70:
            data = rng.choice(commands) + b"\r"
            cut = rng.randint(0, len(data))
            module.write(data[:cut], now)
            module.write(data[cut:], now)
        elif choice < 0.76:
            module.write(rng.randbytes(rng.randint(1, 40)), now)
        elif choice < 0.90:
            target = rng.choice(sorted(sockets)) if sockets else 1
            module.datagram(target, rng.randbytes(rng.randint(0, 200)), now)
        elif choice < 0.94:
            module.fail(rng.choice(list(FaultKind)), rng.uniform(0, 20), now)
        elif choice < 0.96:
            module.wake_pin(now)
        target_time = now + rng.choice((0.0, 0.01, 0.1, 1.0, 5.0, 30.0, 200.0)) * rng.random()
        while (due := module.next_timer()) is not None and due <= target_time:
            assert due >= now or due >= 0.0
            module.advance(due)
        module.advance(target_time)
        now = target_time
        output, actions = module.take_output(), module.take_actions()
        history.append((now, output, actions))
        for action in actions:
            if isinstance(action, SocketOpened):
                assert action.socket not in sockets
                sockets.add(action.socket)
            elif isinstance(action, SocketClosed):
                sockets.remove(action.socket)
        energy = module.energy(now)
        parts = (
            energy.setup_j + energy.transmit_j + energy.receive_j + energy.tail_j + energy.sleep_j
        )
        assert energy.total_j == pytest.approx(parts)
        assert energy.total_j >= joules
        joules = energy.total_j
        assert 0.0 <= module.current_a <= 0.25
        if module.asleep:
            assert module.state is ConnectionState.POWER_SAVING
        counters = module.counters
        assert min(counters.sent, counters.received) >= 0
        assert 0 <= module.equipment._uplinks <= 8
    return history


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(6))
def test_a_random_life_breaks_nothing_and_energy_adds_up(family: str, seed: int) -> None:
    assert len(walk(family, seed, 400)) == 400


@pytest.mark.parametrize("family", FAMILIES)
def test_a_random_life_can_be_lived_again(family: str) -> None:
    assert walk(family, 99, 300) == walk(family, 99, 300)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(8))
def test_after_any_life_a_reset_gives_a_module_that_registers_and_answers(
    family: str, seed: int
) -> None:
    rng = random.Random(seed)
    settings = ModuleSettings(radio=RadioSettings(rsrp_dbm=-90))
    module = VirtualModule(family, settings, seed, 0.0)
    commands = NEUL if family == "bc95" else QUECTEL
    now = 0.0
    for _ in range(60):
        module.write(rng.choice(commands) + b"\r", now)
        now += rng.uniform(0, 5)
        module.advance(now)
    module.write(b"\x1b\r\x1a\r" + b"x" * 300 + b"\r", now)  # out of any prompt
    module.advance(now + 100)
    if family == "bc95":
        module.write(b"AT+NCONFIG=AUTOCONNECT,TRUE\r", now + 100)
        module.advance(now + 105)
    module.reboot(now + 110)
    module.advance(now + 200)
    module.take_output()
    assert EventKind.RESTARTED in [event.kind for event in module.take_events()]
    module.write(b"AT\r", now + 200)  # may only wake it
    module.advance(now + 202)
    module.take_output()
    module.write(b"AT\r", now + 202)
    module.advance(now + 204)
    assert b"\r\nOK\r\n" in module.take_output()
    assert module.equipment.registered
