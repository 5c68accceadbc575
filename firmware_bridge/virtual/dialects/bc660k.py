"""Quectel BC660K-GL (QCX212).

What is peculiar: context 0; RDY and the states after a reset; +IP when attached; reports and echo
are kept in flash; AT+QSCLK decides how deeply it sleeps, and the first characters that wake it are
lost; sockets only push (no QIRD); AT+CREG is there (6, SMS only); rxlev and ber are not filled in;
release assistance only while connected; DNS answers under its own name.

Sources as in :mod:`firmware_bridge.virtual.dialects.bc66`; here ``manual`` is the AT commands
manual of BC660K-GL and BC950K-GL itself, ``log 31377`` and ``log 51858`` are threads of
forums.quectel.com.
"""

from __future__ import annotations

from firmware_bridge.virtual.commands import Arguments
from firmware_bridge.virtual.dialects import bc66, nonip
from firmware_bridge.virtual.dialects import quectel_network as net
from firmware_bridge.virtual.dialects import quectel_sockets as sockets
from firmware_bridge.virtual.dialects.quectel import Quectel, QuectelStorage
from firmware_bridge.virtual.dialects.table import Answer, Command, CommandFailed, Table
from firmware_bridge.virtual.durations import (
    active_time_bits,
    active_time_s,
    periodic_tau_bits,
    periodic_tau_s,
)
from firmware_bridge.virtual.rrc import ConnectionState

__all__ = ["TABLE", "Bc660k"]

_NO_RRC_CONNECTION = 602  # manual, chapter 15
_SLEEP_DEPTHS = ("none", "deep", "light")

AS_ON_A_BC66 = (
    "E", "V", "&W", "+CGMI", "+CGMM", "+CGMR", "+QGMR", "+CGSN", "+CMEE", "+IPR", "+CPIN", "+CIMI",
    "+QCCID", "+CFUN", "+CEREG", "+CGATT", "+COPS", "+QCGDEFCONT", "+CSQ", "+CSCON",
    "+CPSMS", "+CEDRXS", "+CEDRXRDP", "+QNBIOTEVENT", "+QCFG", "+CNMPSD", "+CCLK", "+QISEND",
    "+QICLOSE", "+QISTATE", "+QPING", "+CSIM", "+CCHO", "+CGLA", "+CCHC",
)  # fmt: skip
"""Commands with the same forms and answers in both manuals."""


def _identity(session: Quectel, _: Arguments) -> Answer:
    return Answer(lines=(session.manufacturer, session.model, "Revision: BC660KGLAAR01A"))


def _sleep_mode(session: Bc660k, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    session.sleep_mode = arguments.integer(0, 0, 2)
    session.module.set_sleep(_SLEEP_DEPTHS[session.sleep_mode])
    return Answer()


def _wake_reports(session: Bc660k, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    session.wake_reports = arguments.integer(0, 0, 1)
    return Answer()


def _release(session: Quectel, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    mode = arguments.integer(0, 0, 1)
    if session.module.state is not ConnectionState.CONNECTED:
        raise CommandFailed(_NO_RRC_CONNECTION)
    session.release_assistance = mode
    return Answer()


def _granted_timers(session: Quectel, _: Arguments) -> Answer:
    equipment, network = session.module.equipment, session.settings.network
    active, periodic = equipment.granted_active_time, equipment.granted_periodic_tau
    active_s = 1.0 if active is None else active_time_s(active) or 0.0
    periodic_s = network.periodic_tau_s if periodic is None else periodic_tau_s(periodic) or 0.0
    return Answer(lines=(f"+QPSMS: {active_s:.0f},{periodic_s:.0f}",))


def _set_timers(session: Quectel, arguments: Arguments) -> Answer:
    arguments.at_most(2)
    storage = session.storage
    storage.active_time = active_time_bits(arguments.integer(0, 0, 11160))
    storage.periodic_tau = periodic_tau_bits(arguments.integer(1, 0, 35712000))
    storage.psm_mode = 1
    session.request_power_saving()
    return Answer()


def _registration(session: Bc660k, _: Arguments) -> Answer:
    return Answer(lines=(f"+CREG: {session.circuit_reports},{session.circuit_status}",))


def _set_registration(session: Bc660k, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    session.circuit_reports = arguments.integer(0, 0, 3)
    return Answer()


def _extended_quality(session: Quectel, arguments: Arguments) -> Answer:
    answer = net.extended_quality(session, arguments)
    fields = str(answer.lines[0]).removeprefix("+CESQ: ").split(",")
    return Answer(lines=(f"+CESQ: 99,99,255,255,{fields[4]},{fields[5]}",))


def _contexts(session: Quectel, _: Arguments) -> Answer:
    address = session.address
    kind, apn = session.context
    shown = f',"{address}"' if address else ""
    return Answer(lines=(f'+CGDCONT: 0,"{kind}","{apn.upper()}"{shown}',))


def _supply(session: Quectel, _: Arguments) -> Answer:
    return Answer(lines=(f"+CBC: {round(session.settings.power.voltage_v * 1000)}",))


def _reset(session: Quectel, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    arguments.integer(0, 1, 1)
    return Answer(then=session.module.restart)


def _drx(session: Quectel, _: Arguments) -> Answer:
    state = session.module.state
    if state is ConnectionState.IDLE:
        return Answer(lines=(f"+QDRX: 1,{round(session.settings.network.drx_cycle_s * 1000)}",))
    return Answer(lines=("+QDRX: 2" if state is ConnectionState.CONNECTED else "+QDRX: 3",))


TABLE: Table[Bc660k] = {
    **{name: bc66.TABLE[name] for name in AS_ON_A_BC66},
    "I": Command(source="manual 2.1", execute=_identity),
    "+CREG": Command(
        source="manual 4.5: 6 is registered for SMS only, at home",
        test="+CREG: (0-3)",
        read=_registration,
        set=_set_registration,
    ),
    "+CESQ": Command(
        source="manual 4.2: rxlev, ber, rscp and ecno are not known",
        test="+CESQ: (0-63,99),(0-7,99),(0-96,255),(0-49,255),(0-34,255),(0-97,255)",
        execute=_extended_quality,
    ),
    "+QENG": Command(
        source="log 917; manual 4.8: with accuracy 0 the times are in milliseconds",
        test="+QENG: (0,2,3)",
        set=net.engineering,
        final_s=0.065,
    ),
    "+CGPADDR": Command(
        source="manual 4.4",
        test="+CGPADDR: (0)",
        read=net.address,
        set=net.address,
        execute=net.address,
    ),
    "+CGDCONT": Command(
        source="manual 5.4: the name is shown in capitals",
        test='+CGDCONT: (0-10),("IP","IPV6","IPV4V6","Non-IP"),,,,,(0,1),(0-3),(0-2),(0,1),(0,1),'
        "(0,1),(0,1),(0,1),(0,1),(0,1)",
        read=_contexts,
        set=net.define_context,
    ),
    "+CGACT": Command(
        source="manual 5.1",
        test="+CGACT: (0,1)",
        read=net.reading(lambda s: f"+CGACT: 0,{int(s.module.equipment.registered)}"),
    ),
    "+QNBIOTRAI": Command(
        source="manual 9.7: 0 and 1 only, and only while connected",
        test="+QNBIOTRAI: (0,1)",
        set=_release,
    ),
    "+QSCLK": Command(
        source="manual 9.10; log 51858",
        test="+QSCLK: (0-2)",
        read=net.reading(lambda s: f"+QSCLK: {s.sleep_mode}"),
        set=_sleep_mode,
    ),
    "+QATWAKEUP": Command(
        source="Zephyr bc66x driver",
        test="+QATWAKEUP: (0,1)",
        read=net.reading(lambda s: f"+QATWAKEUP: {s.wake_reports}"),
        set=_wake_reports,
    ),
    "+QPSMS": Command(
        source="manual 9.9: seconds; 1 is a timer that is off",
        test="+QPSMS: (0-11160),(0-35712000)",
        read=_granted_timers,
        set=_set_timers,
    ),
    "+QDRX": Command(source="manual 9.5", test="", read=_drx),
    "+QR14FEATURE": Command(
        source="log 917",
        execute="+QR14FEATURE: 14,1\n+QR14FEATURE: 0\n+QR14FEATURE: 0,0,0,0,0",
    ),
    "+CBC": Command(source="manual 10.1: millivolts only", test="", execute=_supply),
    "+QRST": Command(source="manual 10.4: OK first", test="+QRST: (1)", set=_reset),
    "+QBAND": Command(
        source="manual 7.5: the read form has no count",
        test="+QBAND: (0-17),(1,2,3,4,5,8,12,13,17,18,19,20,25,28,66,70,85)",
        read=net.reading(lambda s: "+QBAND: " + ",".join(map(str, s.storage.bands))),
        set=net.set_bands,
    ),
    "+CSODCP": Command(
        source="manual 7.4", test="+CSODCP: (0-10),(950),(0-2),(0,1)", set=nonip.send
    ),
    "+CRTDCP": Command(
        source="manual 7.3",
        test="+CRTDCP: (0,1),(0-10),(1600)",
        read=net.reading(lambda s: f"+CRTDCP: {s.non_ip_reports}"),
        set=nonip.set_reports,
    ),
    "+QIOPEN": Command(
        source="tcpip: context 0, ids 0 to 3, push only",
        test='+QIOPEN: (0),(0-3),("TCP","UDP"),<host>,<remote_port>,<local_port>,(1)',
        set=sockets.open_socket,
    ),
    "+QICFG": Command(
        source="tcpip; renode",
        test='+QICFG: "dataformat",(0,1),(0,1)\n+QICFG: "showRA",(0,1)',
        set=sockets.configure,
    ),
    "+QIDNSGIP": Command(source="tcpip; Zephyr bc66x driver", test="", set=sockets.look_up),
    "+QRELLOCK": Command(source="not on this family"),
    "+CLAC": Command(
        source="27.007 8.37 [?]: not in the manual", test="", execute=net.command_list
    ),
}


class Bc660k(Quectel):
    """The interpreter of a BC660K-GL."""

    table = TABLE
    model = "Quectel_BC660K-GL"
    default_firmware = "BC660KGLAAR01A03"  # forum thread 12656, manual
    chip = "QCX212"  # manual
    context_id = 0  # renode, manual
    generic_access = True  # [?]: an NB-IoT chip's published AT source (EC616) has all four
    channels = True  # likewise
    buffer_mode = False  # renode: QIRD is not supported
    options = {"showra": "show_address"}  # noqa: RUF012
    look_up_as_urc = False  # Zephyr bc66x driver
    keeps_reports = True  # manual: saved to NVRAM automatically
    lock_setting = "slplocktimes"  # manual 11.1.5
    sleep_mode = 1
    """QSCLK; not kept over a reset."""
    wake_reports = 0
    """QATWAKEUP."""
    circuit_reports = 0
    """CREG <n>."""

    def fresh_storage(self) -> QuectelStorage:
        """With the QCFG functions of this family (manual 11.1)."""
        functions = {
            "epco": 1,
            "datainacttimer": 60,
            "oosscheme": 0,
            "slplocktimes": 10,
            "dsevent": 0,
            "statisr": 0,
            "macrai": 0,
            "relversion": 14,
            "nbcategory": 2,
            "wakeuprxd": 1,
            "faultaction": 0,
            "ncellmeas": 1,
            "simbip": 1,
            "activetimer": 0,
        }
        return QuectelStorage(settings=functions)

    def announce(self) -> None:
        """RDY and the states (log 31377)."""
        self.module.set_sleep(_SLEEP_DEPTHS[self.sleep_mode])
        self.unsolicited("RDY")
        self.functionality_reached()

    def functionality_reached(self) -> None:
        """Radio and card (log 51858)."""
        self.unsolicited(f"+CFUN: {self.functionality}")
        self._tell_card()

    def card_changed(self) -> None:
        """Told as at the start."""
        self._tell_card()
        super().card_changed()

    def _tell_card(self) -> None:
        ready = "READY" if self.module.card_present else "NOT READY"
        self.unsolicited(f"+CPIN: {ready}")

    def registration_changed(self) -> None:
        """Also tell the address once there is one (renode)."""
        registered = self.module.equipment.registered
        super().registration_changed()
        if self.circuit_reports:
            self.unsolicited(f"+CREG: {self.circuit_status}")
        if registered and not self._was_registered and self.address is not None:
            self.unsolicited(f"+IP: {self.address}")
        self._was_registered = registered

    @property
    def circuit_status(self) -> int:
        """CREG: 6 and 7 stand for 'SMS only' at home and roaming (manual 4.5)."""
        status = self.module.equipment.status
        return {1: 6, 5: 7}.get(status, status)

    _was_registered = False

    def woke_up(self) -> None:
        """Also tell that the line is awake, when wanted."""
        super().woke_up()
        if self.wake_reports:
            self.unsolicited("+QATWAKEUP")
