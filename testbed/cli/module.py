"""``testbed module``: ports and families, virtual modules, and a person's way to a real one."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from firmware_bridge import (
    LineLost,
    Module,
    ModuleError,
    ModuleEvent,
    ModuleTimeout,
    available_ports,
    driver,
    families,
    probe,
)
from firmware_bridge.at import AtLog, as_vector
from firmware_bridge.line import Line, holder_of
from firmware_bridge.masking import mask_identities
from firmware_bridge.modules.dialect import Family
from firmware_bridge.modules.events import Degraded
from firmware_bridge.modules.typed import TYPED_TIMEOUT_S
from firmware_bridge.usim import probe_usim
from firmware_bridge.virtual import FAMILIES as VIRTUAL
from firmware_bridge.virtual import ModuleSettings, RadioSettings
from firmware_bridge.virtual.clock import MAX_TIME_SCALE
from firmware_bridge.virtual.serving import serve
from testbed.cli.module_shell import run_shell
from testbed.cli.module_show import (
    families_json,
    print_families,
    print_ports,
    print_probe,
    say,
)
from testbed.cli.module_terminal import Terminal, family_of, is_virtual, opened
from testbed.cli.shared import app, print_json, print_json_line, stderr
from testbed.errors import LabFault, UsageError

__all__ = ["list_ports", "probe_port", "record", "shell", "virtual"]

commands = typer.Typer(
    name="module",
    help="Modules: ports and families, virtual modules, and a terminal to a real one.",
    add_completion=False,
    rich_markup_mode="rich",
    no_args_is_help=True,
)
app.add_typer(commands)

QUESTIONS = (
    *("ATI", "AT+CGMI", "AT+CGMM", "AT+CGMR", "AT+QGMR", "AT+CGSN=1", "AT+QCCID", "AT+NCCID"),
    *("AT+CMEE?", "AT+CFUN?", "AT+CPIN?", "AT+COPS?", "AT+CEREG?", "AT+CSCON?", "AT+CGATT?"),
    *("AT+CGDCONT?", "AT+CGPADDR", "AT+CSQ", "AT+CESQ", "AT+QENG=0", "AT+QENG=2"),
    *("AT+NUESTATS", "AT+CPSMS?", "AT+QPSMS?", "AT+CEDRXS?", "AT+CEDRXRDP", "AT+CCLK?"),
)
"""What is recorded without a file: questions alone, which change nothing in a module."""

Port = Annotated[
    str,
    typer.Argument(
        metavar="PORT",
        help="/dev/ttyUSB0, usb:VID:PID\\[:SERIAL], rfc2217://HOST:PORT, socket://HOST:PORT, or "
        "virtual:FAMILY for a virtual module that lives as long as the command.",
    ),
]
Baudrate = Annotated[
    int | None,
    typer.Option(min=50, max=4_000_000, help="Speed, bit/s; default: those of the families."),
]
FamilyName = Annotated[
    str | None, typer.Option("--family", help="Family; default: the module is asked.")
]
ShowIdentities = Annotated[
    bool,
    typer.Option(
        "--show-identities", help="Print IMEI, ICCID and IMSI whole, not their first digits."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CommandTimeout = Annotated[
    float, typer.Option("--timeout", min=0.1, help="Seconds that a command may take at least.")
]


def _known_families() -> list[Family]:
    found = (getattr(driver(name), "FAMILY", None) for name in sorted(families()))
    return [family for family in found if isinstance(family, Family)]


# -- list ------------------------------------------------------------------------------------------


@commands.command("list")
def list_ports(
    ports: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PORT...]", help="Ports to list; default: the serial ports here."),
    ] = None,
    ask: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Ask the module on each port that nobody holds which family it is. This sends it "
            "a few questions; without it no port is opened.",
        ),
    ] = False,
    show_families: Annotated[
        bool,
        typer.Option("--families", help="The families instead: operations, status, sources."),
    ] = False,
    json_output: Json = False,
) -> None:
    """List serial ports with their USB identity, who holds them, and which family is behind.

    A port does not tell its module's family by itself: the USB chips on the boards are all alike.
    """
    if show_families:
        known = _known_families()
        if json_output:
            print_json({"families": families_json(known)})
        else:
            print_families(known)
        return
    found = asyncio.run(_list(ports or [], ask))
    if json_output:
        print_json({"ports": found})
    elif not found:
        say("no serial port here; `testbed module virtual bc66` makes one with a virtual module")
    else:
        print_ports(found)


async def _list(ports: list[str], ask: bool) -> list[dict[str, Any]]:
    here = {port.device: port for port in available_ports()}
    found = []
    for name in ports or here:
        info = here.get(name)
        found.append(
            {
                "port": name,
                "usb": info.usb if info is not None else "",
                "description": info.description if info is not None else "",
                "holder": holder_of(name) if "://" not in name else "",
                "family": None,
                "said": "",
            }
        )
    if ask:
        # A pseudo-terminal is always held by whoever made it, so a named port is tried anyway.
        asked = [port for port in found if ports or not port["holder"]]
        await asyncio.gather(*(_tell_family(port) for port in asked))
    return found


async def _tell_family(port: dict[str, Any]) -> None:
    try:
        async with opened(port["port"]) as line:
            told = await probe(line)
    except ModuleError as error:
        port["said"] = str(error)
        return
    port["family"] = told.family
    port["said"] = mask_identities(", ".join(told.lines))


# -- virtual ---------------------------------------------------------------------------------------


@commands.command()
def virtual(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help=f"{', '.join(VIRTUAL)}.")],
    scale: Annotated[
        float, typer.Option("--scale", help="Module seconds per real second, to 1000.")
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed", help="Of every random choice.")] = 0,
    rsrp: Annotated[
        float, typer.Option("--rsrp", metavar="DBM", help="Mean reference signal power.")
    ] = RadioSettings().rsrp_dbm,
    link: Annotated[
        Path | None,
        typer.Option("--link", help="Symbolic link to keep on it: a name that stays the same."),
    ] = None,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the path in a JSON object on one line.")
    ] = False,
) -> None:
    """Put a virtual module on a pseudo-terminal, print its path, and serve until Ctrl-C.

    Any serial program can open it, as often as it likes. Its UDP sockets reach the real network of
    this machine.
    """
    if family.lower() not in VIRTUAL:
        raise UsageError(
            f"there is no virtual module {family!r}", hint=f"There are: {', '.join(VIRTUAL)}."
        )
    if not 0 < scale <= MAX_TIME_SCALE:
        raise UsageError(
            f"--scale {scale:g} is not above 0 and at most {MAX_TIME_SCALE:g}",
            hint="Leave it out for real time.",
        )
    try:
        settings = ModuleSettings(radio=RadioSettings(rsrp_dbm=rsrp))
    except ValueError as error:
        raise UsageError(f"--rsrp: {error}", hint="A good cell has -90, a cellar -125.") from error

    def announce(path: str) -> None:
        if json_output:
            print_json_line({"port": path, "family": family.lower(), "link": link and str(link)})
        else:
            typer.echo(path)
        stderr().print("serving; Ctrl-C ends it")

    try:
        serve(family, settings=settings, seed=seed, scale=scale, link=link, announce=announce)
    except ValueError as error:
        raise UsageError(str(error), hint="Give --link another name.") from error
    except OSError as error:
        raise LabFault(
            f"no pseudo-terminal for the module: {error}",
            hint="See that the folder of --link exists and can be written."
            if link is not None
            else "See that /dev/ptmx can be opened.",
        ) from error


# -- probe -----------------------------------------------------------------------------------------


@commands.command("probe")
def probe_port(
    port: Port,
    baudrate: Baudrate = None,
    usim: Annotated[
        bool,
        typer.Option(
            "--usim",
            help="Also find out which commands lead to the USIM. It is asked for its identity, "
            "never for an authentication.",
        ),
    ] = False,
    show_identities: ShowIdentities = False,
    json_output: Json = False,
) -> None:
    """Tell which family a port leads to, and how its module stands.

    Echo is off and notifications are on afterwards, as after a run, until the module reboots.
    """
    found = asyncio.run(_probe(port, baudrate, show_identities, usim))
    if json_output:
        print_json(found)
    else:
        print_probe(found)


async def _probe(
    port: str, baudrate: int | None, show_identities: bool, usim: bool
) -> dict[str, Any]:
    async with opened(port, baudrate) as line:
        told = await (probe(line, (baudrate,)) if baudrate else probe(line))
        if told.family is None:
            said = mask_identities(" | ".join(told.lines)) or "nothing about itself"
            raise LabFault(
                f"the module on {port} is of no known family; it says: {said}",
                hint=f"Known: {', '.join(sorted(families()))}. "
                "`testbed module record` keeps what it answers.",
            )
        found = await _ask(line, told.family, usim)
    if not show_identities:
        for name in ("imei", "iccid"):
            found["identity"][name] = mask_identities(found["identity"][name])
        if found["usim"] is not None:
            found["usim"]["imsi"] = mask_identities(found["usim"]["imsi"])
    return {"port": port, "baudrate": told.baudrate, **found}


async def _ask(line: Line, name: str, usim: bool) -> dict[str, Any]:
    cls = driver(name)
    module = cls(line)
    degraded: dict[str, str] = {}
    unanswered: dict[str, str] = {}

    def note(event: ModuleEvent) -> None:
        if isinstance(event, Degraded):
            degraded[event.feature] = event.reason

    async def told(what: str, question: Any) -> Any:
        try:
            return await question
        except LineLost:
            raise
        except ModuleError as error:
            unanswered[what] = str(error)
            return None

    module.subscribe(note)
    identity = asdict(await module.start())
    registration = await told("registration", module.registration())
    radio = await told("radio", module.radio())
    saving = await told("power saving", module.power_saving())
    card = await told("USIM", probe_usim(module)) if usim else None
    return {
        "family": name,
        "title": _title(module),
        "identity": identity,
        "registration": None
        if registration is None
        else asdict(registration) | {"state": registration.state.name.lower()},
        "operator": await told("operator", module.operator()),
        "address": await told("address", module.address()),
        "radio": None
        if radio is None
        else {key: value for key, value in asdict(radio).items() if key != "at"},
        "power_saving": None if saving is None else asdict(saving),
        "usim": None
        if card is None
        else {
            "path": card.path and card.path.value,
            "reasons": {path.value: reason for path, reason in card.reasons.items()},
            "imsi": card.identity.imsi,
            "gsm_access": card.identity.gsm_access,
            "gba": card.identity.gba,
        },
        "unanswered": unanswered,
        "degraded": degraded,
    }


def _title(module: Module) -> str:
    family = getattr(type(module), "FAMILY", None)
    return family.title if isinstance(family, Family) else type(module).family


# -- shell -----------------------------------------------------------------------------------------


@commands.command()
def shell(
    port: Port,
    family: FamilyName = None,
    baudrate: Baudrate = None,
    timeout_s: CommandTimeout = TYPED_TIMEOUT_S,
    log_file: Annotated[
        Path | None,
        typer.Option("--log", help="Keep the exchange in this file, identities masked."),
    ] = None,
) -> None:
    r"""Talk to a module by hand, with timers decoded and errors explained beside their lines.

    Marks: > sent, < answered, ! came unasked, ? not understood; in front the seconds since the
    start. At a prompt the next line is the payload, \xNN an octet of it. Ctrl-D ends, Ctrl-C gives
    a command up. Commands may also come from a pipe.
    """
    if log_file is not None:
        _see_that_it_can_be_written(log_file, force=False)
    run_shell(port, family, baudrate, timeout_s, log_file)


# -- record ----------------------------------------------------------------------------------------


@commands.command()
def record(
    port: Port,
    target: Annotated[Path, typer.Argument(metavar="OUT.txt", help="Vector to write.")],
    commands_file: Annotated[
        Path | None,
        typer.Option(
            "--commands",
            help="Commands, one a line; # starts a comment, the line after one that opens a prompt "
            "is the payload. Default: questions that change nothing.",
        ),
    ] = None,
    family: FamilyName = None,
    baudrate: Baudrate = None,
    timeout_s: CommandTimeout = TYPED_TIMEOUT_S,
    linger_s: Annotated[
        float, typer.Option("--linger", min=0, help="Seconds to listen on after the last answer.")
    ] = 1.0,
    source: Annotated[
        str, typer.Option("--source", help="Where it was recorded, for its head.")
    ] = "testbed module record",
    notes: Annotated[
        list[str] | None, typer.Option("--note", help="A remark for its head, may be repeated.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT.txt if it exists.")] = False,
) -> None:
    """Record a module's answers as a vector: transcripts that tests and drivers are built from.

    IMEI, IMSI, ICCID, serial and telephone numbers are masked; addresses, cells and the APN are
    not. What was recorded until a fault, or until Ctrl-C, is kept.
    """
    lines = list(QUESTIONS) if commands_file is None else _read_commands(commands_file)
    _see_that_it_can_be_written(target, force=force)
    log = AtLog(keep=1_000_000)
    head = {"family": family or "unknown", "status": "complete"}
    try:
        asyncio.run(_record(port, lines, log, head, baudrate, timeout_s, linger_s))
    except BaseException as error:
        head["status"] = f"ended early: {error or type(error).__name__}"
        raise
    finally:
        if log.entries():
            remarks = [f"recorded {datetime.now(UTC):%Y-%m-%d}, identities masked", *(notes or ())]
            if head["status"] != "complete":
                remarks.append(mask_identities(head["status"]))
            text = as_vector(
                log.entries(),
                family=head["family"],
                kind="virtual" if is_virtual(port) else "field-log",
                source=_one_line(source),
                notes=[_one_line(remark) for remark in remarks],
            )
            target.write_text(text, encoding="utf-8")
            exchanges = sum(line.startswith(">") for line in text.splitlines())
            say(f"{target}: {exchanges} lines sent, {text.count(chr(10) + '<')} heard")


async def _record(
    port: str,
    lines: list[str],
    log: AtLog,
    head: dict[str, str],
    baudrate: int | None,
    timeout_s: float,
    linger_s: float,
) -> None:
    given = head["family"] if head["family"] != "unknown" else None
    async with opened(port, baudrate) as line:
        family = await family_of(line, given, baudrate)
        head["family"] = family.name if family is not None else "unknown"
        terminal = Terminal(line, family, log=log, timeout_s=timeout_s)
        for text in lines:
            try:
                await terminal.enter(text)
            except ModuleTimeout as error:
                # Not the end: old firmware has commands that it never answers.
                stderr().print(f"warning: {error}", markup=False)
        await terminal.abort_prompt()
        await asyncio.sleep(linger_s)


def _read_commands(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(
            f"the commands in {path} can't be read: {reason}", hint="One command a line."
        ) from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise UsageError(f"{path} holds no command", hint="One command a line.")
    return lines


def _see_that_it_can_be_written(target: Path, *, force: bool) -> None:
    if target.exists() and not (force and target.is_file()):
        raise UsageError(
            f"{target} exists",
            hint="Give another name" + (", or --force." if target.is_file() else "."),
        )
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}", hint="Make it first.")


def _one_line(text: str) -> str:
    return " ".join(text.split())
