"""Quectel BC66 (MediaTek MT2625): identity, network, power saving.

The sockets are in :mod:`firmware_bridge.virtual.dialects.bc66_sockets`; :class:`Bc66` has both.

Sources, by their short names in the table:

* ``log 12656``: forums.quectel.com thread 12656, a BC66NBR01A10 on an Olimex board
* ``log klenk``: wolfgangklenk.wordpress.com, a BC66NAR01A03_BETA0808 on 1NCE
* ``log wiz-io``: github Wiz-IO/platformio-quectel-examples issue 17, a BC66NBR01A10
* ``log 917``: github renode/renode issue 917, hardware trace of a BC660K of 2026-05-28
* ``manual``: the maker's AT commands manuals (BC66 V1.0; where that could not be read, the same
  command of BC660K-GL V1.x)
* ``bc26 list``: the command list of the BC26 manual (same chip and firmware line), as an open
  library names it; commands that are in neither list nor log are not there
* ``27.007``: 3GPP TS 27.007; ``V.250``: ITU-T V.250
* ``renode``: renode-infrastructure's QuectelModem model, tried against Zephyr's driver by its
  authors; a weaker source

What the logs show as ERROR stays ERROR, whatever other modules of the family can do.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firmware_bridge.virtual.commands import Arguments, BadArgument
from firmware_bridge.virtual.dialects.bc66_sockets import SOCKET_COMMANDS, Bc66Sockets
from firmware_bridge.virtual.dialects.table import Answer, Command, CommandFailed, Later, Table
from firmware_bridge.virtual.durations import EDRX_CYCLES_S, NOT_GRANTED
from firmware_bridge.virtual.observer import PowerSavingRequest
from firmware_bridge.virtual.radio import Activity
from firmware_bridge.virtual.rrc import ConnectionState

if TYPE_CHECKING:
    from firmware_bridge.virtual.module import VirtualModule

__all__ = ["Bc66", "Bc66Storage"]

MANUFACTURER = "Quectel_Ltd"
MODEL = "Quectel_BC66"
FIRMWARE = "BC66NBR01A10"
_CHIP = "MTK_2625"

BROM_LINES = (
    "F1: 0000 0000",
    "V0: 0000 0000 [0001]",
    "00: 0006 000C",
    "01: 0000 0000",
    "U0: 0000 0001 [0000]",
    "T0: 0000 00B4",
    "Leaving the BROM",
)
"""Printed by the boot ROM at reset, before the interpreter runs; no RDY follows (log klenk)."""

_SIM_NOT_INSERTED = 10
_NO_NETWORK_SERVICE = 30
_ATTACH_TIMEOUT_S = 70.0  # manual: maximum response time of CGATT
_SCAN_S = 8.0  # COPS=?, a few bands
_NETWORK_STATES = (ConnectionState.IDLE, ConnectionState.CONNECTED, ConnectionState.CONNECTING)


@dataclass(slots=True)
class Bc66Storage:
    """What the module keeps in its flash: outlives QRST and deep sleep."""

    pdp_type: str = "IP"
    """QCGDEFCONT: effective after a reset (log klenk)."""
    apn: str | None = None
    """Likewise; None: the network's own."""
    psm_mode: int = 0
    """CPSMS: 1 on."""
    periodic_tau: str = "00100001"
    """Requested T3412, eight bits: 1 h."""
    active_time: str = "00000101"
    """Requested T3324, eight bits: 10 s."""
    edrx_mode: int = 0
    """CEDRXS mode 0 to 3."""
    edrx_cycle: str = "0010"
    """Requested eDRX cycle, four bits."""
    bands: tuple[int, ...] = (3, 5, 8, 20, 28)
    """QBAND."""
    baudrate: int = 115200
    """IPR."""
    settings: dict[str, int] = field(
        default_factory=lambda: {
            "epco": 1,
            "combinedattach": 0,
            "up": 0,
            "upopt": 0,
            "multidrb": 0,
            "autopdn": 1,
            "ripin": 1,
            "initlocktime": 10,
            "dsevent": 0,
            "atlocktime": 10,
            "vbattimes": 10,
            "activetimer": 0,
        }
    )
    """QCFG, by function (renode)."""


def _identity(session: Bc66, _: Arguments) -> Answer:
    return Answer(lines=(MANUFACTURER, MODEL, f"Revision: {session.firmware}"))


def _echo(session: Bc66, arguments: Arguments) -> Answer:
    session.echo = arguments.integer(0, 0, 1, default=0) == 1
    return Answer()


def _verbose(session: Bc66, arguments: Arguments) -> Answer:
    session.verbose = arguments.integer(0, 0, 1, default=0) == 1
    return Answer()


def _error_format(session: Bc66, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    session.error_format = arguments.integer(0, 0, 2, default=0)
    return Answer()


def _serial_number(session: Bc66, arguments: Arguments) -> Answer:
    kind = arguments.integer(0, 0, 3, default=0)
    imei = session.settings.imei
    shown = (
        session.settings.serial_number,
        f"+CGSN: {imei}",
        f"+CGSN: {imei[:14]}03",
        "+CGSN: 03",
    )[kind]
    return Answer(lines=(shown,))


def _command_list(session: Bc66, _: Arguments) -> Answer:
    return Answer(lines=tuple(f"AT{name}" for name in sorted(session.table)))


def _baudrate(session: Bc66, arguments: Arguments) -> Answer:
    rate = arguments.integer(0, 0, 921600)
    if rate not in _BAUDRATES:
        raise BadArgument(f"no baud rate {rate}")
    session.storage.baudrate = rate
    return Answer()


_BAUDRATES = (0, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)


# -- USIM ------------------------------------------------------------------------------------------


def _with_card(answer: Callable[[Bc66], str]) -> Callable[[Bc66, Arguments], Answer]:
    def handler(session: Bc66, _: Arguments) -> Answer:
        if not session.settings.card.present:
            raise CommandFailed(_SIM_NOT_INSERTED)
        return Answer(lines=(answer(session),))

    return handler


def _pin(session: Bc66, _: Arguments) -> Answer:
    if not session.settings.card.present:
        raise CommandFailed()  # plain ERROR, whatever CMEE says (forums.quectel.com 51858)
    return Answer(lines=("+CPIN: READY",))


# -- registration ----------------------------------------------------------------------------------


def _set_functionality(session: Bc66, arguments: Arguments) -> Answer | Later:
    arguments.at_most(2)
    level = arguments.integer(0, 0, 4)
    reset = arguments.integer(1, 0, 1, default=0)
    if level not in (0, 1, 4):
        raise BadArgument(f"no functionality {level}")
    session.functionality = level
    if reset:
        return Answer(then=session.module.restart)
    if level == 1:
        session.switch_on()
        return Answer()
    equipment = session.module.equipment

    def start(answer: Callable[[Answer], None]) -> None:
        def detached() -> None:
            equipment.switch_off()
            answer(Answer())

        equipment.detach(detached)

    return Later(start=start)


def _set_registration_reports(session: Bc66, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    session.registration_reports = arguments.integer(0, 0, 5)
    return Answer()


def _attach(session: Bc66, arguments: Arguments) -> Answer | Later:
    arguments.at_most(1)
    equipment = session.module.equipment
    if arguments.integer(0, 0, 1) == 0:

        def start_detach(answer: Callable[[Answer], None]) -> None:
            equipment.detach(lambda: answer(Answer()))

        return Later(start=start_detach)
    if equipment.registered:
        return Answer()
    if equipment.state is ConnectionState.OFF:
        raise CommandFailed(_NO_NETWORK_SERVICE)
    equipment.attach()
    return Later(start=session.when_registered)


def _operator(session: Bc66, _: Arguments) -> Answer:
    if not session.module.equipment.registered:
        return Answer(lines=(f"+COPS: {session.operator_mode}",))
    network = session.settings.network
    name = network.plmn if session.operator_format == 2 else network.operator
    return Answer(lines=(f'+COPS: {session.operator_mode},{session.operator_format},"{name}",9',))


def _set_operator(session: Bc66, arguments: Arguments) -> Answer | Later:
    arguments.at_most(4)
    mode = arguments.integer(0, 0, 4)
    form = arguments.integer(1, 0, 2, default=session.operator_format)
    equipment = session.module.equipment
    if mode == 3:
        session.operator_format = form
        return Answer()
    if mode == 2:
        session.operator_mode = mode

        def start(answer: Callable[[Answer], None]) -> None:
            equipment.detach(lambda: answer(Answer()))

        return Later(start=start)
    if mode in (1, 4):
        network = session.settings.network
        wanted = arguments.string(2)
        if wanted not in (network.plmn, network.operator):
            raise CommandFailed(_NO_NETWORK_SERVICE)
    session.operator_mode = mode
    if equipment.registered or equipment.state is ConnectionState.OFF:
        return Answer()
    equipment.attach()
    return Later(start=session.when_registered)


def _scan_operators(session: Bc66, _: Arguments) -> Later:
    def found() -> Answer:
        network = session.settings.network
        status = 2 if session.module.equipment.registered else 1
        shown = f'({status},"{network.operator}","{network.operator}","{network.plmn}",9)'
        if not session.module.signal.in_coverage:
            shown = ""
        return Answer(lines=(f"+COPS: {shown},,(0-4),(0-2)",))

    return Later(start=lambda answer: _after(session, _SCAN_S, lambda: answer(found())))


def _after(session: Bc66, seconds: float, call: Callable[[], None]) -> None:
    session.timers.after(seconds, call)


def _address(session: Bc66, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    if arguments.given(0):
        arguments.integer(0, 1, 1)
    address = session.module.equipment.address
    return Answer(lines=(f'+CGPADDR: 1,"{address}"',) if address else ())


def _contexts(session: Bc66, _: Arguments) -> Answer:
    address = session.module.equipment.address
    if address is None:
        return Answer()
    kind, apn = session.context
    return Answer(lines=(f'+CGDCONT: 1,"{kind}","{apn}","{address}",0,0,0,,,,0,,0,,0,0',))


def _define_context(session: Bc66, arguments: Arguments) -> Answer:
    arguments.integer(0, 1, 7)
    if arguments.given(1):
        _pdp_type(arguments.string(1))
    return Answer()


def _default_context(session: Bc66, arguments: Arguments) -> Answer:
    arguments.at_most(4)
    session.storage.pdp_type = _pdp_type(arguments.string(0))
    session.storage.apn = arguments.string(1, default="") or None
    return Answer()


def _pdp_type(text: str) -> str:
    kinds = {kind.upper(): kind for kind in ("IP", "IPV6", "IPV4V6", "NONIP")}
    kind = kinds.get(text.upper().replace("NON-IP", "NONIP"))
    if kind is None:
        raise BadArgument(f"no PDP type {text}")
    return kind


# -- radio -----------------------------------------------------------------------------------------


def _heard(session: Bc66) -> bool:
    return (
        session.module.state not in (ConnectionState.OFF, ConnectionState.SEARCHING)
        and session.module.signal.in_coverage
    )


def _clamp(value: float, low: int, high: int) -> int:
    return max(low, min(high, int(value // 1)))


def _bit_errors(sinr_db: float) -> int:
    """RXQUAL 0 to 7; the log shows 7 at about 3 dB."""
    return max(0, min(7, 7 - int((sinr_db - 4) // 2)))


def _signal_quality(session: Bc66, _: Arguments) -> Answer:
    if not _heard(session):
        return Answer(lines=("+CSQ: 99,99",))
    signal = session.module.signal
    rssi = _clamp((signal.rssi_dbm + 113) / 2, 0, 31)
    return Answer(lines=(f"+CSQ: {rssi},{_bit_errors(signal.sinr_db)}",))


def _extended_quality(session: Bc66, _: Arguments) -> Answer:
    if not _heard(session):
        return Answer(lines=("+CESQ: 99,99,255,255,255,255",))
    signal = session.module.signal
    rxlev = _clamp(signal.rssi_dbm + 111, 0, 63)
    rsrq = _clamp((signal.rsrq_db + 20) * 2, 0, 34)
    rsrp = _clamp(signal.rsrp_dbm + 141, 0, 97)
    errors = _bit_errors(signal.sinr_db)
    return Answer(lines=(f"+CESQ: {rxlev},{errors},255,255,{rsrq},{rsrp}",))


def _engineering(session: Bc66, arguments: Arguments) -> Answer:
    mode = arguments.integer(0, 0, 3)
    module, network = session.module, session.settings.network
    if mode == 0:
        if not _heard(session):
            return Answer()
        signal = module.signal
        figures = ",".join(
            str(round(value))
            for value in (signal.rsrp_dbm, signal.rsrq_db, signal.rssi_dbm, signal.sinr_db)
        )
        return Answer(
            lines=(
                f'+QENG: 0,{network.earfcn},12,{network.physical_cell},"{network.cell:08X}",'
                f'{figures},{network.band},"{network.tracking_area:04X}",{signal.ecl},'
                f"{round(signal.power_dbm)},2",
            )
        )
    if mode == 2:
        tenths = [
            round(module.equipment.seconds(activity) * 10)
            for activity in (Activity.ASLEEP, Activity.RECEIVING, Activity.TRANSMITTING)
        ]
        return Answer(lines=(f"+QENG: 3,{tenths[0]},{tenths[1]},{tenths[2]}",))
    if mode == 3:
        plmn = f'"0x{network.plmn[:3]},0x{network.plmn[3:]}"'
        emm = "REG" if module.equipment.registered else "DEREG"
        shown = {
            ConnectionState.CONNECTED: "CONNECTED",
            ConnectionState.POWER_SAVING: "PSM",
        }.get(module.state, "IDLE")
        found = "SELECTED" if _heard(session) else "SEARCHING"
        return Answer(lines=(f'+QENG: 4,"{emm}","{shown}","{found}","HPLMN",{plmn}',))
    return Answer()


def _set_bands(session: Bc66, arguments: Arguments) -> Answer:
    count = arguments.integer(0, 0, 19)
    bands = tuple(arguments.integer(1 + index, 1, 85) for index in range(count))
    arguments.at_most(1 + count)
    session.storage.bands = bands or Bc66Storage().bands
    return Answer()


# -- connection and power saving -------------------------------------------------------------------


def _set_connection_reports(session: Bc66, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    session.connection_reports = arguments.integer(0, 0, 1)
    return Answer()


def _set_power_saving(session: Bc66, arguments: Arguments) -> Answer:
    arguments.at_most(5)
    mode = arguments.integer(0, 0, 2)
    storage = session.storage
    if mode == 2:
        fresh = Bc66Storage()
        storage.periodic_tau, storage.active_time = fresh.periodic_tau, fresh.active_time
        mode = 0
    else:
        storage.periodic_tau = arguments.bits(3, 8, default=storage.periodic_tau)
        storage.active_time = arguments.bits(4, 8, default=storage.active_time)
    storage.psm_mode = mode
    session.request_power_saving()
    return Answer()


def _set_edrx(session: Bc66, arguments: Arguments) -> Answer:
    arguments.at_most(3)
    mode = arguments.integer(0, 0, 3)
    arguments.integer(1, 5, 5, default=5)
    cycle = arguments.bits(2, 4, default=session.storage.edrx_cycle)
    if mode == 3:
        cycle = Bc66Storage().edrx_cycle
    session.storage.edrx_cycle = cycle
    session.storage.edrx_mode = mode
    session.request_edrx()
    return Answer()


def _edrx_granted(session: Bc66, _: Arguments) -> Answer:
    return Answer(lines=(f"+CEDRXRDP: {session.edrx_fields()}",))


def _set_event_reports(session: Bc66, arguments: Arguments) -> Answer:
    arguments.at_most(2)
    enable = arguments.integer(0, 0, 1)
    arguments.integer(1, 1, 1, default=1)
    session.event_reports = enable
    return Answer()


def _set_release(session: Bc66, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    session.release_assistance = arguments.integer(0, 0, 2)
    return Answer()


def _no_more_data(session: Bc66, _: Arguments) -> Answer:
    session.module.equipment.release_soon()
    return Answer()


def _release_lock(session: Bc66, _: Arguments) -> Answer:
    return Answer(then=session.module.release_lock)


def _configuration(session: Bc66, arguments: Arguments) -> Answer:
    arguments.at_most(2)
    name = arguments.string(0).lower()
    values = session.storage.settings
    if name not in values:
        raise BadArgument(f"no function {name}")
    if not arguments.given(1):
        return Answer(lines=(f'+QCFG: "{name}",{values[name]}',))
    values[name] = arguments.integer(1, 0, 65535)
    if name == "atlocktime":
        session.module.set_lock(values[name])
    return Answer()


def _reset(session: Bc66, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    arguments.integer(0, 1, 1)
    return Answer(final=None, then=session.module.restart)


def _clock(session: Bc66, _: Arguments) -> Answer:
    seconds = int(session.timers.now)
    hours, rest = divmod(seconds % 86400, 3600)
    return Answer(lines=(f"+CCLK: 2026/01/01,{hours:02}:{rest // 60:02}:{rest % 60:02}GMT+0",))


def _supply(session: Bc66, _: Arguments) -> Answer:
    return Answer(lines=(f"+CBC: 0,0,{round(session.settings.power.voltage_v * 1000)}",))


def _reading(form: Callable[[Bc66], str]) -> Callable[[Bc66, Arguments], Answer]:
    return lambda session, _: Answer(lines=(form(session),))


TABLE: Table[Bc66] = {
    # -- V.250
    "E": Command(source="V.250 6.2.4; log 12656", execute=_echo),
    "V": Command(source="V.250 6.2.6", execute=_verbose),
    "I": Command(source="log 12656, log wiz-io", execute=_identity),
    "&W": Command(source="bc26 list; renode", execute=""),
    # -- identity
    "+CGMI": Command(
        source="manual 2.2: three lines",
        test="",
        execute=_reading(lambda s: f"{MANUFACTURER}\r\n{MODEL}\r\nRevision: {_CHIP}"),
    ),
    "+CGMM": Command(source="manual 2.3", test="", execute=_reading(lambda _: MODEL)),
    "+CGMR": Command(
        source="manual 2.4", test="", execute=_reading(lambda s: f"Revision: {s.firmware}")
    ),
    "+QGMR": Command(source="renode", execute=_reading(lambda s: f"{s.firmware}_01.002.01.002")),
    "+CGSN": Command(
        source="manual 2.5: 0 or nothing the serial number, 1 IMEI, 2 IMEISV, 3 SVN",
        test="+CGSN: (0-3)",
        set=_serial_number,
        execute=_serial_number,
    ),
    "+CLAC": Command(
        source="27.007 8.37 [?]: not in the bc26 list", test="", execute=_command_list
    ),
    "+CMEE": Command(
        source="27.007 9.1; manual 10.2",
        test="+CMEE: (0-2)",
        read=_reading(lambda s: f"+CMEE: {s.error_format}"),
        set=_error_format,
    ),
    "+IPR": Command(
        source="manual 3.2",
        test="+IPR: (" + ",".join(str(rate) for rate in _BAUDRATES) + ")",
        read=_reading(lambda s: f"+IPR: {s.storage.baudrate}"),
        set=_baudrate,
    ),
    # -- USIM
    "+CPIN": Command(source="27.007 8.3; manual 8.6", test="", read=_pin),
    "+CIMI": Command(
        source="27.007 5.6", test="", execute=_with_card(lambda s: s.settings.card.imsi)
    ),
    "+QCCID": Command(
        source="log 12656",
        test="",
        execute=_with_card(lambda s: f"+QCCID: {s.settings.card.iccid}"),
    ),
    # -- registration
    "+CFUN": Command(
        source="27.007 8.2; manual 9.3",
        test="+CFUN: (0,1,4),(0,1)",
        read=_reading(lambda s: f"+CFUN: {s.functionality}"),
        set=_set_functionality,
    ),
    "+CEREG": Command(
        source="27.007 10.1.22; log 12656, log klenk",
        test="+CEREG: (0-5)",
        read=_reading(
            lambda s: f"+CEREG: {s.registration_reports},{s.registration(s.registration_reports)}"
        ),
        set=_set_registration_reports,
    ),
    "+CGATT": Command(
        source="27.007 10.1.9; manual 4.3",
        test="+CGATT: (0,1)",
        read=_reading(lambda s: f"+CGATT: {int(s.module.equipment.registered)}"),
        set=_attach,
    ),
    "+COPS": Command(
        source="27.007 7.3; manual 7.2",
        test=_scan_operators,
        read=_operator,
        set=_set_operator,
    ),
    "+CGPADDR": Command(
        source="27.007 10.1.14; log 12656: the read form answers only OK when not attached",
        test="+CGPADDR: (1)",
        read=_address,
        set=_address,
        execute=_address,
    ),
    "+CGDCONT": Command(
        source="27.007 10.1.1; manual 5.4",
        test='+CGDCONT: (1-7),("IP","NONIP","IPV6","IPV4V6"),,,(0),(0),,,,,(0,1),,(0,1),,'
        "(0,1),(0,1)",
        read=_contexts,
        set=_define_context,
    ),
    "+CGACT": Command(
        source="27.007 10.1.10; renode",
        test="+CGACT: (0,1)",
        read=_reading(lambda s: f"+CGACT: 1,{int(s.module.equipment.registered)}"),
    ),
    "+QCGDEFCONT": Command(
        source="log klenk: stored, takes effect after a reset",
        test='+QCGDEFCONT: ("IP","NONIP","IPV6","IPV4V6")',
        read=_reading(lambda s: f'+QCGDEFCONT: "{s.storage.pdp_type}","{s.storage.apn or ""}"'),
        set=_default_context,
    ),
    "+QBAND": Command(
        source="log 12656",
        test="+QBAND: (0-19),(1,2,3,4,5,8,12,13,17,18,19,20,25,26,28,66,70,71,85)",
        read=_reading(
            lambda s: f"+QBAND: {len(s.storage.bands)}," + ",".join(map(str, s.storage.bands))
        ),
        set=_set_bands,
    ),
    # -- radio
    "+CSQ": Command(
        source="27.007 8.5; manual 4.7", test="+CSQ: (0-31,99),(0-7,99)", execute=_signal_quality
    ),
    "+CESQ": Command(
        source="27.007 8.69; log 12656: rxlev and ber are filled in on this module",
        test="+CESQ: (0-63,99),(0-7,99),(255),(255),(0-34,255),(0-97,255)",
        execute=_extended_quality,
    ),
    "+QENG": Command(
        source="log 917: line after 40 ms, OK 65 ms later; manual 4.8",
        test="+QENG: (0-3)",
        set=_engineering,
        final_s=0.065,
    ),
    # -- connection and power saving
    "+CSCON": Command(
        source="27.007 10.1.30; manual 4.6",
        test="+CSCON: (0,1)",
        read=_reading(
            lambda s: (
                f"+CSCON: {s.connection_reports},{int(s.module.state is ConnectionState.CONNECTED)}"
            )
        ),
        set=_set_connection_reports,
    ),
    "+CPSMS": Command(
        source="27.007 7.38; log 12656; manual 9.4",
        test='+CPSMS: (0-2),,,("00000000"-"11111111"),("00000000"-"11111111")',
        read=_reading(
            lambda s: (
                f'+CPSMS: {s.storage.psm_mode},,,"{s.storage.periodic_tau}",'
                f'"{s.storage.active_time}"'
            )
        ),
        set=_set_power_saving,
    ),
    "+CEDRXS": Command(
        source="27.007 7.40; manual 9.1",
        test='+CEDRXS: (0-3),(5),("0000"-"1111")',
        read=_reading(lambda s: f'+CEDRXS: 5,"{s.storage.edrx_cycle}"'),
        set=_set_edrx,
    ),
    "+CEDRXRDP": Command(source="27.007 7.41; manual 9.2", test="", execute=_edrx_granted),
    "+QNBIOTEVENT": Command(
        source="log 12656; manual 9.8",
        test="+QNBIOTEVENT: (0,1),(1)",
        read=_reading(lambda s: f"+QNBIOTEVENT: {s.event_reports},1"),
        set=_set_event_reports,
    ),
    "+QNBIOTRAI": Command(
        source="manual: 0 nothing, 1 no answer follows, 2 one answer follows",
        test="+QNBIOTRAI: (0-2)",
        read=_reading(lambda s: f"+QNBIOTRAI: {s.release_assistance}"),
        set=_set_release,
    ),
    "+CNMPSD": Command(source="Zephyr bc66x driver; 27.007", test="", execute=_no_more_data),
    "+QRELLOCK": Command(source="renode: releases the sleep lock", test="", execute=_release_lock),
    "+QSCLK": Command(source="log 12656: AT+QSCLK=0 answers ERROR on BC66NBR01A10"),
    "+QCFG": Command(source="renode", set=_configuration),
    "+QRST": Command(
        source="log klenk: the BROM lines come without an OK before them",
        test="+QRST: (1)",
        set=_reset,
    ),
    "+CCLK": Command(source="renode", read=_clock),
    "+CBC": Command(source="27.007 8.4", test="", execute=_supply),
    **SOCKET_COMMANDS,
}


class Bc66(Bc66Sockets):
    """The interpreter of a BC66."""

    table = TABLE
    storage: Bc66Storage
    """What is in flash."""
    firmware: str
    """Name of the firmware."""
    context: tuple[str, str]
    """PDP type and APN of the default context, as they were at the start."""
    functionality: int
    """CFUN."""
    registration_reports: int
    """CEREG <n>: 0 after a reset, whatever it was before (log klenk)."""
    connection_reports: int
    """CSCON <n>."""
    event_reports: int
    """QNBIOTEVENT."""
    operator_mode: int
    """COPS <mode>."""
    operator_format: int
    """COPS <format>."""

    def __init__(
        self, module: VirtualModule, rng: random.Random, storage: Bc66Storage | None = None
    ) -> None:
        super().__init__(module, rng)
        self.storage = storage or Bc66Storage()
        self.firmware = module.settings.firmware or FIRMWARE
        self.context = (self.storage.pdp_type, self.storage.apn or module.settings.network.apn)
        self.functionality = 1
        self.registration_reports = 0
        self.connection_reports = 0
        self.event_reports = 0
        self.operator_mode = 0
        self.operator_format = 2
        self._registration_waiters: list[Callable[[], None]] = []

    def boot_lines(self) -> bytes:
        """The boot ROM's lines."""
        return b"\r\n" + b"\r\n".join(line.encode() for line in BROM_LINES) + b"\r\n"

    def booted(self) -> None:
        """Nothing is printed; the module attaches by itself."""
        self.request_power_saving()
        self.request_edrx()
        self.switch_on()

    def switch_on(self) -> None:
        """Radio on, if there is a card to attach with."""
        if self.settings.card.present:
            self.module.equipment.switch_on()
            if self.operator_mode != 2:
                self.module.equipment.attach()

    def restarted(self) -> Bc66:
        """Only the flash survives."""
        return type(self)(self.module, self._rng, self.storage)

    def request_power_saving(self) -> None:
        """Ask the network for what CPSMS says."""
        storage = self.storage
        self.module.equipment.request_power_saving(
            PowerSavingRequest(
                enabled=storage.psm_mode == 1,
                periodic_tau=storage.periodic_tau,
                active_time=storage.active_time,
            )
        )

    def request_edrx(self) -> None:
        """Ask the network for what CEDRXS says."""
        wanted = self.storage.edrx_mode in (1, 2)
        self.module.equipment.request_edrx(self.storage.edrx_cycle if wanted else None)

    def when_registered(self, answer: Callable[[Answer], None]) -> None:
        """Answer OK once registered, an error once refused or after the manual's longest time."""
        given = False

        def decide() -> None:
            nonlocal given
            equipment = self.module.equipment
            if given:
                return
            if equipment.registered:
                given = True
                answer(Answer())
            elif equipment.status == 3:
                given = True
                answer(Answer(final=self.error(_NO_NETWORK_SERVICE)))

        def give_up() -> None:
            nonlocal given
            if not given:
                given = True
                answer(Answer(final=self.error(_NO_NETWORK_SERVICE)))

        self._registration_waiters.append(decide)
        self.timers.after(_ATTACH_TIMEOUT_S, give_up)

    # -- what the equipment reports ------------------------------------------------------------

    def registration(self, reports: int) -> str:
        """The fields of +CEREG after ``<n>``, for this ``<n>``."""
        equipment, network = self.module.equipment, self.settings.network
        status = str(equipment.status)
        if reports < 2:
            return status
        if not equipment.registered:
            if reports in (3, 5):
                # One comma more than TS 27.007 has, as recorded while searching.
                return f"{status},,,,,0,{equipment.reject_cause}"
            return status
        fields = [status, f'"{network.tracking_area:04X}"', f'"{network.cell:08X}"', "9"]
        if reports in (3, 5):
            fields += ["0", "0"]
        elif reports == 4:
            fields += ["", ""]
        if reports >= 4:
            active_time = equipment.granted_active_time or NOT_GRANTED
            periodic_tau = equipment.granted_periodic_tau or NOT_GRANTED
            fields += [f'"{active_time}"', f'"{periodic_tau}"']
        return ",".join(fields)

    def registration_changed(self) -> None:
        """Report +CEREG when wanted."""
        if self.registration_reports:
            self.unsolicited(f"+CEREG: {self.registration(self.registration_reports)}")
        waiters, self._registration_waiters = self._registration_waiters, []
        for waiter in waiters:
            waiter()
        if not self.module.equipment.registered:
            self._registration_waiters += waiters

    def connection_changed(self, connected: bool) -> None:
        """Report +CSCON when wanted."""
        if self.connection_reports:
            self.unsolicited(f"+CSCON: {int(connected)}")

    def power_saving_changed(self, entered: bool) -> None:
        """Report the event when wanted."""
        if self.event_reports:
            self.unsolicited(f'+QNBIOTEVENT: "{"ENTER" if entered else "EXIT"} PSM"')

    def edrx_fields(self) -> str:
        """Access technology, requested and granted cycle, paging window; ``0`` without eDRX."""
        granted = self.module.equipment.granted_edrx
        if granted is None or granted not in EDRX_CYCLES_S:
            return "0"
        window = self.settings.network.paging_window
        return f'5,"{self.storage.edrx_cycle}","{granted}","{window}"'

    def edrx_changed(self) -> None:
        """Report +CEDRXP when wanted."""
        if self.storage.edrx_mode == 2:
            self.unsolicited(f"+CEDRXP: {self.edrx_fields()}")

    def falling_asleep(self) -> None:
        """Report deep sleep when wanted."""
        if self.storage.settings["dsevent"]:
            self.unsolicited('+QNBIOTEVENT: "ENTER DEEPSLEEP"')

    def woke_up(self) -> None:
        """Report its end when wanted; there is no RDY."""
        if self.storage.settings["dsevent"]:
            self.unsolicited('+QNBIOTEVENT: "EXIT DEEPSLEEP"')
