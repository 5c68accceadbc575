"""How many wrong packets ROHC lets through under loss and reordering, without and with its ICV.

The lines are those of the tests: 3 % of the packets lost alone, bursts of 10 to 44, 5 % late by 1
to 11 packets, both ways; IPv4 with a counting identification, one message every 10 s. A packet is
wrong when it comes out of a decompressor and nobody sent it.

    python benchmarks/wrong_packets.py [--messages N] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from testbed.compression import FeedbackWay, RohcMode, RohcSettings
from tests.testbed.hse.test_loss_and_reordering import run


def main() -> None:
    """Run every mode and way of feedback, print the table, and with --json the object."""
    parser = argparse.ArgumentParser(description="Wrong packets under loss and reordering.")
    parser.add_argument("--messages", type=int, default=6000, help="messages per row")
    parser.add_argument("--json", action="store_true", help="print a JSON object as the last line")
    options = parser.parse_args()
    figures: dict[str, int] = {}
    print(f"{'mode':4} {'feedback':12} {'ROHC ICV':18} {'at HSE':>7} {'at UE':>7} {'wrong':>6}")
    for mode in RohcMode:
        for way in FeedbackWay:
            for integrity in (None, "hmac-sha2-256-128"):
                settings = RohcSettings(mode=mode, feedback=way, integrity=integrity)
                with pytest.MonkeyPatch.context() as patch:
                    outcome = run(patch, settings, messages=options.messages)
                print(
                    f"{mode.value:4} {way.value:12} {integrity or 'off':18} "
                    f"{len(outcome.at_hse):7} {len(outcome.at_ue):7} {outcome.wrong:6}"
                )
                state = "off" if integrity is None else "on"
                figures[f"{mode.value}_{way.value}_icv_{state}_wrong"] = outcome.wrong
    if options.json:
        print(json.dumps({"name": "wrong_packets", "figures": figures}))


if __name__ == "__main__":
    main()
