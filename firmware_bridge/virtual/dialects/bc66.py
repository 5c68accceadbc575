"""Quectel BC66 (MediaTek MT2625).

What is peculiar: context 1; no RDY after a reset, only the boot ROM; AT+QSCLK answers ERROR (the
module always sleeps when it may); reports are off again after a reset; sockets in push or buffer
mode; names are answered as URC; no AT+CREG, AT&F, ATZ.

Sources, by their short names in the table:

* ``log 12656``: forums.quectel.com thread 12656, a BC66NBR01A10 on an Olimex board
* ``log klenk``: wolfgangklenk.wordpress.com, a BC66NAR01A03_BETA0808 on 1NCE
* ``log wiz-io``: github Wiz-IO/platformio-quectel-examples issue 17, a BC66NBR01A10
* ``log 917``: github renode/renode issue 917, hardware trace of a BC660K of 2026-05-28
* ``manual``: the maker's AT commands manuals (BC66 V1.0; where that could not be read, the same
  command of BC660K-GL V1.x)
* ``bc26 list``: the command list of the BC26 manual (same chip and firmware line), as an open
  library names it; commands that are in neither list nor log are not there
* ``tcpip``: the maker's TCP/IP application note (BC66 V1.0; BC660K-GL V1.1 where that could not be
  read)
* ``27.007``: 3GPP TS 27.007; ``V.250``: ITU-T V.250
* ``renode``: renode-infrastructure's QuectelModem model, tried against Zephyr's driver by its
  authors; a weaker source

What the logs show as ERROR stays ERROR, whatever other modules of the family can do.
"""

from __future__ import annotations

from firmware_bridge.virtual.dialects import nonip
from firmware_bridge.virtual.dialects import quectel_network as net
from firmware_bridge.virtual.dialects import quectel_power as power
from firmware_bridge.virtual.dialects import quectel_sockets as sockets
from firmware_bridge.virtual.dialects.quectel import Quectel, QuectelStorage
from firmware_bridge.virtual.dialects.simaccess import SIM_ACCESS
from firmware_bridge.virtual.dialects.table import Command, Table
from firmware_bridge.virtual.rrc import ConnectionState

__all__ = ["BROM_LINES", "TABLE", "Bc66"]

BROM_LINES = (
    "F1: 0000 0000",
    "V0: 0000 0000 [0001]",
    "00: 0006 000C",
    "01: 0000 0000",
    "U0: 0000 0001 [0000]",
    "T0: 0000 00B4",
    "Leaving the BROM",
)
"""Printed by the boot ROM at reset, before the interpreter runs; no RDY follows (log klenk)."""

TABLE: Table[Quectel] = {
    # -- V.250
    "E": Command(source="V.250 6.2.4; log 12656", execute=net.echo),
    "V": Command(source="V.250 6.2.6", execute=net.verbose),
    "I": Command(source="log 12656, log wiz-io", execute=net.identity),
    "&W": Command(source="bc26 list; renode", execute=""),
    # -- identity
    "+CGMI": Command(
        source="manual 2.2: three lines",
        test="",
        execute=net.chip_identity,
    ),
    "+CGMM": Command(source="manual 2.3", test="", execute=net.reading(lambda s: s.model)),
    "+CGMR": Command(
        source="manual 2.4", test="", execute=net.reading(lambda s: f"Revision: {s.firmware}")
    ),
    "+QGMR": Command(source="renode", execute=net.reading(lambda s: f"{s.firmware}_01.002.01.002")),
    "+CGSN": Command(
        source="manual 2.5: 0 or nothing the serial number, 1 IMEI, 2 IMEISV, 3 SVN",
        test="+CGSN: (0-3)",
        set=net.serial_number,
        execute=net.serial_number,
    ),
    "+CLAC": Command(
        source="27.007 8.37 [?]: not in the bc26 list", test="", execute=net.command_list
    ),
    "+CMEE": Command(
        source="27.007 9.1; manual 10.2",
        test="+CMEE: (0-2)",
        read=net.reading(lambda s: f"+CMEE: {s.error_format}"),
        set=net.error_format,
    ),
    "+IPR": Command(
        source="manual 3.2",
        test="+IPR: (" + ",".join(str(rate) for rate in net.BAUDRATES) + ")",
        read=net.reading(lambda s: f"+IPR: {s.storage.baudrate}"),
        set=net.baudrate,
    ),
    # -- USIM
    "+CPIN": Command(source="27.007 8.3; manual 8.6", test="", read=net.pin),
    "+CIMI": Command(
        source="27.007 5.6", test="", execute=net.with_card(lambda s: s.settings.card.imsi)
    ),
    "+QCCID": Command(
        source="log 12656",
        test="",
        execute=net.with_card(lambda s: f"+QCCID: {s.settings.card.iccid}"),
    ),
    **SIM_ACCESS,
    # -- registration
    "+CFUN": Command(
        source="27.007 8.2; manual 9.3",
        test="+CFUN: (0,1,4),(0,1)",
        read=net.reading(lambda s: f"+CFUN: {s.functionality}"),
        set=net.set_functionality,
    ),
    "+CEREG": Command(
        source="27.007 10.1.22; log 12656, log klenk",
        test="+CEREG: (0-5)",
        read=net.reading(
            lambda s: f"+CEREG: {s.registration_reports},{s.registration(s.registration_reports)}"
        ),
        set=net.set_registration_reports,
    ),
    "+CGATT": Command(
        source="27.007 10.1.9; manual 4.3",
        test="+CGATT: (0,1)",
        read=net.reading(lambda s: f"+CGATT: {int(s.module.equipment.registered)}"),
        set=net.attach,
    ),
    "+COPS": Command(
        source="27.007 7.3; manual 7.2",
        test=net.scan_operators,
        read=net.operator,
        set=net.set_operator,
    ),
    "+CGPADDR": Command(
        source="27.007 10.1.14; log 12656: the read form answers only OK when not attached",
        test="+CGPADDR: (1)",
        read=net.address,
        set=net.address,
        execute=net.address,
    ),
    "+CGDCONT": Command(
        source="27.007 10.1.1; manual 5.4",
        test='+CGDCONT: (1-7),("IP","NONIP","IPV6","IPV4V6"),,,(0),(0),,,,,(0,1),,(0,1),,'
        "(0,1),(0,1)",
        read=net.contexts,
        set=net.define_context,
    ),
    "+CGACT": Command(
        source="27.007 10.1.10; renode",
        test="+CGACT: (0,1)",
        read=net.reading(lambda s: f"+CGACT: 1,{int(s.module.equipment.registered)}"),
    ),
    "+QCGDEFCONT": Command(
        source="log klenk: stored, takes effect after a reset",
        test='+QCGDEFCONT: ("IP","NONIP","IPV6","IPV4V6")',
        read=net.reading(lambda s: f'+QCGDEFCONT: "{s.storage.pdp_type}","{s.storage.apn or ""}"'),
        set=net.default_context,
    ),
    "+QBAND": Command(
        source="log 12656",
        test="+QBAND: (0-19),(1,2,3,4,5,8,12,13,17,18,19,20,25,26,28,66,70,71,85)",
        read=net.reading(
            lambda s: f"+QBAND: {len(s.storage.bands)}," + ",".join(map(str, s.storage.bands))
        ),
        set=net.set_bands,
    ),
    # -- radio
    "+CSQ": Command(
        source="27.007 8.5; manual 4.7", test="+CSQ: (0-31,99),(0-7,99)", execute=net.signal_quality
    ),
    "+CESQ": Command(
        source="27.007 8.69; log 12656: rxlev and ber are filled in on this module",
        test="+CESQ: (0-63,99),(0-7,99),(255),(255),(0-34,255),(0-97,255)",
        execute=net.extended_quality,
    ),
    "+QENG": Command(
        source="log 917: line after 40 ms, OK 65 ms later; manual 4.8",
        test="+QENG: (0-3)",
        set=net.engineering,
        final_s=0.065,
    ),
    # -- connection and power saving
    "+CSCON": Command(
        source="27.007 10.1.30; manual 4.6",
        test="+CSCON: (0,1)",
        read=net.reading(
            lambda s: (
                f"+CSCON: {s.connection_reports},{int(s.module.state is ConnectionState.CONNECTED)}"
            )
        ),
        set=power.set_connection_reports,
    ),
    "+CPSMS": Command(
        source="27.007 7.38; log 12656; manual 9.4",
        test='+CPSMS: (0-2),,,("00000000"-"11111111"),("00000000"-"11111111")',
        read=net.reading(
            lambda s: (
                f'+CPSMS: {s.storage.psm_mode},,,"{s.storage.periodic_tau}",'
                f'"{s.storage.active_time}"'
            )
        ),
        set=power.set_power_saving,
    ),
    "+CEDRXS": Command(
        source="27.007 7.40; manual 9.1",
        test='+CEDRXS: (0-3),(5),("0000"-"1111")',
        read=net.reading(lambda s: f'+CEDRXS: 5,"{s.storage.edrx_cycle}"'),
        set=power.set_edrx,
    ),
    "+CEDRXRDP": Command(source="27.007 7.41; manual 9.2", test="", execute=power.edrx_granted),
    "+QNBIOTEVENT": Command(
        source="log 12656; manual 9.8",
        test="+QNBIOTEVENT: (0,1),(1)",
        read=net.reading(lambda s: f"+QNBIOTEVENT: {s.event_reports},1"),
        set=power.set_event_reports,
    ),
    "+QNBIOTRAI": Command(
        source="manual: 0 nothing, 1 no answer follows, 2 one answer follows",
        test="+QNBIOTRAI: (0-2)",
        read=net.reading(lambda s: f"+QNBIOTRAI: {s.release_assistance}"),
        set=power.set_release,
    ),
    "+CNMPSD": Command(source="Zephyr bc66x driver; 27.007", test="", execute=power.no_more_data),
    "+QRELLOCK": Command(
        source="renode: releases the sleep lock", test="", execute=power.release_lock
    ),
    "+QSCLK": Command(source="log 12656: AT+QSCLK=0 answers ERROR on BC66NBR01A10"),
    "+QCFG": Command(source="renode", set=power.configuration),
    "+QRST": Command(
        source="log klenk: the BROM lines come without an OK before them",
        test="+QRST: (1)",
        set=power.reset,
    ),
    "+CCLK": Command(source="renode", read=power.clock),
    "+CBC": Command(source="27.007 8.4", test="", execute=power.supply),
    # -- non-IP
    "+CSODCP": Command(
        source="27.007 10.1.43 [?]: not in the bc26 list",
        test="+CSODCP: (1),(950),(0-2),(0,1)",
        set=nonip.send,
    ),
    "+CRTDCP": Command(
        source="27.007 10.1.44 [?]: not in the bc26 list",
        test="+CRTDCP: (0,1),(1),(1600)",
        read=net.reading(lambda s: f"+CRTDCP: {s.non_ip_reports}"),
        set=nonip.set_reports,
    ),
    # -- sockets
    "+QIOPEN": Command(
        source="tcpip; renode: context 1, ids 0 to 3, access mode 1 (direct) by default",
        test='+QIOPEN: (1),(0-3),("TCP","UDP"),<host>,<remote_port>,<local_port>,(0,1)',
        set=sockets.open_socket,
    ),
    "+QISEND": Command(
        source="tcpip; log 917 shows SEND OK; renode: OK first",
        test="+QISEND: (0-3),(0-1024),<data>,(0-2)",
        set=sockets.send,
        takes_rest=True,
    ),
    "+QISENDEX": Command(
        source="bc26 list: send hex string data, whatever dataformat says",
        test="+QISENDEX: (0-3),(1-512),<hex_string>",
        set=sockets.send_hex,
    ),
    "+QIRD": Command(source="tcpip; renode", test="+QIRD: (0-3),(0-1024)", set=sockets.read),
    "+QICLOSE": Command(
        source="log 917: OK after 40 ms, CLOSE OK after 50 more",
        test="+QICLOSE: (0-3)",
        set=sockets.close,
    ),
    "+QISTATE": Command(
        source="tcpip", test="", read=sockets.state, set=sockets.state, execute=sockets.state
    ),
    "+QICFG": Command(
        source="tcpip; renode",
        test='+QICFG: "dataformat",(0,1),(0,1)\n+QICFG: "viewmode",(0,1)\n'
        '+QICFG: "showlength",(0,1)',
        set=sockets.configure,
    ),
    "+QIDNSGIP": Command(source="tcpip: the answer is a URC on BC66", test="", set=sockets.look_up),
    "+QPING": Command(source="tcpip", test="", set=sockets.ping),
}


class Bc66(Quectel):
    """The interpreter of a BC66."""

    table = TABLE
    model = "Quectel_BC66"
    default_firmware = "BC66NBR01A10"  # log 12656, log wiz-io
    chip = "MTK_2625"  # renode
    context_id = 1  # renode
    generic_access = True  # [?]: the manual's chapter of (U)SIM commands could not be read
    channels = False  # [?]: likewise
    buffer_mode = True
    options = {"viewmode": "view_comma", "showlength": "show_length"}  # noqa: RUF012
    look_up_as_urc = True
    keeps_reports = False  # log klenk: CEREG is 0 after the reset
    lock_setting = "atlocktime"  # renode

    def fresh_storage(self) -> QuectelStorage:
        """With the QCFG functions of this family (renode)."""
        functions = {
            "epco": 1,
            "combinedattach": 0,
            "up": 0,
            "upopt": 0,
            "multidrb": 0,
            "autopdn": 1,
            "ripin": 1,
            "initlocktime": 10,
            "dsevent": 0,
            "atlocktime": 10,
            "vbattimes": 10,
            "activetimer": 0,
        }
        return QuectelStorage(settings=functions)

    def boot_lines(self) -> bytes:
        """The boot ROM's lines."""
        return b"\r\n" + b"\r\n".join(line.encode() for line in BROM_LINES) + b"\r\n"
