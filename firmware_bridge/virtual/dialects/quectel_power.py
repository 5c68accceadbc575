"""Quectel: connection reports, power saving, sleep, reset: the commands' doings."""

from __future__ import annotations

from firmware_bridge.virtual.commands import Arguments, BadArgument
from firmware_bridge.virtual.dialects.quectel import Quectel
from firmware_bridge.virtual.dialects.table import Answer

# -- connection and power saving -------------------------------------------------------------------


def set_connection_reports(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+CSCON=``."""
    arguments.at_most(1)
    session.connection_reports = arguments.integer(0, 0, 1)
    return Answer()


def set_power_saving(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+CPSMS=``: 0 off, 1 on, 2 off and forget the values."""
    arguments.at_most(5)
    mode = arguments.integer(0, 0, 2)
    storage = session.storage
    if mode == 2:
        fresh = session.fresh_storage()
        storage.periodic_tau, storage.active_time = fresh.periodic_tau, fresh.active_time
        mode = 0
    else:
        storage.periodic_tau = arguments.bits(3, 8, default=storage.periodic_tau)
        storage.active_time = arguments.bits(4, 8, default=storage.active_time)
    storage.psm_mode = mode
    session.request_power_saving()
    return Answer()


def set_edrx(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+CEDRXS=``: 0 off, 1 on, 2 on with reports, 3 off and forget the value."""
    arguments.at_most(3)
    mode = arguments.integer(0, 0, 3)
    arguments.integer(1, 5, 5, default=5)
    cycle = arguments.bits(2, 4, default=session.storage.edrx_cycle)
    if mode == 3:
        cycle = session.fresh_storage().edrx_cycle
    session.storage.edrx_cycle = cycle
    session.storage.edrx_mode = mode
    session.request_edrx()
    return Answer()


def edrx_granted(session: Quectel, _: Arguments) -> Answer:
    """``AT+CEDRXRDP``."""
    return Answer(lines=(f"+CEDRXRDP: {session.edrx_fields()}",))


def set_event_reports(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+QNBIOTEVENT=``."""
    arguments.at_most(2)
    enable = arguments.integer(0, 0, 1)
    arguments.integer(1, 1, 1, default=1)
    session.event_reports = enable
    return Answer()


def set_release(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+QNBIOTRAI=``."""
    arguments.at_most(1)
    session.release_assistance = arguments.integer(0, 0, 2)
    return Answer()


def no_more_data(session: Quectel, _: Arguments) -> Answer:
    """``AT+CNMPSD``."""
    session.module.equipment.release_soon()
    return Answer()


def release_lock(session: Quectel, _: Arguments) -> Answer:
    """``AT+QRELLOCK``: the module may sleep at once."""
    return Answer(then=session.module.release_lock)


def configuration(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+QCFG=``: read or set one function."""
    arguments.at_most(2)
    name = arguments.string(0).lower()
    values = session.storage.settings
    if name not in values:
        raise BadArgument(f"no function {name}")
    if not arguments.given(1):
        return Answer(lines=(f'+QCFG: "{name}",{values[name]}',))
    values[name] = arguments.integer(1, 0, 65535)
    if name == session.lock_setting:
        session.module.set_lock(values[name])
    return Answer()


def reset(session: Quectel, arguments: Arguments) -> Answer:
    """``AT+QRST=``: no OK before it."""
    arguments.at_most(1)
    arguments.integer(0, 1, 1)
    return Answer(final=None, then=session.module.restart)


def clock(session: Quectel, _: Arguments) -> Answer:
    """``AT+CCLK?``: counts from the module's start."""
    seconds = int(session.timers.now)
    hours, rest = divmod(seconds % 86400, 3600)
    return Answer(lines=(f"+CCLK: 2026/01/01,{hours:02}:{rest // 60:02}:{rest % 60:02}GMT+0",))


def supply(session: Quectel, _: Arguments) -> Answer:
    """``AT+CBC``."""
    return Answer(lines=(f"+CBC: 0,0,{round(session.settings.power.voltage_v * 1000)}",))
