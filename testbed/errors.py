"""Errors of the testbed, and the exit code that each of them ends the command line with.

::

    TestbedError                  root: message, hint (the next step), exit_code
    +-- UsageError                what was asked for cannot be done as asked (exit 2)
    |   +-- ...                   unknown key in a bench file, not a capture, not a run directory
    +-- LabFault                  the lab is at fault: port, module, meter, HSE (exit 3)

Rooms below this one (``rohc``, ``esp``, ``firmware_bridge``) have roots of their own; the command
line turns what escapes from them into one of these. A message is one clear sentence about what
happened and where; the hint is the next step for the person who reads it. Neither ever holds a key
or a secret.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

__all__ = ["ExitCode", "LabFault", "TestbedError", "UsageError"]


class ExitCode(IntEnum):
    """What a ``testbed`` command ends with."""

    PASS = 0
    """Everything that was asked for was done, and every limit was kept."""
    LIMIT_FAILED = 1
    """The run is valid and a limit was broken."""
    USAGE = 2
    """The command, a file or a configuration is wrong."""
    LAB_FAULT = 3
    """A port, module, meter or HSE did not do its part."""
    INCONCLUSIVE = 4
    """The run is valid and too short, or too noisy, to decide."""


class TestbedError(Exception):
    """Root of the testbed's own errors.

    Args:
        message: one sentence: what happened, and where.
        hint: the next step, or ``None`` where there is none to give.
        exit_code: what the command line ends with; by default the class's own.

    """

    __test__: ClassVar[bool] = False  # a name that begins with "Test" is not a test to collect
    default_exit_code: ClassVar[ExitCode] = ExitCode.LAB_FAULT

    def __init__(
        self, message: str, *, hint: str | None = None, exit_code: ExitCode | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = self.default_exit_code if exit_code is None else ExitCode(exit_code)

    def __str__(self) -> str:
        """The message alone; who prints it decides how the hint is shown."""
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        """Errors travel between processes whole, hint and exit code included."""
        return (_rebuild, (type(self), self.message, self.hint, self.exit_code, self.__dict__))


class UsageError(TestbedError):
    """What was asked for cannot be done as asked: command, file or configuration is wrong."""

    default_exit_code = ExitCode.USAGE


class LabFault(TestbedError):
    """A port, a module, a meter or the HSE is at fault, not the request."""

    default_exit_code = ExitCode.LAB_FAULT


def _rebuild(
    kind: type[TestbedError],
    message: str,
    hint: str | None,
    exit_code: ExitCode,
    attributes: dict[str, object],
) -> TestbedError:
    error = kind.__new__(kind)
    TestbedError.__init__(error, message, hint=hint, exit_code=exit_code)
    error.__dict__.update(attributes)
    return error
