"""Quectel BC660K-GL (Qualcomm QCX212).

What it has otherwise than the BC66:

- The PDP context of sockets is 0.
- `RDY` at boot, then `+CFUN: 1`, `+CPIN: READY`, `+CEREG: 2`, and `+IP: a.b.c.d` when attached.
- It wakes on an edge of RXD: the first `AT` is lost; it may say `+QATWAKEUP`.
- Deep sleep outside PSM is told by `AT+QCFG="dsevent",1`.
- `ATI` prints the chip's revision; the firmware's is told by `AT+CGMR`.

Sources: see `bc66.py`.
"""

from __future__ import annotations

from types import MappingProxyType

from firmware_bridge.modules.dialect import Family, Request, Unsolicited, WakePolicy, table
from firmware_bridge.modules.quectel import QuectelNbIot
from firmware_bridge.modules.quectel_tables import QUECTEL, QUECTEL_UNSOLICITED
from firmware_bridge.modules.records import Status
from firmware_bridge.modules.standard import logged, logged_elsewhere

__all__ = ["FAMILY", "Bc660k"]

LOGGED = Status.FIELD_LOGGED
DOCUMENTED = Status.DOCUMENTED
UNPROVEN = Status.UNPROVEN

REQUESTS = table(
    QUECTEL,
    logged(
        QUECTEL,
        echo_off="field log 51858",
        radio_on="field log 51858",
        sim_state="field log 51858: plain ERROR without a SIM",
    ),
    logged_elsewhere(QUECTEL, "identify", "iccid", "reset", "set_apn", "sleep_events", on="BC66"),
    deep_sleep_events=Request(
        text='AT+QCFG="dsevent",1', source="Zephyr, Renode", status=DOCUMENTED
    ),
)

UNSOLICITED = (
    Unsolicited(name="awake", pattern=r"\+QATWAKEUP", source="Zephyr, Renode", status=DOCUMENTED),
    *QUECTEL_UNSOLICITED,
)

FAMILY = Family(
    name="bc660k",
    title="Quectel BC660K-GL",
    chipset="Qualcomm QCX212",
    models=r"Quectel_BC660K",
    baudrate=115_200,
    requests=REQUESTS,
    unsolicited=UNSOLICITED,
    operations=MappingProxyType(
        {
            "identify": DOCUMENTED,
            "attach": LOGGED,
            "detach": DOCUMENTED,
            "registration": DOCUMENTED,
            "radio": LOGGED,
            "counters": DOCUMENTED,
            "address": DOCUMENTED,
            "power_saving": DOCUMENTED,
            "sleep_and_wake": DOCUMENTED,
            "udp": LOGGED,
            "release_assistance": DOCUMENTED,
            "dns": DOCUMENTED,
            "non_ip": UNPROVEN,
            "sim_access": UNPROVEN,
        }
    ),
    wake=WakePolicy(attempts=12, first_pause_s=0.3, pause_s=1.0, idle_s=10.0),
    context_id=0,
    socket_ids=(0, 1, 2, 3),
    max_payload=512,
    max_payload_source="512 octets in hexadecimal mode [unproven]; inline text takes 1024",
    max_binary_payload=1_024,
    sleep_loses_sockets=True,
    boot_s=20.0,
)


class Bc660k(QuectelNbIot):
    """Driver of the Quectel BC660K."""

    FAMILY = FAMILY
