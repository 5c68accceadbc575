"""Quectel BC66 and BC66-NA (MediaTek MT2625).

What is particular, beside the tables:

- The PDP context of sockets is 1. The APN (`QCGDEFCONT`) takes effect after a reset.
- No `RDY` in every log: the boot ROM's lines (`F1: 0000 0000` ... `Leaving the BROM`) count as the
  banner too.
- Unsupported commands answer plain `ERROR`, and firmware of one family differs (`AT+QSCLK=0` is
  refused by BC66NBR01A10), so nothing but `AT` and `ATE0` is taken for granted.
- Deep sleep is left by the PSM_EINT pin; boards that wire the host's TXD to it wake on `AT`. The
  sockets are gone then.

Sources: "field log 12656" and the like are threads of forums.quectel.com; "wolfgangklenk" is the
log of a BC66NA with a 1NCE SIM; "Zephyr" is its bc66x modem driver; "Renode" its model
Quectel_BC66; "issue 917" a hardware trace of a BC660K in renode issue 917.
"""

from __future__ import annotations

from types import MappingProxyType

from firmware_bridge.modules.dialect import Family, Request, Unsolicited, WakePolicy, frozen
from firmware_bridge.modules.quectel import QuectelNbIot
from firmware_bridge.modules.records import Status

__all__ = ["FAMILY", "Bc66"]

LOGGED = Status.FIELD_LOGGED
DOCUMENTED = Status.DOCUMENTED
UNPROVEN = Status.UNPROVEN

SEND_RESULT = r"SEND (?:(?P<ok>OK)|FAIL)$"
"""Comes after OK (issue 917)."""

REQUESTS = frozen(
    # -- the module ------------------------------------------------------------------------------
    echo_off=Request(text="ATE0", source="field log 12656", status=LOGGED),
    error_numbers=Request(text="AT+CMEE=1", source="TS 27.007 9.1", status=DOCUMENTED),
    identify=Request(text="ATI", bare=True, source="field log 12656", status=LOGGED),
    firmware=Request(text="AT+CGMR", bare=True, source="Renode", status=DOCUMENTED),
    imei=Request(
        text="AT+CGSN=1", answer=r"\+CGSN: ?\"?\d", source="TS 27.007 5.4", status=DOCUMENTED
    ),
    iccid=Request(text="AT+QCCID", answer=r"\+QCCID: ?\d", source="field log 12656", status=LOGGED),
    reset=Request(
        text="AT+QRST=1",
        reboots=True,
        source="wolfgangklenk",
        status=LOGGED,
        note="the log has no OK, only the boot ROM's lines",
    ),
    # -- the network -----------------------------------------------------------------------------
    radio_on=Request(text="AT+CFUN=1", timeout_s=85, source="wolfgangklenk", status=LOGGED),
    radio_off=Request(text="AT+CFUN=0", timeout_s=85, source="TS 27.007 8.2", status=DOCUMENTED),
    radio_state=Request(
        text="AT+CFUN?", answer=r"\+CFUN: ?\d", source="TS 27.007 8.2", status=DOCUMENTED
    ),
    sim_state=Request(
        text="AT+CPIN?",
        answer=r"\+CPIN: ",
        source="field log 51858",
        status=LOGGED,
        note="plain ERROR without a SIM",
    ),
    read_apn=Request(
        text="AT+QCGDEFCONT?",
        answer=r"\+QCGDEFCONT: ",
        source="AT manual, by name",
        status=UNPROVEN,
        note='answer `+QCGDEFCONT: "IP","apn"...`; when refused the APN of AT+CGDCONT? is read',
    ),
    read_contexts=Request(
        text="AT+CGDCONT?",
        answer=r"\+CGDCONT: ?\d",
        source="TS 27.007 10.1.1",
        status=DOCUMENTED,
    ),
    set_apn=Request(
        text='AT+QCGDEFCONT="IP","{apn}"',
        source="wolfgangklenk, field log 12656",
        status=LOGGED,
        note="effective after a reset",
    ),
    registration=Request(
        text="AT+CEREG?",
        answer=r"\+CEREG: ?\d,\d{1,2}(,|$)",
        source="wolfgangklenk",
        status=LOGGED,
    ),
    registration_events=Request(
        text="AT+CEREG={level}",
        source="field log 12656 (5), wolfgangklenk (1)",
        status=LOGGED,
        note="5, else 4, 2, 1: firmware differs",
    ),
    connection_events=Request(text="AT+CSCON=1", source="Renode", status=DOCUMENTED),
    attach=Request(text="AT+CGATT=1", timeout_s=85, source="TS 27.007 10.1.9", status=DOCUMENTED),
    detach=Request(text="AT+CGATT=0", timeout_s=85, source="TS 27.007 10.1.9", status=DOCUMENTED),
    address=Request(
        text="AT+CGPADDR",
        answer=r"\+CGPADDR: ?\d",
        source="field log 12656 (with `?`: OK only)",
        status=DOCUMENTED,
    ),
    address_of=Request(
        text="AT+CGPADDR={context}",
        answer=r"\+CGPADDR: ?\d",
        source="TS 27.007 10.1.14",
        status=DOCUMENTED,
    ),
    radio_report=Request(
        text="AT+QENG=0",
        answer=r"\+QENG: ?[01],",
        source="issue 917 (BC660K)",
        status=LOGGED,
        note="0,earfcn,offset,pci,cell,rsrp,rsrq,rssi,sinr,band,tac,ecl,txpower,mode",
    ),
    signal=Request(text="AT+CESQ", answer=r"\+CESQ: ?\d", source="field log 12656", status=LOGGED),
    counters=Request(
        text="AT+QENG=2",
        answer=r"\+QENG: ?[23],",
        source="Zephyr, Renode",
        status=DOCUMENTED,
        note="`+QENG: 3,sleep,rx,tx` in 0.1 s",
    ),
    # -- power -----------------------------------------------------------------------------------
    psm_on=Request(text="AT+CPSMS=1{timers}", source="TS 27.007 7.38", status=DOCUMENTED),
    psm_off=Request(text="AT+CPSMS=0", source="field log 12656", status=LOGGED),
    psm_granted=Request(
        text="AT+QPSMS?",
        answer=r"\+QPSMS: ?\d",
        source="Zephyr",
        status=UNPROVEN,
        note="`+QPSMS: T3324,T3412` in s; asked when +CEREG tells no timers",
    ),
    edrx_on=Request(text='AT+CEDRXS=1,5,"{cycle}"', source="TS 27.007 7.40", status=DOCUMENTED),
    edrx_off=Request(text="AT+CEDRXS=0", source="TS 27.007 7.40", status=DOCUMENTED),
    edrx_granted=Request(
        text="AT+CEDRXRDP",
        answer=r"\+CEDRX(RDP|S): ?\d",
        source="TS 27.007 7.41",
        status=DOCUMENTED,
    ),
    sleep_events=Request(
        text="AT+QNBIOTEVENT=1,1", source="field log 12656, Zephyr", status=LOGGED
    ),
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
)

UNSOLICITED = (
    Unsolicited(
        name="boot", pattern=r"RDY$", banner=True, source="field log 31377 (BC660K)", status=LOGGED
    ),
    Unsolicited(
        name="boot-rom",
        pattern=r"(?:F1|V0|U0|T0|0[01]): [0-9A-F]{4} [0-9A-F]{4}",
        banner=True,
        source="wolfgangklenk",
        status=LOGGED,
    ),
    Unsolicited(
        name="boot-rom",
        pattern=r"Leaving the BROM$",
        banner=True,
        source="wolfgangklenk",
        status=LOGGED,
    ),
    Unsolicited(
        name="registration", pattern=r"\+CEREG: ?\d", source="field log 31377", status=LOGGED
    ),
    Unsolicited(
        name="connection", pattern=r"\+CSCON: ?[01](,|$)", source="Renode", status=DOCUMENTED
    ),
    Unsolicited(name="sim", pattern=r"\+CPIN: ", source="field log 31377", status=LOGGED),
    Unsolicited(name="function", pattern=r"\+CFUN: ?\d$", source="field log 31377", status=LOGGED),
    Unsolicited(name="address", pattern=r"\+IP: ", source="Renode", status=DOCUMENTED),
    Unsolicited(
        name="sleep", pattern=r'\+QNBIOTEVENT: ?"', source="Zephyr, Renode", status=DOCUMENTED
    ),
    Unsolicited(name="socket", pattern=r"\+QIURC: ?\"", source="Renode", status=DOCUMENTED),
    Unsolicited(name="edrx", pattern=r"\+CEDRXP: ", source="TS 27.007 7.40", status=DOCUMENTED),
)

FAMILY = Family(
    name="bc66",
    title="Quectel BC66, BC66-NA",
    chipset="MediaTek MT2625",
    baudrate=115_200,
    requests=REQUESTS,
    unsolicited=UNSOLICITED,
    operations=MappingProxyType(
        {
            "identify": LOGGED,
            "attach": LOGGED,
            "detach": DOCUMENTED,
            "registration": LOGGED,
            "radio": LOGGED,
            "address": DOCUMENTED,
            "power_saving": DOCUMENTED,
            "release_assistance": DOCUMENTED,
            "sleep_and_wake": DOCUMENTED,
            "udp": DOCUMENTED,
            "counters": DOCUMENTED,
        }
    ),
    wake=WakePolicy(attempts=10, pause_s=1.0, idle_s=10.0),
    context_id=1,
    socket_ids=(0, 1, 2, 3),
    max_payload=512,
    max_payload_source="512 octets in hexadecimal mode [unproven]; inline text takes 1024",
    sleep_loses_sockets=True,
    boot_s=20.0,
)
"""`idle_s` is the default of `AT+QCFG="slplocktimes"`, after which the module may sleep."""


class Bc66(QuectelNbIot):
    """Driver of the Quectel BC66."""

    FAMILY = FAMILY
