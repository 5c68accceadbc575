"""Quectel BC95-G and BC68 (HiSilicon Hi2110 and Hi2115, the "Neul" dialect).

What it has otherwise than 3GPP's commands:

- 9600 bit/s, no echo, no space after the colon (`+CSQ:18,99`), identities without quotes.
- `AT+NRB` reboots: `REBOOTING`, octets at another speed, a banner in several lines which may be
  split anywhere, `Neul`, and an `OK` that answers nothing.
- One `OK` per command joined with `;`.
- The module chooses a socket's number and answers it bare (`1`); a send answers `1,<octets>`; what
  came is announced (`+NSONMI:1,35`) and fetched. Host names are not resolved.
- Release assistance is a flag of its own send command (`AT+NSOSTF`, 0x200 or 0x400).
- No `AT+CPIN?`: the SIM is there when `AT+CIMI` answers digits.
- The line stays able to receive in PSM (`+NPSMR:1`), so nothing is lost on waking.

Sources: "BC68 log" is a field log of a BC68JAR01A08 at Vodafone ES; "Hi2115 log" a tutorial's log
of an Hi2115 module; "lupyuen" the log of a BC95-G in lupyuen/visual-embedded-rust; "TMA" the guides
of T-Mobile Austria; "EE" docs.nbiot.engineering (the same dialect on a SARA-N2).
"""

from __future__ import annotations

from types import MappingProxyType

from firmware_bridge.modules.dialect import Family, Request, Unsolicited, WakePolicy, table
from firmware_bridge.modules.neul import NeulModule
from firmware_bridge.modules.records import Status
from firmware_bridge.modules.standard import STANDARD, logged

__all__ = ["FAMILY", "Bc95"]

LOGGED = Status.FIELD_LOGGED
DOCUMENTED = Status.DOCUMENTED
UNPROVEN = Status.UNPROVEN

REQUESTS = table(
    STANDARD,
    logged(
        STANDARD,
        error_numbers="TMA: tutorial log",
        imei="Hi2115 log",
        radio_on="BC68 log: seconds, with a +CEREG before its OK",
        radio_off="BC68 log",
        registration="lupyuen",
        registration_events="BC68 log (level 2)",
        connection_events="BC68 log",
        attach="lupyuen",
        address="lupyuen",
        psm_on="BC68 log",
    ),
    identify=Request(
        text="AT+CGMR",
        bare=True,
        source="Hi2115 log",
        status=LOGGED,
        note="several lines, PROTOCOL_A,V150R100C20B300SP2 among them",
    ),
    firmware=Request(text="AT+QGMR", bare=True, source="BC68 log", status=LOGGED),
    iccid=Request(
        text="AT+NCCID", answer=r"\+NCCID: ?\d", source="AT manual, by name", status=UNPROVEN
    ),
    imsi=Request(text="AT+CIMI", bare=True, source="Hi2115 log", status=LOGGED),
    reset=Request(text="AT+NRB", reboots=True, timeout_s=10, source="BC68 log", status=LOGGED),
    set_apn=Request(
        text='AT+CGDCONT={context},"{type}","{apn}"',
        source="BC68 log",
        status=LOGGED,
        note="lost at a reboot",
    ),
    bands=Request(
        text="AT+NBAND={bands}",
        source="BC68 log, lupyuen",
        status=LOGGED,
        note="the logs have the radio off; effective when it is switched on",
    ),
    choose_operator=Request(
        text='AT+COPS=1,2,"{plmn}"', timeout_s=180, source="BC68 log", status=LOGGED
    ),
    statistics=Request(
        text="AT+NUESTATS",
        answer=r"[A-Z][A-Za-z ]*:-?\d",
        bare=True,
        source="TMA, BC35 field log",
        status=LOGGED,
        note="levels in tenths; TX power -32768: nothing sent yet; times in ms",
    ),
    sleep_events=Request(text="AT+NPSMR=1", source="BC68 log", status=LOGGED),
    open_udp=Request(
        text="AT+NSOCR=DGRAM,17,{local_port},1",
        answer=r"\d+$",
        repeatable=False,
        source="lupyuen, BC68 log",
        status=LOGGED,
        note="local port 5683 is refused",
    ),
    send=Request(
        text="AT+NSOST={id},{host},{port},{size},{data}",
        answer=r"\d+,\d+$",
        timeout_s=15,
        repeatable=False,
        source="BC68 log",
        status=LOGGED,
    ),
    send_with_release=Request(
        text="AT+NSOSTF={id},{host},{port},{flag},{size},{data}",
        answer=r"\d+,\d+$",
        timeout_s=15,
        repeatable=False,
        source="EE",
        status=DOCUMENTED,
        note="0x200 release after this, 0x400 release after the answer",
    ),
    read=Request(
        text="AT+NSORF={id},{size}",
        answer=r"\d+,[0-9.:a-fA-F]+,\d+,",
        source="BC68 log, lupyuen",
        status=LOGGED,
        note="id,ip,port,octets,hex,remaining; only OK when nothing waits [unproven]",
    ),
    close=Request(text="AT+NSOCL={id}", source="BC68 log", status=LOGGED),
    ping=Request(
        text="AT+NPING={host}",
        repeatable=False,
        source="TMA",
        status=LOGGED,
        note="OK, then +NPING:ip,ttl,ms or +NPINGERR:1",
    ),
)

UNSOLICITED = (
    Unsolicited(name="boot", pattern=r"REBOOTING$", banner=True, source="BC68 log", status=LOGGED),
    Unsolicited(
        name="boot",
        pattern=r"Boot: ?Unsigned|Security ?[AB]\.\.|Protocol ?A\.\.|Apps ?A\.\.|Verified$",
        banner=True,
        source="BC68 log, lupyuen (without spaces), an interleaved log (split)",
        status=LOGGED,
    ),
    Unsolicited(
        name="boot", pattern=r"REBOOT_CAUSE_\w+$", banner=True, source="BC68 log", status=LOGGED
    ),
    Unsolicited(name="boot", pattern=r"Neul ?$", banner=True, source="BC68 log", status=LOGGED),
    Unsolicited(name="registration", pattern=r"\+CEREG: ?\d", source="BC68 log", status=LOGGED),
    Unsolicited(name="connection", pattern=r"\+CSCON: ?[01]$", source="BC68 log", status=LOGGED),
    Unsolicited(name="psm", pattern=r"\+NPSMR: ?[01]$", source="BC68 log", status=LOGGED),
    Unsolicited(name="received", pattern=r"\+NSONMI: ?\d+,\d+", source="BC68 log", status=LOGGED),
    Unsolicited(name="sent", pattern=r"\+NSOSTR: ?\d+,\d+,[01]", source="lupyuen", status=LOGGED),
    Unsolicited(name="closed", pattern=r"\+NSOCLI: ?\d+", source="AT manual", status=UNPROVEN),
    Unsolicited(name="ping", pattern=r"\+NPING(ERR)?: ?", source="TMA", status=LOGGED),
    Unsolicited(
        name="platform", pattern=r"\+QLWEVTIND[=:]|\+NSMI: ?|\+NNMI: ?", source="TMA", status=LOGGED
    ),
    Unsolicited(
        name="non-ip",
        pattern=r"\+CRTDCP: ?\d",
        source="field log of a CRTDCP notice",
        status=LOGGED,
    ),
    Unsolicited(name="edrx", pattern=r"\+CEDRXP: ?", source="TS 27.007 7.40", status=DOCUMENTED),
)

FAMILY = Family(
    name="bc95",
    title="Quectel BC95-G, BC68, BC95, BC35",
    chipset="HiSilicon Hi2110, Hi2115",
    models=r"BC(95|68|35|28)|SECURITY_A,V\d+R\d+C\d+",
    baudrate=9_600,
    requests=REQUESTS,
    unsolicited=UNSOLICITED,
    operations=MappingProxyType(
        {
            "identify": LOGGED,
            "attach": LOGGED,
            "detach": DOCUMENTED,
            "registration": LOGGED,
            "radio": LOGGED,
            "counters": LOGGED,
            "address": LOGGED,
            "power_saving": LOGGED,
            "sleep_and_wake": LOGGED,
            "udp": LOGGED,
            "release_assistance": DOCUMENTED,
            "ping": LOGGED,
            "non_ip": UNPROVEN,
            "sim_access": UNPROVEN,
        }
    ),
    wake=WakePolicy(attempts=12, first_pause_s=0.3, pause_s=1.0, idle_s=float("inf")),
    context_id=1,
    socket_ids=tuple(range(7)),
    max_payload=512,
    max_payload_source="EE (SARA-N2): 512; BC95-G is said to take 1358 [unproven]",
    sleep_loses_sockets=False,
    boot_s=20.0,
    final_per_command=True,
)


class Bc95(NeulModule):
    """Driver of the Quectel BC95-G and BC68."""

    FAMILY = FAMILY
