"""Commands and lines that the Quectel NB-IoT families share (BC66, BC660K).

Sources: see `bc66.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from firmware_bridge.modules.dialect import Request, Unsolicited, table
from firmware_bridge.modules.records import Status
from firmware_bridge.modules.standard import STANDARD

__all__ = ["QUECTEL", "QUECTEL_UNSOLICITED"]

LOGGED = Status.FIELD_LOGGED
DOCUMENTED = Status.DOCUMENTED
UNPROVEN = Status.UNPROVEN

SEND_RESULT = r"SEND (?:(?P<ok>OK)|FAIL)$"
"""Comes after OK (issue 917)."""

QUECTEL: Mapping[str, Request] = table(
    STANDARD,
    identify=Request(text="ATI", bare=True, source="field log 12656", status=LOGGED),
    firmware=Request(text="AT+CGMR", bare=True, source="Renode", status=DOCUMENTED),
    iccid=Request(text="AT+QCCID", answer=r"\+QCCID: ?\d", source="field log 12656", status=LOGGED),
    reset=Request(
        text="AT+QRST=1",
        reboots=True,
        source="wolfgangklenk",
        status=LOGGED,
        note="the log has no OK, only the boot ROM's lines",
    ),
    read_apn=Request(
        text="AT+QCGDEFCONT?",
        answer=r"\+QCGDEFCONT: ?",
        source="AT manual, by name",
        status=UNPROVEN,
        note='`+QCGDEFCONT: "IP","apn"...`; when refused the APN of AT+CGDCONT? is read',
    ),
    set_apn=Request(
        text='AT+QCGDEFCONT="{type}","{apn}"',
        source="wolfgangklenk, field log 12656",
        status=LOGGED,
        note="effective after a reset",
    ),
    bands=Request(
        text="AT+QBAND={count},{bands}",
        source="field log 12656 (one band), 51858 (two)",
        status=LOGGED,
    ),
    radio_report=Request(
        text="AT+QENG=0",
        answer=r"\+QENG: ?[01],",
        source="issue 917",
        status=LOGGED,
        note="0,earfcn,offset,pci,cell,rsrp,rsrq,rssi,sinr,band,tac,ecl,txpower,mode",
    ),
    counters=Request(
        text="AT+QENG=2",
        answer=r"\+QENG: ?[23],",
        source="Zephyr, Renode",
        status=DOCUMENTED,
        note="`+QENG: 3,sleep,rx,tx` in 0.1 s",
    ),
    psm_granted=Request(
        text="AT+QPSMS?",
        answer=r"\+QPSMS: ?\d",
        source="Zephyr",
        status=UNPROVEN,
        note="`+QPSMS: T3324,T3412` in s; asked when +CEREG tells no timers",
    ),
    sleep_events=Request(text="AT+QNBIOTEVENT=1,1", source="field log 12656", status=LOGGED),
    release_assistance=Request(
        text="AT+QNBIOTRAI={rai}", source="Zephyr", status=DOCUMENTED, note="0, 1, 2"
    ),
    # -- sockets ---------------------------------------------------------------------------------
    hex_format=Request(
        text='AT+QICFG="dataformat",1,1', source="Renode, Zephyr", status=DOCUMENTED
    ),
    show_length=Request(text='AT+QICFG="showlength",1', source="Renode", status=DOCUMENTED),
    hide_remote=Request(text='AT+QICFG="showRA",0', source="Renode", status=DOCUMENTED),
    view_mode=Request(text='AT+QICFG="viewmode",0', source="Renode", status=DOCUMENTED),
    open_udp=Request(
        text='AT+QIOPEN={context},{id},"UDP","{host}",{port},{local_port},{mode}',
        follow_up=r"\+QIOPEN: ?{id},(?:(?P<ok>0)$|-?\d+$)",
        follow_up_timeout_s=60,
        repeatable=False,
        source="Zephyr, Renode",
        status=DOCUMENTED,
    ),
    send=Request(
        text="AT+QISEND={id},{size},{data}",
        follow_up=SEND_RESULT,
        follow_up_timeout_s=60,
        timeout_s=15,
        repeatable=False,
        source="Zephyr, Renode; SEND OK: issue 917",
        status=DOCUMENTED,
    ),
    send_with_release=Request(
        text="AT+QISEND={id},{size},{data},{rai}",
        follow_up=SEND_RESULT,
        follow_up_timeout_s=60,
        timeout_s=15,
        repeatable=False,
        source="Zephyr",
        status=DOCUMENTED,
        note="0 none, 1 release after this uplink, 2 after one downlink",
    ),
    binary_format=Request(text='AT+QICFG="dataformat",0,0', source="Renode", status=DOCUMENTED),
    send_binary=Request(
        text="AT+QISEND={id},{size}",
        prompt=b">",
        follow_up=SEND_RESULT,
        follow_up_timeout_s=60,
        timeout_s=15,
        repeatable=False,
        source="Zephyr, Renode",
        status=DOCUMENTED,
        note="the prompt has no line end; it never comes if the chip slept meanwhile",
    ),
    read_binary=Request(
        text="AT+QIRD={id},{size}",
        answer=r"\+QIRD: ?\d",
        body=r"\+QIRD: ?(?P<n>\d+)",
        source="Renode",
        status=DOCUMENTED,
    ),
    read=Request(
        text="AT+QIRD={id},{size}",
        answer=r"\+QIRD: ?\d",
        bare=True,
        source="Renode",
        status=DOCUMENTED,
        note="hexadecimal, so its line holds no line end and is no counted body",
    ),
    close=Request(
        text="AT+QICLOSE={id}",
        follow_up=r"(?P<ok>CLOSE OK)$|CLOSE FAIL$",
        follow_up_timeout_s=10,
        timeout_s=10,
        source="issue 917",
        status=LOGGED,
    ),
    resolve=Request(
        text='AT+QIDNSGIP={context},"{name}"',
        repeatable=False,
        source="Zephyr",
        status=DOCUMENTED,
        note="OK at once, the addresses as unsolicited lines",
    ),
)

QUECTEL_UNSOLICITED = (
    Unsolicited(name="boot", pattern=r"RDY$", banner=True, source="field log 31377", status=LOGGED),
    Unsolicited(
        name="registration", pattern=r"\+CEREG: ?\d", source="field log 31377", status=LOGGED
    ),
    Unsolicited(
        name="connection", pattern=r"\+CSCON: ?[01](,|$)", source="Renode", status=DOCUMENTED
    ),
    Unsolicited(name="sim", pattern=r"\+CPIN: ?", source="field log 31377", status=LOGGED),
    Unsolicited(name="function", pattern=r"\+CFUN: ?\d$", source="field log 31377", status=LOGGED),
    Unsolicited(name="address", pattern=r"\+IP: ?", source="Renode", status=DOCUMENTED),
    Unsolicited(
        name="sleep", pattern=r'\+QNBIOTEVENT: ?"', source="Zephyr, Renode", status=DOCUMENTED
    ),
    Unsolicited(
        name="socket",
        pattern=r"\+QIURC: ?\"",
        body=r"\+QIURC: ?\"recv\",\d+,(?P<n>\d+),\"",
        source="Renode",
        status=DOCUMENTED,
    ),
    Unsolicited(name="dns", pattern=r"\+QIDNSGIP: ?", source="Zephyr", status=DOCUMENTED),
    Unsolicited(
        name="non-ip",
        pattern=r"\+CRTDCP: ?\d",
        source="field log of a CRTDCP notice",
        status=LOGGED,
    ),
    Unsolicited(name="edrx", pattern=r"\+CEDRXP: ?", source="TS 27.007 7.40", status=DOCUMENTED),
)
