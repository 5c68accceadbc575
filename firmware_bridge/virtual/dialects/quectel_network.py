"""Quectel: identity, card, registration, operator, contexts, signal: the commands' doings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from firmware_bridge.virtual.commands import Arguments, BadArgument
from firmware_bridge.virtual.dialects.quectel import (
    NO_NETWORK_SERVICE,
    SIM_NOT_INSERTED,
    Quectel,
    QuectelStorage,
)
from firmware_bridge.virtual.dialects.table import Answer, CommandFailed, Later
from firmware_bridge.virtual.radio import Activity
from firmware_bridge.virtual.rrc import ConnectionState

Q = TypeVar("Q", bound=Quectel)

_SPEED_CHANGE_S = 0.05  # the OK is out by then, even at 2400 baud
_SCAN_S = 8.0  # COPS=?, a few bands


def identity(session: Quectel, _: Arguments) -> Answer:
    """``ATI``: maker, model, firmware."""
    return Answer(lines=(session.manufacturer, session.model, f"Revision: {session.firmware}"))


def echo(session: Quectel, arguments: Arguments) -> Answer:
    """``ATE``."""
    session.echo = arguments.integer(0, 0, 1, default=0) == 1
    return Answer()


def verbose(session: Quectel, arguments: Arguments) -> Answer:
    """``ATV``."""
    session.verbose = arguments.integer(0, 0, 1, default=0) == 1
    return Answer()


def error_format(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+CMEE=``."""
    arguments.at_most(1)
    session.error_format = arguments.integer(0, 0, 2, default=0)
    return Answer()


def serial_number(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+CGSN``: 0 the maker's number, 1 IMEI, 2 IMEISV, 3 software version."""
    kind = arguments.integer(0, 0, 3, default=0)
    imei = session.settings.imei
    shown = (
        session.settings.serial_number,
        f"+CGSN: {imei}",
        f"+CGSN: {imei[:14]}03",
        "+CGSN: 03",
    )[kind]
    return Answer(lines=(shown,))


def command_list(session: Quectel, _: Arguments) -> Answer:
    """``AT+CLAC``."""
    return Answer(
        lines=tuple(f"AT{name}" for name in sorted(session.table) if session.offers(name))
    )


def baudrate(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+IPR=``: from the answer on, in both directions."""
    rate = arguments.integer(0, 0, 921600)
    if rate not in BAUDRATES:
        raise BadArgument(f"no baud rate {rate}")
    session.storage.baudrate = rate

    def change() -> None:
        if session.module.baudrate and rate:  # 0 is automatic: whatever the host uses
            session.module.baudrate = rate

    return Answer(then=lambda: after(session, _SPEED_CHANGE_S, change))


BAUDRATES = (0, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)


# -- USIM ------------------------------------------------------------------------------------------


def with_card(answer: Callable[[Quectel], str]) -> Callable[[Quectel, Arguments], Answer]:
    """A reading that needs a card in the slot."""

    def handler(session: Quectel, _: Arguments) -> Answer:
        if not session.module.card_present:
            raise CommandFailed(SIM_NOT_INSERTED)
        return Answer(lines=(answer(session),))

    return handler


def pin(session: Quectel, _: Arguments) -> Answer:
    """``AT+CPIN?``."""
    if not session.module.card_present:
        raise CommandFailed()  # plain ERROR, whatever CMEE says (forums.quectel.com 51858)
    return Answer(lines=("+CPIN: READY",))


# -- registration ----------------------------------------------------------------------------------


def set_functionality(session: Quectel, arguments: Arguments) -> Answer | Later:
    """``AT+CFUN=``: 1 radio on, 0 and 4 detach and radio off, ``,1`` reset."""
    arguments.at_most(2)
    level = arguments.integer(0, 0, 4)
    reset = arguments.integer(1, 0, 1, default=0)
    if level not in (0, 1, 4):
        raise BadArgument(f"no functionality {level}")
    before, session.functionality = session.functionality, level
    if reset:
        return Answer(then=session.module.restart)
    if level == 1:
        session.switch_on()
        return Answer(then=session.functionality_reached if before != 1 else None)
    equipment = session.module.equipment
    if level == 0:
        session.module.card_off()

    def start(answer: Callable[[Answer], None]) -> None:
        def detached() -> None:
            equipment.switch_off()
            answer(Answer())

        equipment.detach(detached)

    return Later(start=start)


def set_registration_reports(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+CEREG=``."""
    arguments.at_most(1)
    session.registration_reports = arguments.integer(0, 0, 5)
    session.registration_told = session.registration(session.registration_reports)
    return Answer()


def attach(session: Quectel, arguments: Arguments) -> Answer | Later:
    """``AT+CGATT=``: answered when it is done."""
    arguments.at_most(1)
    equipment = session.module.equipment
    if arguments.integer(0, 0, 1) == 0:

        def start_detach(answer: Callable[[Answer], None]) -> None:
            equipment.detach(lambda: answer(Answer()))

        return Later(start=start_detach)
    if equipment.registered:
        return Answer()
    if equipment.state is ConnectionState.OFF:
        raise CommandFailed(NO_NETWORK_SERVICE)
    equipment.attach()
    return Later(start=session.when_registered)


def operator(session: Quectel, _: Arguments) -> Answer:
    """``AT+COPS?``."""
    if not session.module.equipment.registered:
        return Answer(lines=(f"+COPS: {session.operator_mode}",))
    network = session.settings.network
    name = network.plmn if session.operator_format == 2 else network.operator
    return Answer(lines=(f'+COPS: {session.operator_mode},{session.operator_format},"{name}",9',))


def set_operator(session: Quectel, arguments: Arguments) -> Answer | Later:
    """``AT+COPS=``: 0 automatic, 1 this one, 2 detach, 3 format."""
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
            raise CommandFailed(NO_NETWORK_SERVICE)
    session.operator_mode = mode
    if equipment.registered or equipment.state is ConnectionState.OFF:
        return Answer()
    equipment.attach()
    return Later(start=session.when_registered)


def scan_operators(session: Quectel, _: Arguments) -> Later:
    """``AT+COPS=?``: takes a while."""

    def found() -> Answer:
        network = session.settings.network
        status = 2 if session.module.equipment.registered else 1
        shown = f'({status},"{network.operator}","{network.operator}","{network.plmn}",9)'
        if not session.module.signal.in_coverage:
            shown = ""
        return Answer(lines=(f"+COPS: {shown},,(0-4),(0-2)",))

    return Later(start=lambda answer: after(session, _SCAN_S, lambda: answer(found())))


def after(session: Quectel, seconds: float, call: Callable[[], None]) -> None:
    """Call something later."""
    session.timers.after(seconds, call)


def address(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+CGPADDR``: nothing but OK without an address."""
    arguments.at_most(1)
    if arguments.given(0):
        arguments.integer(0, session.context_id, session.context_id)
    address = session.address
    return Answer(lines=(f'+CGPADDR: {session.context_id},"{address}"',) if address else ())


def contexts(session: Quectel, _: Arguments) -> Answer:
    """``AT+CGDCONT?``."""
    if session.module.equipment.address is None:
        return Answer()
    kind, apn = session.context
    address = session.address or ""
    return Answer(lines=(f'+CGDCONT: 1,"{kind}","{apn}","{address}",0,0,0,,,,0,,0,,0,0',))


def define_context(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+CGDCONT=``: checked and forgotten; only the default context is used."""
    arguments.integer(0, 1, 7)
    if arguments.given(1):
        pdp_type(arguments.string(1))
    return Answer()


def default_context(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+QCGDEFCONT=``: for the next start."""
    arguments.at_most(4)
    session.storage.pdp_type = pdp_type(arguments.string(0))
    session.storage.apn = arguments.string(1, default="") or None
    return Answer()


def pdp_type(text: str) -> str:
    """A PDP type in the module's own spelling."""
    kinds = {kind.upper(): kind for kind in ("IP", "IPV6", "IPV4V6", "NONIP")}
    kind = kinds.get(text.upper().replace("NON-IP", "NONIP"))
    if kind is None:
        raise BadArgument(f"no PDP type {text}")
    return kind


# -- radio -----------------------------------------------------------------------------------------


def heard(session: Quectel) -> bool:
    """Whether there is a cell to report of."""
    return (
        session.module.state not in (ConnectionState.OFF, ConnectionState.SEARCHING)
        and session.module.signal.in_coverage
    )


def clamp(value: float, low: int, high: int) -> int:
    """The whole number at or below ``value``, kept within bounds."""
    return max(low, min(high, int(value // 1)))


def bit_errors(sinr_db: float) -> int:
    """RXQUAL 0 to 7; the log shows 7 at about 3 dB."""
    return max(0, min(7, 7 - int((sinr_db - 4) // 2)))


def signal_quality(session: Quectel, _: Arguments) -> Answer:
    """``AT+CSQ``."""
    if not heard(session):
        return Answer(lines=("+CSQ: 99,99",))
    signal = session.module.signal
    rssi = clamp((signal.rssi_dbm + 113) / 2, 0, 31)
    return Answer(lines=(f"+CSQ: {rssi},{bit_errors(signal.sinr_db)}",))


def extended_quality(session: Quectel, _: Arguments) -> Answer:
    """``AT+CESQ``."""
    if not heard(session):
        return Answer(lines=("+CESQ: 99,99,255,255,255,255",))
    signal = session.module.signal
    rxlev = clamp(signal.rssi_dbm + 111, 0, 63)
    rsrq = clamp((signal.rsrq_db + 20) * 2, 0, 34)
    rsrp = clamp(signal.rsrp_dbm + 141, 0, 97)
    errors = bit_errors(signal.sinr_db)
    return Answer(lines=(f"+CESQ: {rxlev},{errors},255,255,{rsrq},{rsrp}",))


def engineering(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+QENG=``: 0 cell, 2 times, 3 state."""
    mode = arguments.integer(0, 0, 3)
    per_second = 1000 if arguments.integer(1, 0, 1, default=1) == 0 else 10
    module, network = session.module, session.module.equipment.cell
    if mode == 0:
        if not heard(session):
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
        times = [
            round(module.equipment.seconds(activity) * per_second)
            for activity in (Activity.ASLEEP, Activity.RECEIVING, Activity.TRANSMITTING)
        ]
        return Answer(lines=(f"+QENG: 3,{times[0]},{times[1]},{times[2]}",))
    if mode == 3:
        plmn = f'"0x{network.plmn[:3]},0x{network.plmn[3:]}"'
        emm = "REG" if module.equipment.registered else "DEREG"
        shown = {
            ConnectionState.CONNECTED: "CONNECTED",
            ConnectionState.POWER_SAVING: "PSM",
        }.get(module.state, "IDLE")
        found = "SELECTED" if heard(session) else "SEARCHING"
        return Answer(lines=(f'+QENG: 4,"{emm}","{shown}","{found}","HPLMN",{plmn}',))
    return Answer()


def set_bands(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+QBAND=``."""
    count = arguments.integer(0, 0, 19)
    bands = tuple(arguments.integer(1 + index, 1, 85) for index in range(count))
    arguments.at_most(1 + count)
    session.storage.bands = bands or QuectelStorage().bands
    return Answer()


def chip_identity(session: Quectel, _: Arguments) -> Answer:
    """``AT+CGMI``: the maker's name in three lines."""
    return Answer(lines=(session.manufacturer, session.model, f"Revision: {session.chip}"))


def reading(form: Callable[[Q], str]) -> Callable[[Q, Arguments], Answer]:
    """A read form that shows one line."""
    return lambda session, _: Answer(lines=(form(session),))
