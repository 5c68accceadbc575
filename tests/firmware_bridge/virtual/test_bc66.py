"""What a BC66 understands, form by form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from firmware_bridge.virtual import (
    LineSettings,
    ModuleSettings,
    NameAsked,
    NetworkSettings,
    RadioSettings,
    SocketClosed,
    SocketOpened,
)
from firmware_bridge.virtual.dialects.bc66 import TABLE

Hands = Callable[..., Any]
OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"


def line(*lines: str) -> bytes:
    return b"\r\n" + "\r\n".join(lines).encode() + b"\r\n" + OK


# (command, answer) of a module that is attached and idle, in this order.
ATTACHED = [
    ("AT+CGMI", line("Quectel_Ltd", "Quectel_BC66", "Revision: MTK_2625")),
    ("AT+CGMM", line("Quectel_BC66")),
    ("AT+CGMR", line("Revision: BC66NBR01A10")),
    ("AT+CGSN", line("MPA19BD1P000001")),
    ("AT+CGSN=0", line("MPA19BD1P000001")),
    ("AT+CGSN=1", line("+CGSN: 866818030000002")),
    ("AT+CGSN=2", line("+CGSN: 8668180300000003")),
    ("AT+CGSN=4", ERROR),
    ("AT+CIMI", line("001010000000001")),
    ("AT+QCCID", line("+QCCID: 89882390000000000013")),
    ("AT+CPIN?", line("+CPIN: READY")),
    ("AT+CFUN?", line("+CFUN: 1")),
    ("AT+CFUN=?", line("+CFUN: (0,1,4),(0,1)")),
    ("AT+CFUN=2", ERROR),
    ("AT+CFUN=1", OK),
    ("AT+CEREG?", line("+CEREG: 0,1")),
    ("AT+CEREG=1;+CEREG?", line("+CEREG: 1,1")),
    ("AT+CEREG=2;+CEREG?", line('+CEREG: 2,1,"33C2","022FE6CF",9')),
    ("AT+CEREG=3;+CEREG?", line('+CEREG: 3,1,"33C2","022FE6CF",9,0,0')),
    ("AT+CEREG=4;+CEREG?", line('+CEREG: 4,1,"33C2","022FE6CF",9,,,"11100000","11100000"')),
    ("AT+CEREG=5;+CEREG?", line('+CEREG: 5,1,"33C2","022FE6CF",9,0,0,"11100000","11100000"')),
    ("AT+CEREG=6", ERROR),
    ("AT+CEREG=0,1", ERROR),
    ("AT+CEREG=0", OK),
    ("AT+CEREG=?", line("+CEREG: (0-5)")),
    ("AT+CGATT?", line("+CGATT: 1")),
    ("AT+CGATT=1", OK),
    ("AT+COPS?", line('+COPS: 0,2,"00101",9')),
    ("AT+COPS=3,0;+COPS?", line('+COPS: 0,0,"Testbed",9')),
    ("AT+COPS=3,2", OK),
    ("AT+COPS=5", ERROR),
    ('AT+COPS=1,2,"00101"', OK),
    ('AT+COPS=1,2,"26201"', ERROR),
    ("AT+COPS=0", OK),
    ("AT+CGPADDR", line('+CGPADDR: 1,"10.127.33.7"')),
    ("AT+CGPADDR=1", line('+CGPADDR: 1,"10.127.33.7"')),
    ("AT+CGPADDR=2", ERROR),
    ("AT+CGDCONT?", line('+CGDCONT: 1,"IP","iot","10.127.33.7",0,0,0,,,,0,,0,,0,0')),
    ('AT+CGDCONT=1,"Non-IP","iot"', OK),
    ('AT+CGDCONT=1,"X25","iot"', ERROR),
    ("AT+CGACT?", line("+CGACT: 1,1")),
    ('AT+QCGDEFCONT="nonip","a.b";+QCGDEFCONT?', line('+QCGDEFCONT: "NONIP","a.b"')),
    ('AT+QCGDEFCONT="IP";+QCGDEFCONT?', line('+QCGDEFCONT: "IP",""')),
    ("AT+QBAND=2,8,20;+QBAND?", line("+QBAND: 2,8,20")),
    ("AT+QBAND=2,8", ERROR),
    ("AT+QBAND=0;+QBAND?", line("+QBAND: 5,3,5,8,20,28")),
    ("AT+CSQ", line("+CSQ: 13,4")),
    ("AT+CESQ", line("+CESQ: 24,4,255,255,29,49")),
    ("AT+QENG=0", line('+QENG: 0,1694,12,284,"022FE6CF",-92,-5,-87,10,3,"33C2",0,14,2')),
    ("AT+QENG=3", line('+QENG: 4,"REG","IDLE","SELECTED","HPLMN","0x001,0x01"')),
    ("AT+QENG=4", ERROR),
    ("AT+CSCON?", line("+CSCON: 0,0")),
    ("AT+CSCON=1;+CSCON?", line("+CSCON: 1,0")),
    ("AT+CSCON=0", OK),
    ("AT+CPSMS?", line('+CPSMS: 0,,,"00100001","00000101"')),
    ("AT+CPSMS=3", ERROR),
    ('AT+CPSMS=1,,,"0010000","00000101"', ERROR),
    ("AT+CEDRXS?", line('+CEDRXS: 5,"0010"')),
    ('AT+CEDRXS=1,4,"0101"', ERROR),
    ("AT+CEDRXRDP", line("+CEDRXRDP: 0")),
    ("AT+QNBIOTEVENT?", line("+QNBIOTEVENT: 0,1")),
    ("AT+QNBIOTEVENT=1,2", ERROR),
    ("AT+QNBIOTRAI=2;+QNBIOTRAI?", line("+QNBIOTRAI: 2")),
    ("AT+QNBIOTRAI=3", ERROR),
    ("AT+QNBIOTRAI=0", OK),
    ("AT+QSCLK?", ERROR),
    ("AT+QSCLK=1", ERROR),
    ('AT+QCFG="dsevent"', line('+QCFG: "dsevent",0')),
    ('AT+QCFG="dsevent",1;+QCFG="DSEVENT"', line('+QCFG: "dsevent",1')),
    ('AT+QCFG="nosuch"', ERROR),
    ("AT+IPR?", line("+IPR: 115200")),
    ("AT+IPR=9600;+IPR?", line("+IPR: 9600")),
    ("AT+IPR=9601", ERROR),
    ("AT+CBC", line("+CBC: 0,0,3300")),
    ("AT+CNMPSD", OK),
    ("AT&W", OK),
    ("AT+QISTATE?", OK),
    ('AT+QICFG="dataformat"', line('+QICFG: "dataformat",0,0')),
    ('AT+QICFG="dataformat",1,0;+QICFG="dataformat"', line('+QICFG: "dataformat",1,0')),
    ('AT+QICFG="dataformat",1', ERROR),
    ('AT+QICFG="viewmode",1;+QICFG="viewmode"', line('+QICFG: "viewmode",1')),
    ('AT+QICFG="nosuch",1', ERROR),
    ("AT+QISEND=0,1,x", ERROR),
    ("AT+QISEND=4,1,x", ERROR),
    ("AT+QIRD=0,10", ERROR),
    ('AT+QIOPEN=0,0,"UDP","192.0.2.1",1', ERROR),
    ('AT+QIOPEN=1,4,"UDP","192.0.2.1",1', ERROR),
    ('AT+QIOPEN=1,0,"SCTP","192.0.2.1",1', ERROR),
    ('AT+QIOPEN=1,0,"UDP","192.0.2.1",0', ERROR),
    ("AT+CREG?", ERROR),
    ("AT&F", ERROR),
]


def test_every_form_answers_as_its_source_says(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    wrong = []
    for command, wanted in ATTACHED:
        got = bench.ask(command)
        if got != wanted:
            wrong.append((command, got, wanted))
    assert wrong == []


NOT_OFFERED = ("+CCHO", "+CGLA", "+CCHC")
"""In the table for the settings' sake."""


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_command_has_a_source_and_its_test_form_ends_in_a_result(
    hand: Hands, name: str
) -> None:
    assert len(TABLE[name].source) >= 5
    if name[0] != "+":
        return  # basic commands have no test form
    bench = hand()
    bench.attach()
    answer = bench.ask(f"AT{name}=?", 20.0)
    wanted = OK if TABLE[name].test is not None and name not in NOT_OFFERED else ERROR
    assert answer.endswith(wanted)


def test_the_list_of_commands_is_the_table(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    listed = bench.ask("AT+CLAC").decode().split("\r\n")
    assert {f"AT{name}" for name in TABLE if name not in NOT_OFFERED} <= set(listed)
    assert not {f"AT{name}" for name in NOT_OFFERED} & set(listed)


# -- registration --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reports", "searching", "registered"),
    [
        (1, b"\r\n+CEREG: 2\r\n", b"\r\n+CEREG: 1\r\n"),
        (2, b"\r\n+CEREG: 2\r\n", b'\r\n+CEREG: 1,"33C2","022FE6CF",9\r\n'),
        (3, b"\r\n+CEREG: 2,,,,,0,0\r\n", b'\r\n+CEREG: 1,"33C2","022FE6CF",9,0,0\r\n'),
        (
            4,
            b"\r\n+CEREG: 2\r\n",
            b'\r\n+CEREG: 1,"33C2","022FE6CF",9,,,"11100000","11100000"\r\n',
        ),
        (
            5,
            b"\r\n+CEREG: 2,,,,,0,0\r\n",
            b'\r\n+CEREG: 1,"33C2","022FE6CF",9,0,0,"11100000","11100000"\r\n',
        ),
    ],
)
def test_registration_is_reported_in_every_form(
    hand: Hands, reports: int, searching: bytes, registered: bytes
) -> None:
    bench = hand()
    bench.attach("AT+CFUN=4", f"AT+CEREG={reports}")
    output = bench.ask("AT+CFUN=1", 20.0)
    assert output.index(searching) < output.index(registered)


def test_without_reports_nothing_is_said(hand: Hands) -> None:
    bench = hand()
    bench.attach("AT+CFUN=4", "AT+CEREG=0")
    assert bench.ask("AT+CFUN=1", 20.0) == OK


def test_a_roaming_module_says_five(hand: Hands, steady: ModuleSettings) -> None:
    bench = hand(replace(steady, network=replace(steady.network, roaming=True)))
    bench.attach()
    assert bench.ask("AT+CEREG?") == line("+CEREG: 0,5")


def test_a_refused_attach_is_denied_with_its_cause_and_not_tried_again(
    hand: Hands, steady: ModuleSettings
) -> None:
    bench = hand(replace(steady, network=replace(steady.network, reject_cause=15)))
    bench.ask("ATE0")
    bench.ask("AT+CEREG=5")
    assert b"\r\n+CEREG: 3,,,,,0,15\r\n" in bench.wait(20)
    bench.wait(60)
    assert bench.ask("AT+CEREG?") == line("+CEREG: 5,3,,,,,0,15")
    assert bench.ask("AT+CGATT?") == line("+CGATT: 0")
    bench.ask("AT+CMEE=1")
    # Asked again, it tries again and is refused again.
    assert bench.ask("AT+CGATT=1", 20.0).endswith(b"\r\n+CME ERROR: 30\r\n")


def test_detaching_and_attaching_again_answers_when_it_is_done(hand: Hands) -> None:
    bench = hand()
    bench.attach("AT+CEREG=1")
    off = bench.ask("AT+CGATT=0", 10.0)
    assert off == b"\r\n+CEREG: 0\r\n\r\nOK\r\n"
    assert bench.ask("AT+CGPADDR") == OK
    on = bench.ask("AT+CGATT=1", 10.0)
    assert on == b"\r\n+CEREG: 2\r\n\r\n+CEREG: 1\r\n\r\nOK\r\n"


def test_attaching_where_there_is_no_network_fails_after_the_longest_time(
    hand: Hands, steady: ModuleSettings
) -> None:
    bench = hand(replace(steady, radio=RadioSettings(rsrp_dbm=-145, rsrp_variation_db=0.0)))
    bench.ask("ATE0")
    asked = bench.now
    assert bench.ask("AT+CGATT=1", 120.0) == ERROR
    assert bench.output[-1][0] - asked == pytest.approx(70.04)
    assert bench.ask("AT+CSQ") == line("+CSQ: 99,99")
    assert bench.ask("AT+CESQ") == line("+CESQ: 99,99,255,255,255,255")
    assert bench.ask("AT+QENG=0") == OK


def test_a_scan_names_the_operator_after_a_while(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    asked = bench.now
    answer = bench.ask("AT+COPS=?", 30.0)
    assert answer == line('+COPS: (2,"Testbed","Testbed","00101",9),,(0-4),(0-2)')
    assert 5.0 < bench.output[-1][0] - asked < 15.0


def test_the_default_apn_takes_effect_after_a_reset(hand: Hands) -> None:
    bench = hand()
    bench.attach('AT+QCGDEFCONT="IP","iot.1nce.net"')
    assert b'"iot"' in bench.ask("AT+CGDCONT?")
    bench.write(b"AT+QRST=1\r")
    bench.wait(2)
    bench.attach()
    assert b'"iot.1nce.net"' in bench.ask("AT+CGDCONT?")


def test_a_reset_by_cfun_says_ok_first(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    bench.write(b"AT+CFUN=1,1\r")
    assert bench.wait(0.5).startswith(b"\r\nOK\r\n\r\nF1: 0000 0000\r\n")


# -- power saving --------------------------------------------------------------------------------


def test_granted_timers_are_reported_when_the_network_has_answered(hand: Hands) -> None:
    bench = hand()
    bench.attach("AT+CEREG=4", "AT+CSCON=1")
    answer = bench.ask('AT+CPSMS=1,,,"00000110","00000101"', 10.0)
    assert answer.startswith(b"\r\nOK\r\n") or answer.startswith(b"\r\n+CSCON: 1")
    assert b'\r\n+CEREG: 1,"33C2","022FE6CF",9,,,"00000101","00000110"\r\n' in answer
    assert bench.ask("AT+CPSMS?") == line('+CPSMS: 1,,,"00000110","00000101"')
    off = bench.ask("AT+CPSMS=0", 10.0)
    assert b'"11100000","11100000"' in off


def test_a_network_without_psm_grants_nothing(hand: Hands, steady: ModuleSettings) -> None:
    bench = hand(replace(steady, network=replace(steady.network, psm=False)))
    bench.attach("AT+CEREG=4", 'AT+CPSMS=1,,,"00000110","00000001"', "AT+QNBIOTEVENT=1,1")
    assert b'"11100000","11100000"' in bench.ask("AT+CEREG?")
    assert b"PSM" not in bench.wait(300)


def test_cpsms_2_forgets_the_values(hand: Hands) -> None:
    bench = hand()
    bench.attach('AT+CPSMS=1,,,"00000110","00000001"', "AT+CPSMS=2")
    assert bench.ask("AT+CPSMS?") == line('+CPSMS: 0,,,"00100001","00000101"')


def test_edrx_is_granted_reported_and_withdrawn(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    granted = bench.ask('AT+CEDRXS=2,5,"0101"', 10.0)
    assert b'\r\n+CEDRXP: 5,"0101","0101","0011"\r\n' in granted
    assert bench.ask("AT+CEDRXRDP") == line('+CEDRXRDP: 5,"0101","0101","0011"')
    bench.ask("AT+CEDRXS=0", 10.0)
    assert bench.ask("AT+CEDRXRDP") == line("+CEDRXRDP: 0")
    bench.ask("AT+CEDRXS=3", 10.0)
    assert bench.ask("AT+CEDRXS?") == line('+CEDRXS: 5,"0010"')


def test_power_saving_events_are_reported_when_wanted(hand: Hands) -> None:
    bench = hand()
    bench.attach('AT+QCFG="dsevent",1', "AT+QNBIOTEVENT=1,1")
    assert bench.ask('AT+CPSMS=1,,,"00000110","00000001"', 0.1) == OK
    slept = bench.wait(40)
    assert slept == (b'\r\n+QNBIOTEVENT: "ENTER PSM"\r\n\r\n+QNBIOTEVENT: "ENTER DEEPSLEEP"\r\n')
    bench.write(b"A")
    assert bench.wait(1.0) == b'\r\n+QNBIOTEVENT: "EXIT DEEPSLEEP"\r\n'
    assert bench.ask("AT") == OK


def test_qrellock_lets_the_module_sleep_at_once(hand: Hands) -> None:
    bench = hand()
    bench.attach('AT+CPSMS=1,,,"00000110","00000000"')
    bench.wait(3)
    assert not bench.module.asleep
    bench.ask("AT+QRELLOCK", 0.1)
    assert bench.module.asleep


def test_the_lock_time_can_be_set(hand: Hands) -> None:
    bench = hand()
    bench.attach('AT+CPSMS=1,,,"00000110","00000000"', 'AT+QCFG="atlocktime",3')
    bench.ask("AT", 2.5)
    assert not bench.module.asleep
    bench.wait(1.0)
    assert bench.module.asleep


# -- sockets -------------------------------------------------------------------------------------


def opened(hand: Hands, *commands: str, mode: int = 1, **changes: Any) -> Any:
    bench = hand(**changes)
    bench.attach(f'AT+QIOPEN=1,0,"UDP","192.0.2.1",5683,4000,{mode}', *commands)
    return bench


def payloads(bench: Any) -> list[bytes]:
    return [action.payload for action in bench.actions if hasattr(action, "payload")]


def test_opening_says_ok_and_then_the_result(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    answer = bench.ask('AT+QIOPEN=1,2,"udp","192.0.2.1",5683')
    assert answer == b"\r\nOK\r\n\r\n+QIOPEN: 2,0\r\n"
    (action,) = bench.actions
    assert isinstance(action, SocketOpened)
    assert (action.address, action.port) == ("192.0.2.1", 5683)
    assert 49152 <= action.local_port <= 65535
    assert bench.ask("AT+QISTATE?") == line(
        f'+QISTATE: 2,"UDP","192.0.2.1",5683,{action.local_port},2,1,1'
    )
    assert bench.ask("AT+QISTATE=1,2") == bench.ask("AT+QISTATE=0,0")
    assert bench.ask("AT+QISTATE=1,1") == OK


def test_four_sockets_and_no_fifth_and_no_number_twice(hand: Hands) -> None:
    bench = hand()
    bench.attach("AT+CMEE=1")
    for number in range(4):
        answer = bench.ask(f'AT+QIOPEN=1,{number},"UDP","2001:db8::1",5683')
        assert answer.endswith(f"+QIOPEN: {number},0\r\n".encode())
    assert bench.ask('AT+QIOPEN=1,4,"UDP","192.0.2.1",5683') == ERROR
    assert bench.ask('AT+QIOPEN=1,1,"UDP","192.0.2.1",5683') == b"\r\n+CME ERROR: 563\r\n"
    ports = {action.local_port for action in bench.actions}
    assert len(ports) == 4


def test_tcp_is_not_there(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    assert bench.ask('AT+QIOPEN=1,0,"TCP","192.0.2.1",80') == b"\r\nOK\r\n\r\n+QIOPEN: 0,555\r\n"


def test_a_host_name_is_asked_for_and_a_wrong_one_reported(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    bench.ask('AT+QIOPEN=1,0,"UDP","hse.example",5683')
    asked = bench.actions[-1]
    assert isinstance(asked, NameAsked)
    assert asked.host == "hse.example"
    bench.module.resolved(asked.token, "192.0.2.7", bench.now)
    assert bench.wait(0.1) == b"\r\n+QIOPEN: 0,0\r\n"
    bench.ask('AT+QIOPEN=1,1,"UDP","nowhere.example",5683')
    bench.module.resolved(bench.actions[-1].token, None, bench.now)
    assert bench.wait(0.1) == b"\r\n+QIOPEN: 1,565\r\n"
    # A name server that never answers is given up.
    assert b"+QIOPEN: 2,565" in bench.ask('AT+QIOPEN=1,2,"UDP","silent.example",1', 40.0)


def test_names_in_the_settings_need_nobody(hand: Hands, steady: ModuleSettings) -> None:
    network = replace(steady.network, names=(("hse.example", "192.0.2.9"),))
    bench = hand(replace(steady, network=network))
    bench.attach()
    assert b"+QIOPEN: 0,0" in bench.ask('AT+QIOPEN=1,0,"UDP","HSE.example",5683')
    assert bench.actions[-1].address == "192.0.2.9"


@pytest.mark.parametrize(
    ("command", "payload"),
    [
        ("AT+QISEND=0,5,hello", b"hello"),
        ('AT+QISEND=0,5,"hello"', b"hello"),
        ("AT+QISEND=0,5,a,b;c", b"a,b;c"),
        ("AT+QISEND=0,5,hello,2", b"hello"),
        ('AT+QISEND=0,2,""', b'""'),
        ("AT+QISEND=0,3, x ", b" x "),
        ("AT+QISENDEX=0,2,00fF", b"\x00\xff"),
    ],
)
def test_inline_text_is_taken_by_its_length(hand: Hands, command: str, payload: bytes) -> None:
    bench = opened(hand)
    assert bench.ask(command, 0.2) == b"\r\nOK\r\n\r\nSEND OK\r\n"
    bench.wait(10)
    assert payloads(bench) == [payload]


@pytest.mark.parametrize(
    "command",
    [
        "AT+QISEND=0,5,hell",
        "AT+QISEND=0,5,helloo",
        "AT+QISEND=0,5,hello,3",
        "AT+QISEND=0,1025,x",
        "AT+QISENDEX=0,2,00f",
        "AT+QISENDEX=0,2,00fg",
        "AT+QISENDEX=0,0,",
    ],
)
def test_inline_data_that_is_not_as_long_as_it_says_is_refused(hand: Hands, command: str) -> None:
    bench = opened(hand)
    assert bench.ask(command) == ERROR
    bench.wait(10)
    assert payloads(bench) == []


def test_hex_is_sent_and_shown_when_dataformat_says_so(hand: Hands) -> None:
    bench = opened(hand, 'AT+QICFG="dataformat",1,1')
    assert bench.ask("AT+QISEND=0,3,00ffAA,1", 0.2) == b"\r\nOK\r\n\r\nSEND OK\r\n"
    bench.wait(10)
    assert payloads(bench) == [b"\x00\xff\xaa"]
    bench.module.datagram(bench.actions[0].socket, b"\x01\xfe", bench.now)
    assert bench.wait(20) == b'\r\n+QIURC: "recv",0,2,"01FE"\r\n'
    assert bench.ask("AT+QISEND=0,513," + "00" * 513) == ERROR
    assert bench.ask("AT+QISEND=0,512," + "00" * 512, 0.2).endswith(b"SEND OK\r\n")


def test_pushed_data_comes_with_its_length_and_may_hold_anything(hand: Hands) -> None:
    bench = opened(hand)
    bench.module.datagram(bench.actions[0].socket, b'\r\nOK\r\n"', bench.now)
    assert bench.wait(20) == b'\r\n+QIURC: "recv",0,7,"\r\nOK\r\n""\r\n'


def test_buffered_data_is_announced_and_read_in_pieces(hand: Hands) -> None:
    bench = opened(hand, 'AT+QICFG="showlength",1', mode=0)
    socket = bench.actions[0].socket
    assert bench.ask("AT+QIRD=0,100") == line("+QIRD: 0")
    bench.module.datagram(socket, b"abcdef", bench.now)
    bench.module.datagram(socket, b"gh", bench.now)
    announced = bench.wait(20)
    assert announced == b'\r\n+QIURC: "recv",0,6\r\n\r\n+QIURC: "recv",0,2\r\n'
    assert bench.ask("AT+QIRD=0,0") == line("+QIRD: 8")
    assert bench.ask("AT+QIRD=0,4") == line("+QIRD: 4,4", "abcd")
    assert bench.ask("AT+QIRD=0,100") == line("+QIRD: 2,2", "ef")
    bench.ask('AT+QICFG="viewmode",1')
    bench.ask('AT+QICFG="showlength",0')
    bench.ask('AT+QICFG="dataformat",0,1')
    assert bench.ask("AT+QIRD=0,100") == line("+QIRD: 2,6768")
    assert bench.ask("AT+QIRD=0") == line("+QIRD: 0")


def test_a_full_buffer_drops_what_comes_after(hand: Hands) -> None:
    bench = opened(hand, mode=0)
    for _ in range(5):
        bench.module.datagram(bench.actions[0].socket, b"x" * 1000, bench.now)
    assert bench.wait(60).count(b'"recv",0') == 4
    assert bench.ask("AT+QIRD=0,0") == line("+QIRD: 4000")


def test_what_was_sent_is_counted(hand: Hands) -> None:
    bench = opened(hand)
    bench.ask("AT+QISEND=0,5,hello", 5.0)
    assert bench.ask("AT+QISEND=0,0") == line("+QISEND: 5,5,0")


def test_sending_without_a_network_fails_as_a_second_result(hand: Hands) -> None:
    bench = opened(hand)
    bench.ask("AT+CFUN=4", 5.0)
    assert bench.ask("AT+QISEND=0,5,hello") == b"\r\nOK\r\n\r\nSEND FAIL\r\n"


def test_more_than_the_stack_can_hold_is_refused(hand: Hands, steady: ModuleSettings) -> None:
    quick = replace(steady, line=LineSettings(answer_s=0.0, jitter=0.0, baudrate=0))
    bench = hand(quick)
    bench.attach('AT+QIOPEN=1,0,"UDP","192.0.2.1",5683')
    answers = b"".join(bench.ask("AT+QISEND=0,1,x", 0.0) for _ in range(12))
    answers += bench.wait(0.1)
    assert answers.count(b"SEND OK") == 8
    assert answers.count(b"SEND FAIL") == 4
    bench.wait(30)
    assert len(payloads(bench)) == 8


def test_closing_frees_the_number_and_what_comes_late_is_dropped(hand: Hands) -> None:
    bench = opened(hand)
    socket = bench.actions[0].socket
    bench.ask("AT+QICLOSE=0")
    assert isinstance(bench.actions[-1], SocketClosed)
    bench.module.datagram(socket, b"late", bench.now)
    assert bench.wait(30) == b""
    assert bench.ask('AT+QIOPEN=1,0,"UDP","192.0.2.1",5683').endswith(b"+QIOPEN: 0,0\r\n")
    assert bench.actions[-1].socket != socket
    assert bench.ask("AT+QICLOSE=3") == b"\r\nOK\r\n\r\nCLOSE OK\r\n"  # even when not open


def test_a_name_is_looked_up_over_the_air_and_answered_as_urc(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    answer = bench.ask('AT+QIDNSGIP=1,"192.0.2.5"', 10.0)
    assert answer == (
        b'\r\nOK\r\n\r\n+QIURC: "dnsgip",0,1,600\r\n\r\n+QIURC: "dnsgip","192.0.2.5"\r\n'
    )
    assert bench.output[-1][0] - bench.output[-3][0] > 0.5
    bench.ask("AT+CFUN=4", 5.0)
    assert bench.ask('AT+QIDNSGIP=1,"192.0.2.5"', 5.0) == b'\r\nOK\r\n\r\n+QIURC: "dnsgip",565\r\n'


def test_ping_reports_each_answer_and_a_summary(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    lines = [x for x in bench.ask('AT+QPING=1,"192.0.2.5",4,3', 20.0).decode().split("\r\n") if x]
    assert lines[0] == "OK"
    assert [x.rsplit(",", 2)[0] for x in lines[1:4]] == ['+QPING: 0,"192.0.2.5",32'] * 3
    times = [int(x.split(",")[3]) for x in lines[1:4]]
    assert times[0] > times[1]  # the first had to set the connection up
    mean = round(sum(times) / 3)
    assert lines[4] == f"+QPING: 0,3,3,0,{min(times)},{max(times)},{mean}"
    bench.ask("AT+CFUN=4", 5.0)
    assert b"+QPING: 569" in bench.ask('AT+QPING=1,"192.0.2.5"', 5.0)


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in (
        lambda: RadioSettings(rsrp_dbm=0),
        lambda: RadioSettings(ecl_thresholds_dbm=(-120, -110)),
        lambda: NetworkSettings(inactivity_timer_s=0),
        lambda: NetworkSettings(core_loss=2),
        lambda: NetworkSettings(search_s=(3, 1)),
        lambda: LineSettings(jitter=1.0),
        lambda: LineSettings(baudrate=-1),
    ):
        with pytest.raises(ValueError, match=r".+"):
            wrong()
