"""What a test on a bench ends in, beside pass and fail.

Each limit that a test asserts gets a verdict (`testbed.analysis.verdicts`). A limit that is broken
fails the test where it is asserted. One that is inconclusive does not end the test, so that what
follows is still checked: the test is inconclusive at its end, unless something failed. A warning
passes, and is told. A fault of the lab (port busy, module silent) says nothing about what is
tested: it is an error, no failure.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from testbed.analysis.verdicts import Judgement

__all__ = ["Verdicts", "lab_fault"]


class Verdicts:
    """What the limits of one test came out as.

    Args:
        item: the test; verdicts become properties of it, in JUnit reports too.
    """

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._open: list[str] = []
        self._unjudged: list[str] = []
        self._judged = False
        self.inconclusive = False
        """The test ended without a failure, and without an answer."""

    def tell(self, name: str, value: str) -> None:
        """Give the test a property, once."""
        if (name, value) not in self._item.user_properties:
            self._item.user_properties.append((name, value))

    def check(self, judgements: Sequence[Judgement]) -> None:
        """Take the verdicts on some limits.

        Raises:
            pytest.fail.Exception: one of them is broken.
        """
        from testbed.analysis.verdicts import Grade

        __tracebackhide__ = True
        broken = []
        for judgement in judgements:
            limit = f"{judgement.configuration}: {judgement.limit.text}"
            said = f"{judgement.grade}: {judgement.reason}"
            self.tell(limit, said)
            match judgement.grade:
                case Grade.FAIL:
                    broken.append(f"{limit}: {said}")
                case Grade.INCONCLUSIVE:
                    self._open.append(f"{limit}: {judgement.reason}")
                case Grade.NOT_JUDGED:
                    self._unjudged.append(f"{limit}: {judgement.reason}")
            self._judged |= judgement.grade is not Grade.NOT_JUDGED
        if broken:
            pytest.fail("\n".join(broken))

    def conclude(self) -> None:
        """See, at a test's end, whether its limits were decided.

        Raises:
            pytest.skip.Exception: one was not, or there was nothing to hold any of them against.
        """
        if self._open:
            self.inconclusive = True
            said = "inconclusive: " + "; ".join(self._open)
            raise pytest.skip.Exception(said, _use_item_location=True)
        if self._unjudged and not self._judged:
            said = "not judged: " + "; ".join(self._unjudged)
            raise pytest.skip.Exception(said, _use_item_location=True)


def lab_fault(error: BaseException) -> str | None:
    """What to say of an error that is the lab's fault; None of any other.

    Args:
        error: what a fixture or a test raised.
    """
    # Whoever raised one of these has imported its module: nothing is imported here to find out.
    errors, bridge = sys.modules.get("testbed.errors"), sys.modules.get("firmware_bridge.errors")
    kinds = [
        getattr(module, name)
        for module, name in ((errors, "TestbedError"), (bridge, "ModuleError"))
        if module is not None
    ]
    if not isinstance(error, tuple(kinds)):
        return None
    usage = errors is not None and isinstance(error, errors.UsageError)
    hint = getattr(error, "hint", None)
    said = f"{'usage' if usage else 'lab fault'}: {error}"
    return f"{said}\nnext: {hint}" if hint else said
