"""The BC66 driver. What it says of the radio and of power saving, and what it can't do."""

import re

import pytest

from firmware_bridge import (
    NotSupported,
    PowerSaving,
    driver,
)
from firmware_bridge.modules.bc66 import Bc66
from tests.firmware_bridge.modules.bc66.conftest import REGISTERED, Bench, Run

# -- radio ---------------------------------------------------------------------------------------


def test_the_radio_report_has_every_value_of_the_hardware_trace(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        start = b.now()
        report = await b.module.radio()
        assert report.rsrp_dbm == -92
        assert report.rsrq_db == -5
        assert report.rssi_dbm == -87
        assert report.sinr_db == 10
        assert report.ecl == 0
        assert report.cell == "022FE6CF"
        assert report.tac == "33C2"
        assert report.band == 3
        assert report.earfcn == 1694
        assert report.pci == 284
        assert report.tx_power_dbm == 14
        assert report.at == pytest.approx(start + 0.105)

    bench(test)


def test_without_the_serving_cell_the_signal_is_reported(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+QENG=0", "ERROR")
        report = await b.module.radio()
        assert (report.rsrp_dbm, report.rsrq_db, report.ecl) == (-103.0, -9.0, None)
        assert b.kinds() == ["Degraded"]

    bench(test)


def test_the_counters_are_in_seconds(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+QENG=2", "+QENG: 3,1234,56,7|OK")
        assert await b.module.counters() == {
            "sleep_time_s": 123.4,
            "rx_time_s": 5.6,
            "tx_time_s": 0.7,
        }

    bench(test)


# -- power saving --------------------------------------------------------------------------------


def test_power_saving_is_asked_for_in_bits_and_granted_in_seconds(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on('AT+CPSMS=1,,,"00111000","00000101"', "OK")
        b.fake.on('AT+CEDRXS=1,5,"0011"', "OK")
        off = '+CEREG: 5,1,"33C2","022FE6CF",9,,,"11100000","11100000"'
        b.fake.on("AT+CEREG?", off + "|OK", off + "|OK", REGISTERED + "|OK")
        b.fake.on("AT+CEDRXRDP", '+CEDRXRDP: 5,"0011","0010","0011"|OK')
        granted = await b.module.configure_power_saving(
            PowerSaving(psm=True, active_time_s=10, periodic_tau_s=86_000, edrx_cycle_s=40.96)
        )
        assert granted == PowerSaving(
            psm=True,
            active_time_s=10,
            periodic_tau_s=3_600,
            edrx_cycle_s=20.48,
            paging_window_s=10.24,
        )

    bench(test)


def test_power_saving_that_is_not_granted_is_returned_as_refused(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on('AT+CPSMS=1,,,,"00000101"', "OK")
        off = '+CEREG: 5,1,"33C2","022FE6CF",9,,,"11100000","00111000"'
        b.fake.on("AT+CEREG?", off + "|OK")
        start = b.now()
        granted = await b.module.configure_power_saving(PowerSaving(psm=True, active_time_s=10))
        assert granted == PowerSaving(psm=False, periodic_tau_s=86_400)
        assert b.now() - start == pytest.approx(15, abs=3)

    bench(test)


def test_power_saving_before_registration_waits_for_nothing(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CPSMS=1", "OK")
        b.fake.on("AT+CEREG?", "+CEREG: 5,2|OK")
        start = b.now()
        assert await b.module.configure_power_saving(PowerSaving(psm=True)) == PowerSaving()
        assert b.now() == start

    bench(test)


def test_timers_that_cereg_does_not_tell_are_asked_of_the_vendor_command(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CEREG?", '+CEREG: 2,1,"33C2","022FE6CF",9|OK')
        b.fake.on("AT+QPSMS?", "+QPSMS: 10,3600|OK")
        granted = await b.module.power_saving()
        assert (granted.psm, granted.active_time_s, granted.periodic_tau_s) == (True, 10, 3600)

    bench(test)


def test_power_saving_is_switched_off(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CPSMS=0", "OK")
        b.fake.on("AT+CEREG?", '+CEREG: 5,1,"33C2","022FE6CF",9,,,"11100000","11100000"|OK')
        granted = await b.module.configure_power_saving(PowerSaving())
        assert granted == PowerSaving()
        assert b.fake.count("AT+CPSMS=0") == b.fake.count("AT+CEDRXS=0") == 1

    bench(test)


# -- the tables ----------------------------------------------------------------------------------


def test_what_this_family_has_not_is_not_supported(bench: Run) -> None:
    async def test(b: Bench) -> None:
        with pytest.raises(NotSupported, match="bc66 does not support ping"):
            await b.module.ping("192.0.2.1")

    bench(test)


def test_the_registry_knows_the_driver() -> None:
    assert driver("BC66") is Bc66
    assert Bc66.family == "bc66"
    assert Bc66.default_baudrate == 115_200
    assert Bc66.operations


def test_every_entry_of_the_tables_names_its_source() -> None:
    for name, request in Bc66.FAMILY.requests.items():
        assert request.source.strip(), f"{name} has no source"
        assert request.text.startswith("AT")
        re.compile(request.answer)
    for line in Bc66.FAMILY.unsolicited:
        assert line.source.strip(), f"{line.name} has no source"
        re.compile(line.pattern)
    assert Bc66.FAMILY.max_payload_source
