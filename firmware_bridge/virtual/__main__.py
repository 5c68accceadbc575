"""``python -m firmware_bridge.virtual bc66``: a virtual module to try one's own software on."""

from __future__ import annotations

import argparse
import sys

from firmware_bridge.virtual.clock import MAX_TIME_SCALE
from firmware_bridge.virtual.dialects import FAMILIES
from firmware_bridge.virtual.serving import serve
from firmware_bridge.virtual.settings import ModuleSettings, RadioSettings


def _announce(path: str) -> None:
    sys.stdout.write(f"{path}\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Print the path of a pseudo-terminal with a virtual module on it, serve until stopped.

    Returns 0, or 2 when the arguments make no sense.
    """
    parser = argparse.ArgumentParser(
        prog="python -m firmware_bridge.virtual",
        description="A virtual NB-IoT module on a pseudo-terminal; its path is printed. "
        "Its UDP sockets reach the network of this machine. Stop it with Ctrl-C.",
    )
    parser.add_argument("family", choices=FAMILIES, help="module family")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="module seconds per real second (default 1)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of every random choice (default 0)")
    parser.add_argument(
        "--rsrp",
        type=float,
        default=RadioSettings().rsrp_dbm,
        metavar="DBM",
        help="mean reference signal power (default %(default)s)",
    )
    given = parser.parse_args(arguments)
    if not 0 < given.scale <= MAX_TIME_SCALE:
        parser.error(f"--scale: above 0, at most {MAX_TIME_SCALE:g}")
    try:
        settings = ModuleSettings(radio=RadioSettings(rsrp_dbm=given.rsrp))
    except ValueError as error:
        parser.error(str(error))
    serve(given.family, settings=settings, seed=given.seed, scale=given.scale, announce=_announce)
    return 0


if __name__ == "__main__":
    sys.exit(main())
