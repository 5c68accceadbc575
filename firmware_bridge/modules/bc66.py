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
log of a BC66NA with a 1NCE SIM; "Wiz-IO 17" issue 17 of its platformio-quectel-examples; "Zephyr"
is its bc66x modem driver; "Renode" its models Quectel_BC66 and Quectel_BC660K; "issue 917" a
hardware trace of a BC660K in renode issue 917.
"""

from __future__ import annotations

from types import MappingProxyType

from firmware_bridge.modules.dialect import Family, Unsolicited, WakePolicy, table
from firmware_bridge.modules.quectel import QuectelNbIot
from firmware_bridge.modules.quectel_tables import QUECTEL, QUECTEL_UNSOLICITED
from firmware_bridge.modules.records import Status
from firmware_bridge.modules.standard import logged, logged_elsewhere

__all__ = ["FAMILY", "Bc66"]

LOGGED = Status.FIELD_LOGGED
DOCUMENTED = Status.DOCUMENTED
UNPROVEN = Status.UNPROVEN

REQUESTS = table(
    QUECTEL,
    logged(
        QUECTEL,
        echo_off="field log 12656",
        radio_on="wolfgangklenk",
        registration="wolfgangklenk",
        registration_events="field log 12656 (level 5), wolfgangklenk (level 1)",
        signal="field log 12656",
        psm_off="field log 12656",
    ),
    logged_elsewhere(QUECTEL, "radio_report", "close", on="BC660K"),
)

UNSOLICITED = (
    Unsolicited(
        name="boot-rom",
        pattern=r"(?:F1|V0|U0|T0|0[01]): [0-9A-F]{4} [0-9A-F]{4}",
        banner=True,
        source="wolfgangklenk, Wiz-IO 17",
        status=LOGGED,
    ),
    Unsolicited(
        name="boot-rom",
        pattern=r"Leaving the BROM$",
        banner=True,
        source="wolfgangklenk, Wiz-IO 17",
        status=LOGGED,
    ),
    *QUECTEL_UNSOLICITED,
)

FAMILY = Family(
    name="bc66",
    title="Quectel BC66, BC66-NA",
    chipset="MediaTek MT2625",
    models=r"Quectel_BC66(?!0)",
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
            "counters": DOCUMENTED,
            "address": DOCUMENTED,
            "power_saving": DOCUMENTED,
            "sleep_and_wake": DOCUMENTED,
            "udp": DOCUMENTED,
            "release_assistance": DOCUMENTED,
            "dns": DOCUMENTED,
            "non_ip": UNPROVEN,
            "sim_access": UNPROVEN,
        }
    ),
    wake=WakePolicy(attempts=12, first_pause_s=0.3, pause_s=1.0, idle_s=10.0),
    context_id=1,
    socket_ids=(0, 1, 2, 3),
    max_payload=512,
    max_payload_source="512 octets in hexadecimal mode [unproven]; inline text takes 1024",
    max_binary_payload=1_024,
    sleep_loses_sockets=True,
    boot_s=20.0,
)
"""`idle_s` is the default of `AT+QCFG="slplocktimes"`, after which the module may sleep."""


class Bc66(QuectelNbIot):
    """Driver of the Quectel BC66."""

    FAMILY = FAMILY
