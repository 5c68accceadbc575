"""The commands that TS 27.007 gives every family, as a table to start from.

A family's file takes this table and says what it has otherwise: `table(STANDARD, ...)`. An entry
that a real module's log confirms is marked so in the family's file by `logged`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from firmware_bridge.modules.dialect import Request, table
from firmware_bridge.modules.records import Status

__all__ = ["STANDARD", "logged", "logged_elsewhere"]

DOCUMENTED = Status.DOCUMENTED

STANDARD: Mapping[str, Request] = table(
    # -- the module ------------------------------------------------------------------------------
    echo_off=Request(text="ATE0", source="ITU-T V.250 6.2.4", status=DOCUMENTED),
    error_numbers=Request(text="AT+CMEE=1", source="TS 27.007 9.1", status=DOCUMENTED),
    imei=Request(
        text="AT+CGSN=1", answer=r"\+CGSN: ?\"?\d", source="TS 27.007 5.4", status=DOCUMENTED
    ),
    # -- the network -----------------------------------------------------------------------------
    radio_on=Request(text="AT+CFUN=1", timeout_s=85, source="TS 27.007 8.2", status=DOCUMENTED),
    radio_off=Request(text="AT+CFUN=0", timeout_s=85, source="TS 27.007 8.2", status=DOCUMENTED),
    radio_state=Request(
        text="AT+CFUN?", answer=r"\+CFUN: ?\d", source="TS 27.007 8.2", status=DOCUMENTED
    ),
    sim_state=Request(
        text="AT+CPIN?", answer=r"\+CPIN: ?", source="TS 27.007 8.3", status=DOCUMENTED
    ),
    read_contexts=Request(
        text="AT+CGDCONT?", answer=r"\+CGDCONT: ?\d", source="TS 27.007 10.1.1", status=DOCUMENTED
    ),
    registration=Request(
        text="AT+CEREG?",
        answer=r"\+CEREG: ?\d,\d{1,2}(,|$)",
        source="TS 27.007 10.1.22",
        status=DOCUMENTED,
        note="a URC has a quoted, empty or hexadecimal second field, or none",
    ),
    registration_events=Request(
        text="AT+CEREG={level}",
        source="TS 27.007 10.1.22",
        status=DOCUMENTED,
        note="5, else 4, 2, 1: firmware differs",
    ),
    connection_events=Request(text="AT+CSCON=1", source="TS 27.007 10.1.30", status=DOCUMENTED),
    operator=Request(
        text="AT+COPS?", answer=r"\+COPS: ?\d", source="TS 27.007 7.3", status=DOCUMENTED
    ),
    operator_as_digits=Request(text="AT+COPS=3,2", source="TS 27.007 7.3", status=DOCUMENTED),
    choose_operator=Request(
        text='AT+COPS=1,2,"{plmn}"', timeout_s=180, source="TS 27.007 7.3", status=DOCUMENTED
    ),
    any_operator=Request(
        text="AT+COPS=0", timeout_s=180, source="TS 27.007 7.3", status=DOCUMENTED
    ),
    attach=Request(text="AT+CGATT=1", timeout_s=85, source="TS 27.007 10.1.9", status=DOCUMENTED),
    detach=Request(text="AT+CGATT=0", timeout_s=85, source="TS 27.007 10.1.9", status=DOCUMENTED),
    address=Request(
        text="AT+CGPADDR", answer=r"\+CGPADDR: ?\d", source="TS 27.007 10.1.14", status=DOCUMENTED
    ),
    address_of=Request(
        text="AT+CGPADDR={context}",
        answer=r"\+CGPADDR: ?\d",
        source="TS 27.007 10.1.14",
        status=DOCUMENTED,
    ),
    signal=Request(
        text="AT+CESQ", answer=r"\+CESQ: ?\d", source="TS 27.007 8.69", status=DOCUMENTED
    ),
    # -- power -----------------------------------------------------------------------------------
    psm_on=Request(text="AT+CPSMS=1{timers}", source="TS 27.007 7.38", status=DOCUMENTED),
    psm_off=Request(text="AT+CPSMS=0", source="TS 27.007 7.38", status=DOCUMENTED),
    edrx_on=Request(text='AT+CEDRXS=1,5,"{cycle}"', source="TS 27.007 7.40", status=DOCUMENTED),
    edrx_off=Request(text="AT+CEDRXS=0", source="TS 27.007 7.40", status=DOCUMENTED),
    edrx_granted=Request(
        text="AT+CEDRXRDP",
        answer=r"\+CEDRX(RDP|S): ?\d",
        source="TS 27.007 7.41",
        status=DOCUMENTED,
    ),
    # -- non-IP data -----------------------------------------------------------------------------
    non_ip_context=Request(
        text='AT+CGDCONT={context},"NONIP","{apn}"',
        source="TS 27.007 10.1.1; spelt so by the families that log it (mbed)",
        status=DOCUMENTED,
    ),
    non_ip_events=Request(text="AT+CRTDCP=1", source="TS 27.007 10.1.44", status=DOCUMENTED),
    non_ip_send_limits=Request(
        text="AT+CSODCP=?",
        answer=r"\+CSODCP: ?\(",
        source="TS 27.007 10.1.43",
        status=DOCUMENTED,
        note="`+CSODCP: (0-10),(950),(0-2),(0,1)`: the second is the longest message up",
    ),
    non_ip_limits=Request(
        text="AT+CRTDCP=?",
        answer=r"\+CRTDCP: ?\(",
        source="field log of a CRTDCP test command",
        status=DOCUMENTED,
        note="`+CRTDCP: (0-1),(0-10),(1600)`: the last is the longest message",
    ),
    send_non_ip=Request(
        text='AT+CSODCP={context},{size},"{data}"',
        timeout_s=30,
        repeatable=False,
        source="TS 27.007 10.1.43",
        status=DOCUMENTED,
    ),
    send_non_ip_with_release=Request(
        text='AT+CSODCP={context},{size},"{data}",{rai}',
        timeout_s=30,
        repeatable=False,
        source="TS 27.007 10.1.43",
        status=DOCUMENTED,
        note="0 none, 1 no further data, 2 one downlink expected",
    ),
    header_compression=Request(
        text='AT+CGDCONT={context},"{type}","{apn}",,0,{value}',
        source="TS 27.007 10.1.1 <PDP_head_comp>",
        status=Status.UNPROVEN,
        note="0 off, 4 RFC 3095 (ROHC); no log shows a module that takes it",
    ),
    # -- the SIM ---------------------------------------------------------------------------------
    sim_apdu=Request(
        text='AT+CSIM={size},"{data}"',
        answer=r"\+CSIM: ?[\"0-9A-Fa-f]",
        timeout_s=15,
        repeatable=False,
        source="TS 27.007 8.17",
        status=DOCUMENTED,
    ),
    sim_open_channel=Request(
        text='AT+CCHO="{aid}"',
        answer=r"\+CCHO: ?\"?\d|\d+$",
        timeout_s=15,
        repeatable=False,
        source="TS 27.007 8.45; the bare number is 27.007's own form",
        status=DOCUMENTED,
    ),
    sim_channel_apdu=Request(
        text='AT+CGLA={channel},{size},"{data}"',
        answer=r"\+CGLA: ?[\"0-9A-Fa-f]",
        timeout_s=15,
        repeatable=False,
        source="TS 27.007 8.43",
        status=DOCUMENTED,
    ),
    sim_close_channel=Request(
        text="AT+CCHC={channel}", timeout_s=15, source="TS 27.007 8.46", status=DOCUMENTED
    ),
)


def logged(known: Mapping[str, Request], **sources: str) -> dict[str, Request]:
    """Entries of `known` that a real module's log confirms: operation=where."""
    return {
        name: replace(known[name], source=source, status=Status.FIELD_LOGGED)
        for name, source in sources.items()
    }


def logged_elsewhere(known: Mapping[str, Request], *names: str, on: str) -> dict[str, Request]:
    """Entries of `known` whose log is of another family, `on`: documented here, no more."""
    return {
        name: replace(known[name], source=f"{known[name].source}, on a {on}", status=DOCUMENTED)
        for name in names
    }
