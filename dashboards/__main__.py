"""``python -m dashboards``: build the files, check them, or copy them to where they are used."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dashboards.build import FILES, build, copy, differing


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dashboards", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="write dashboards and rules from the metric catalogue")
    commands.add_parser("check", help="say which files a build would change")
    copying = commands.add_parser("copy", help="copy everything that is shipped into a new folder")
    copying.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    match chosen.command:
        case "build":
            for path in build():
                sys.stdout.write(f"{path.relative_to(FILES)}\n")
        case "check":
            changed = differing()
            for path in changed:
                sys.stdout.write(f"{path.relative_to(FILES)} is not what a build writes\n")
            return 1 if changed else 0
        case _:
            try:
                copy(chosen.folder)
            except FileExistsError:
                sys.stderr.write(f"error: {chosen.folder} is there already; name a new folder\n")
                return 2
            sys.stdout.write(f"{chosen.folder}: start with docker compose up -d there\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
