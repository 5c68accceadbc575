"""What the commands share: the application, consoles, exit codes, and errors made readable."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from rich.console import Console

import esp
import firmware_bridge
import rohc
from testbed.errors import ExitCode, TestbedError
from testbed.printable import printable
from testbed.version import __version__

__all__ = [
    "INTERRUPTED",
    "app",
    "main",
    "print_json",
    "print_json_line",
    "show_error",
    "show_warning",
    "stderr",
    "stdout",
]

_COMMANDS = ("run", "watch", "report", "compare", "baseline", "export", "hse", "module", "rohc")
"""Modules of this package that each register a command, in the order of the help."""

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells count it."""

app = typer.Typer(
    name="testbed",
    help="Hardware-in-the-loop testbed for battery efficient security on NB-IoT.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def stdout() -> Console:
    """The console for results."""
    return Console(highlight=False, emoji=False)


def stderr() -> Console:
    """The console for progress and errors."""
    return Console(stderr=True, highlight=False, emoji=False)


def print_json(value: Any) -> None:
    """Print one JSON object on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


def print_json_line(value: Any) -> None:
    """Print one JSON object on one line of standard output."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")
    sys.stdout.flush()


def show_error(message: str, hint: str | None) -> None:
    """Print what happened and the next step on standard error."""
    _show("[bold red]error:[/]", message, hint)


def show_warning(message: str, hint: str | None) -> None:
    """Print what went wrong beside the work itself, and the next step, on standard error."""
    _show("[bold yellow]warning:[/]", message, hint)


def _show(word: str, message: str, hint: str | None) -> None:
    console = stderr()
    console.print(f"{word} {_plain(message)}", soft_wrap=True)
    if hint:
        console.print(f"[bold]next:[/] {_plain(hint)}", soft_wrap=True)


def _plain(text: str) -> str:
    """Text that came from outside, with nothing in it that a terminal or markup obeys."""
    from rich.markup import escape

    return escape(printable(text))


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"testbed {__version__}\n")
        raise typer.Exit()


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    verbose: Annotated[
        int, typer.Option("-v", "--verbose", count=True, help="Say more; twice: everything.")
    ] = 0,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Log as JSON objects, one per line.")
    ] = False,
) -> None:
    """Set logging up, for all commands."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JsonFormatter() if log_json else logging.Formatter("%(levelname)s %(name)s: %(message)s")
    )
    levels = (logging.WARNING, logging.INFO, logging.DEBUG)
    logging.basicConfig(level=levels[min(verbose, 2)], handlers=[handler], force=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 pass, 1 limit, 2 usage, 3 lab fault, 4 inconclusive."""
    for command in _COMMANDS:
        import_module(f"testbed.cli.{command}")
    try:
        code = app(args=None if arguments is None else list(arguments), standalone_mode=False)
    except TestbedError as error:
        show_error(error.message, error.hint)
        sys.exit(int(error.exit_code))
    except firmware_bridge.ModuleError as error:
        usage = (firmware_bridge.PayloadTooLarge, firmware_bridge.UnknownFamily)
        show_error(str(error), getattr(error, "hint", None))
        sys.exit(int(ExitCode.USAGE if isinstance(error, usage) else ExitCode.LAB_FAULT))
    except (esp.LocalError, rohc.RohcError) as error:
        show_error(str(error), getattr(error, "hint", None))
        sys.exit(int(ExitCode.USAGE))
    except typer.Abort:
        sys.exit(INTERRUPTED)
    except KeyboardInterrupt:
        show_error("interrupted", None)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output is gone (`testbed ... | head`): nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(int(ExitCode.PASS))
    except Exception as error:
        format_message = getattr(error, "format_message", None)
        if format_message is None:
            raise
        if not format_message():  # no command: its help was printed, and that says it all
            sys.exit(int(ExitCode.USAGE))
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "testbed"
        show_error(str(format_message()), f"See `{command} --help`.")
        sys.exit(int(ExitCode.USAGE))
    sys.exit(int(code) if isinstance(code, int) else int(ExitCode.PASS))
