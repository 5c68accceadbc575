"""Quectel BC95-G and BC68 (Neul firmware line): commands and answers.

Sources, by their short names in the table:

* ``log bc68``: a public log of a BC68JAR01A08 on Vodafone Spain, band 20
* ``log lupyuen``: README of lupyuen/visual-embedded-rust, a BC95-G on StarHub
* ``log huawei``: a public course log of a Hi2115 module
* ``tma``: T-Mobile Austria's NB-IoT guide; ``ee``: docs.nbiot.engineering
* ``manual``: the command list of the BC95-G and BC68 AT commands manual V1.2
* ``27.007``: 3GPP TS 27.007; ``V.250``: ITU-T V.250
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_bridge.virtual.commands import Arguments, BadArgument
from firmware_bridge.virtual.dialects import nonip
from firmware_bridge.virtual.dialects.neul import SOCKETS, Neul, NeulSocket
from firmware_bridge.virtual.dialects.simaccess import SIM_ACCESS
from firmware_bridge.virtual.dialects.table import Answer, Command, CommandFailed, Later, Table
from firmware_bridge.virtual.radio import Activity
from firmware_bridge.virtual.rrc import ConnectionState

__all__ = ["TABLE", "Bc95"]

_RADIO_ON_S = 2.5  # log bc68: CFUN=1 takes seconds
MAX_PAYLOAD = 1358
"""Bytes of one datagram on a BC95-G [?]."""

_FORBIDDEN_PORT = 5683  # ee: the platform client's own
_RELEASE_FLAGS = {0x000: 0, 0x100: 0, 0x200: 1, 0x400: 2}  # ee: exception, release, after the reply
_NOT_SENT_YET = -32768  # log: TX power before the first transmission
_ERROR_NOT_ALLOWED = 3
_SIM_NOT_INSERTED = 10


def _reading(form: Callable[[Neul], str]) -> Callable[[Neul, Arguments], Answer]:
    return lambda session, _: Answer(lines=(form(session),))


def _setting(name: str, low: int, high: int) -> Callable[[Neul, Arguments], Answer]:
    def handler(session: Neul, arguments: Arguments) -> Answer:
        arguments.at_most(1)
        setattr(session, name, arguments.integer(0, low, high))
        return Answer()

    return handler


def _echo(session: Neul, arguments: Arguments) -> Answer:
    session.echo = arguments.integer(0, 0, 1, default=0) == 1
    return Answer()


def _versions(session: Neul, _: Arguments) -> Answer:
    return Answer(
        lines=(
            "SSB,V150R100C10B200SP1",
            "SECURITY_A,V150R100C20B300SP2",
            "PROTOCOL_A,V150R100C20B300SP2",
            "APPLICATION_A,V150R100C20B300SP2",
            "SECURITY_B,V150R100C20B300SP2",
            "RADIO,Hi2115_RF1",
        )
    )


def _serial_number(session: Neul, arguments: Arguments) -> Answer:
    kind = arguments.integer(0, 0, 3, default=0)
    imei = session.settings.imei
    shown = (session.settings.serial_number, imei, f"{imei[:14]}03", "03")[kind]
    return Answer(lines=(f"+CGSN:{shown}" if kind else shown,))


def _card(form: Callable[[Neul], str]) -> Callable[[Neul, Arguments], Answer]:
    def handler(session: Neul, _: Arguments) -> Answer:
        if not session.module.card_present or session.functionality == 0:
            raise CommandFailed(_SIM_NOT_INSERTED)
        return Answer(lines=(form(session),))

    return handler


def _set_functionality(session: Neul, arguments: Arguments) -> Answer | Later:
    arguments.at_most(1)
    level = arguments.integer(0, 0, 1)
    equipment = session.module.equipment
    if level == session.functionality:
        return Answer()
    if level == 1:

        def start(answer: Callable[[Answer], None]) -> None:
            if session.registration_reports:
                shown = session.registration(session.registration_reports)
                session.unsolicited(f"+CEREG:{shown}")
            session.timers.after(_RADIO_ON_S, lambda: answer(Answer(then=session.switch_on)))

        return Later(start=start)
    session.functionality = 0
    session.module.card_off()

    def stop(answer: Callable[[Answer], None]) -> None:
        def detached() -> None:
            equipment.switch_off()
            answer(Answer())

        equipment.detach(detached)

    return Later(start=stop)


def _set_registration_reports(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    session.registration_reports = arguments.integer(0, 0, 5)
    session.registration_told = session.registration(session.registration_reports)
    return Answer()


def _attach(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    wanted = arguments.integer(0, 0, 1)
    if session.functionality == 0:
        raise CommandFailed(_ERROR_NOT_ALLOWED)
    return Answer(then=lambda: _attach_or_not(session, wanted == 1))


def _attach_or_not(session: Neul, wanted: bool) -> None:
    equipment = session.module.equipment
    if wanted:
        equipment.attach()
    else:
        equipment.detach(lambda: None)


def _set_operator(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(3)
    mode = arguments.integer(0, 0, 2)
    if session.functionality == 0:
        raise CommandFailed(_ERROR_NOT_ALLOWED)
    if mode == 1:
        arguments.integer(1, 2, 2)
        if arguments.string(2) != session.settings.network.plmn:
            return Answer(then=lambda: _attach_or_not(session, False))
    return Answer(then=lambda: _attach_or_not(session, mode != 2))


def _operator(session: Neul, _: Arguments) -> Answer:
    if not session.module.equipment.registered:
        return Answer(lines=("+COPS:0",))
    return Answer(lines=(f'+COPS:0,2,"{session.settings.network.plmn}"',))


def _address(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    address = session.module.equipment.address
    return Answer(lines=(f"+CGPADDR:0,{address}" if address else "+CGPADDR:0",))


def _define_context(session: Neul, arguments: Arguments) -> Answer:
    cid = arguments.integer(0, 0, 10)
    kind = arguments.string(1, default="IP").upper()
    if kind not in ("IP", "IPV6", "IPV4V6", "NONIP"):
        raise BadArgument("no such PDP type")
    session.contexts[cid] = kind, arguments.string(2, default="")
    return Answer()


def _contexts(session: Neul, _: Arguments) -> Answer:
    """The one that the module attached with, and those that were defined."""
    shown = dict(session.contexts)
    if session.module.equipment.address is not None:
        shown.setdefault(0, ("IP", session.settings.network.apn))
    told = (f'+CGDCONT:{cid},"{kind}","{apn}"' for cid, (kind, apn) in sorted(shown.items()))
    return Answer(lines=tuple(told))


def _heard(session: Neul) -> bool:
    quiet = (ConnectionState.OFF, ConnectionState.SEARCHING)
    return session.module.state not in quiet and session.module.signal.in_coverage


def _signal_quality(session: Neul, _: Arguments) -> Answer:
    if not _heard(session):
        return Answer(lines=("+CSQ:99,99",))
    level = int((session.module.signal.rssi_dbm + 113) // 2)
    return Answer(lines=(f"+CSQ:{max(0, min(31, level))},99",))


def _statistics(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    kind = arguments.string(0, default="").upper()
    module, network = session.module, session.module.equipment.cell
    signal = module.signal
    heard = _heard(session)
    power = session.sending_power_dbm
    rsrp, rsrq = round(signal.rsrp_dbm * 10), round(signal.rsrq_db * 10)
    rssi, snr = round(signal.rssi_dbm * 10), round(signal.sinr_db * 10)
    if kind == "CELL":
        cell = f"{network.earfcn},{network.physical_cell},1,{rsrp},{rsrq},{rssi},{snr}"
        return Answer(lines=(f"NUESTATS:CELL,{cell}",) if heard else ())
    if kind:
        raise BadArgument(f"no statistics {kind}")
    times = [
        round(module.equipment.seconds(activity) * 1000)
        for activity in (Activity.TRANSMITTING, Activity.RECEIVING)
    ]
    return Answer(
        lines=(
            f"Signal power:{rsrp if heard else -32768}",
            f"Total power:{rssi if heard else -32768}",
            f"TX power:{_NOT_SENT_YET if power is None else round(power * 10)}",
            f"TX time:{times[0]}",
            f"RX time:{times[1]}",
            f"Cell ID:{network.cell if heard else 4294967295}",
            f"ECL:{signal.ecl if heard else 255}",
            f"SNR:{snr if heard else -32768}",
            f"EARFCN:{network.earfcn if heard else 4294967295}",
            f"PCI:{network.physical_cell if heard else 65535}",
            f"RSRQ:{rsrq if heard else -32768}",
            "OPERATOR MODE:4",
        )
    )


def _set_power_saving(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(5)
    mode = arguments.integer(0, 0, 2)
    session.periodic_tau = arguments.bits(3, 8, default=session.periodic_tau)
    session.active_time = arguments.bits(4, 8, default=session.active_time)
    session.psm_mode = 1 if mode == 1 else 0
    session.request_power_saving()
    return Answer()


def _set_edrx(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(3)
    session.edrx_mode = arguments.integer(0, 0, 3)
    arguments.integer(1, 5, 5, default=5)
    session.edrx_cycle = arguments.bits(2, 4, default=session.edrx_cycle)
    session.request_power_saving()
    return Answer()


def _configure(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(2)
    name, value = arguments.string(0).upper(), arguments.string(1).upper()
    if name not in session.storage.configuration or value not in ("TRUE", "FALSE"):
        raise BadArgument(f"no configuration {name}")
    session.storage.configuration[name] = value
    return Answer()


def _configuration(session: Neul, _: Arguments) -> Answer:
    found = session.storage.configuration.items()
    return Answer(lines=tuple(f"+NCONFIG:{name},{value}" for name, value in found))


def _set_bands(session: Neul, arguments: Arguments) -> Answer:
    session.storage.bands = tuple(arguments.integer(i, 1, 85) for i in range(len(arguments)))
    return Answer()


def _set_platform(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(2)
    port = arguments.integer(1, 1, 65535, default=5683)
    session.storage.platform = f"{arguments.string(0)},{port}"
    return Answer()


def _set_registration_switch(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    session.storage.registration_switch = arguments.integer(0, 0, 2)
    return Answer()


def _create(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(4)
    if arguments.string(0).upper() != "DGRAM":
        raise BadArgument("datagram sockets only")
    arguments.integer(1, 17, 17)
    port = arguments.integer(2, 0, 65535)
    reports = arguments.integer(3, 0, 1, default=1) == 1
    used = {socket.local_port for socket in session.sockets.values()}
    free = [number for number in SOCKETS if number not in session.sockets]
    if not free or port == _FORBIDDEN_PORT or (port and port in used):
        raise CommandFailed(_ERROR_NOT_ALLOWED)
    session.sockets[free[0]] = NeulSocket(
        local_port=port or session.free_port(used), reports=reports
    )
    return Answer(lines=(str(free[0]),))


def _socket(session: Neul, arguments: Arguments) -> tuple[int, NeulSocket]:
    number = arguments.integer(0, 0, SOCKETS[-1])
    if number not in session.sockets:
        raise CommandFailed(_ERROR_NOT_ALLOWED)
    return number, session.sockets[number]


def _send(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(6)
    return _send_flagged(session, arguments, 0, 3)


def _send_with_flag(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(7)
    try:
        flag = int(arguments.string(3), 16)
    except ValueError:
        raise BadArgument("not a flag") from None
    if flag not in _RELEASE_FLAGS:
        raise BadArgument("no such flag")
    return _send_flagged(session, arguments, _RELEASE_FLAGS[flag], 4)


def _send_flagged(session: Neul, arguments: Arguments, release: int, at: int) -> Answer:
    number, socket = _socket(session, arguments)
    far = (arguments.string(1), arguments.integer(2, 1, 65535))
    length = arguments.integer(at, 1, MAX_PAYLOAD)
    try:
        payload = bytes.fromhex(arguments.string(at + 1))
    except ValueError:
        raise BadArgument("not hex") from None
    if len(payload) != length:
        raise BadArgument("not as long as it says")
    sequence = arguments.integer(at + 2, 1, 255, default=0)
    if far not in socket.paths:
        socket.paths[far] = session.module.open_socket(*far, socket.local_port)

    def done(delivered: bool) -> None:
        if sequence:
            session.unsolicited(f"+NSOSTR:{number},{sequence},{int(delivered)}")

    if not session.module.equipment.send(socket.paths[far], payload, 28, release, done):
        raise CommandFailed(_ERROR_NOT_ALLOWED)
    return Answer(lines=(f"{number},{length}",))


def _receive(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(2)
    number, socket = _socket(session, arguments)
    wanted = arguments.integer(1, 1, MAX_PAYLOAD)
    if not socket.buffer:
        return Answer()
    address, port, payload = socket.buffer.popleft()
    data, rest = payload[:wanted], payload[wanted:]
    if rest:
        socket.buffer.appendleft((address, port, rest))
    line = f"{number},{address},{port},{len(data)},{data.hex().upper()},{len(rest)}"
    return Answer(lines=(line,), then=None if rest else lambda: session.tell(number))


def _close(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    number, socket = _socket(session, arguments)
    for path in socket.paths.values():
        session.module.close_socket(path)
    del session.sockets[number]
    return Answer()


def _ping(session: Neul, arguments: Arguments) -> Answer:
    arguments.at_most(3)
    host = arguments.string(0)

    def answered(seconds: float) -> None:
        session.unsolicited(f"+NPING:{host},61,{round(seconds * 1000)}")

    def begin() -> None:
        if not session.module.equipment.exchange(60, answered):
            session.unsolicited("+NPINGERR:1")

    return Answer(then=begin)


TABLE: Table[Neul] = {
    **SIM_ACCESS,
    "E": Command(source="V.250 6.2.4; manual 2.2", execute=_echo),
    "I": Command(
        source="manual 2.1",
        execute=_reading(lambda s: f"{s.manufacturer}\r\n{s.model}\r\nRevision:{s.firmware}"),
    ),
    "+CGMI": Command(source="manual 2.3", test="", execute=_reading(lambda s: s.manufacturer)),
    "+CGMM": Command(source="manual 2.4", test="", execute=_reading(lambda s: s.model)),
    "+CGMR": Command(source="log huawei", test="", execute=_versions),
    "+QGMR": Command(source="log bc68", execute=_reading(lambda s: s.firmware)),
    "+CGSN": Command(
        source="log huawei; manual 2.6",
        test="+CGSN:(0-3)",
        set=_serial_number,
        execute=_serial_number,
    ),
    "+CIMI": Command(source="log huawei", test="", execute=_card(lambda s: s.settings.card.imsi)),
    "+NCCID": Command(
        source="manual", test="", execute=_card(lambda s: f"+NCCID:{s.settings.card.iccid}")
    ),
    "+CMEE": Command(
        source="ee: 0 and 1 only",
        test="+CMEE:(0,1)",
        read=_reading(lambda s: f"+CMEE:{s.error_format}"),
        set=_setting("error_format", 0, 1),
    ),
    "+CFUN": Command(
        source="log bc68: a CEREG report, seconds, then OK",
        test="+CFUN:(0,1),(0,1)",
        read=_reading(lambda s: f"+CFUN:{s.functionality}"),
        set=_set_functionality,
    ),
    "+CEREG": Command(
        source="log bc68, log lupyuen; 27.007 10.1.22",
        test="+CEREG:(0-5)",
        read=_reading(
            lambda s: f"+CEREG:{s.registration_reports},{s.registration(s.registration_reports)}"
        ),
        set=_set_registration_reports,
    ),
    "+CSCON": Command(
        source="log bc68; manual 2.8",
        test="+CSCON:(0,1)",
        read=_reading(
            lambda s: (
                f"+CSCON:{s.connection_reports},{int(s.module.state is ConnectionState.CONNECTED)}"
            )
        ),
        set=_setting("connection_reports", 0, 1),
    ),
    "+NPSMR": Command(
        source="log bc68",
        test="+NPSMR:(0,1)",
        read=_reading(
            lambda s: (
                f"+NPSMR:{s.sleep_reports},{int(s.module.state is ConnectionState.POWER_SAVING)}"
            )
        ),
        set=_setting("sleep_reports", 0, 1),
    ),
    "+CGATT": Command(
        source="log lupyuen: OK at once",
        test="+CGATT:(0,1)",
        read=_reading(lambda s: f"+CGATT:{int(s.module.equipment.registered)}"),
        set=_attach,
    ),
    "+COPS": Command(
        source="log bc68: OK at once, the registration is reported later",
        test="+COPS:(0-2),(2)",
        read=_operator,
        set=_set_operator,
    ),
    "+CGPADDR": Command(
        source="log lupyuen", test="+CGPADDR:(0-10)", set=_address, execute=_address
    ),
    "+CGDCONT": Command(
        source="log bc68; manual 2.16",
        test='+CGDCONT:(0-10),("IP","IPV6","IPV4V6","NONIP")',
        read=_contexts,
        set=_define_context,
    ),
    "+CSODCP": Command(
        source="27.007 10.1.43; manual 2.27",
        test="+CSODCP:(0-10),(950),(0-2),(0,1)",
        set=nonip.send,
    ),
    "+CRTDCP": Command(
        source="27.007 10.1.44; manual 2.28",
        test="+CRTDCP:(0,1),(0-10),(1600)",
        read=_reading(lambda s: f"+CRTDCP:{s.non_ip_reports}"),
        set=nonip.set_reports,
    ),
    "+CSQ": Command(source="log huawei", test="+CSQ:(0-31,99),(99)", execute=_signal_quality),
    "+NUESTATS": Command(source="log huawei; tma", set=_statistics, execute=_statistics),
    "+CPSMS": Command(
        source="log bc68; 27.007 7.38",
        test='+CPSMS:(0-2),,,("00000000"-"11111111"),("00000000"-"11111111")',
        read=_reading(lambda s: f"+CPSMS:{s.psm_mode},,,{s.periodic_tau},{s.active_time}"),
        set=_set_power_saving,
    ),
    "+CEDRXS": Command(
        source="27.007 7.40; manual 2.21",
        test='+CEDRXS:(0-3),(5),("0000"-"1111")',
        read=_reading(lambda s: f'+CEDRXS:5,"{s.edrx_cycle}"'),
        set=_set_edrx,
    ),
    "+NCONFIG": Command(
        source="log bc68, log huawei: without quotes", read=_configuration, set=_configure
    ),
    "+NBAND": Command(
        source="log huawei",
        test="+NBAND:(1,3,5,8,20,28)",
        read=_reading(lambda s: "+NBAND:" + ",".join(map(str, s.storage.bands))),
        set=_set_bands,
    ),
    "+NCDP": Command(
        source="log huawei",
        read=_reading(lambda s: f"+NCDP:{s.storage.platform}"),
        set=_set_platform,
    ),
    "+QREGSWT": Command(
        source="log lupyuen: 2 keeps the platform client away",
        read=_reading(lambda s: f"+QREGSWT:{s.storage.registration_switch}"),
        set=_set_registration_switch,
    ),
    "+NRB": Command(
        source="log bc68, log huawei: REBOOTING, noise, banner; no OK before it",
        execute=lambda session, _: Answer(final=None, then=session.module.restart),
    ),
    "+NSOCR": Command(source="log bc68: numbers begin at 1; ee", set=_create),
    "+NSOST": Command(source="log bc68, log lupyuen: with a number, +NSOSTR follows", set=_send),
    "+NSOSTF": Command(source="ee", set=_send_with_flag),
    "+NSORF": Command(source="log bc68, log lupyuen; nothing but OK when empty [?]", set=_receive),
    "+NSOCL": Command(source="log bc68", set=_close),
    "+NPING": Command(source="tma", set=_ping),
}


class Bc95(Neul):
    """The interpreter of a BC95-G."""

    table = TABLE
    manufacturer = "Quectel"
    model = "BC95-G"
    default_firmware = "BC95GJBR01A08"  # named as the BC68JAR01A08 of the log
