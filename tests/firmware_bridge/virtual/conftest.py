"""A virtual module under a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from firmware_bridge.virtual import (
    Action,
    LineSettings,
    ModuleSettings,
    NetworkSettings,
    RadioSettings,
    VirtualModule,
)

START = 1000.0


@dataclass
class Hand:
    """Moves the clock, writes to the module, keeps what comes out with its time."""

    module: VirtualModule
    now: float = START
    output: list[tuple[float, bytes]] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)

    def until(self, when: float) -> None:
        """Let time pass, stopping at everything that is due."""
        while (due := self.module.next_timer()) is not None and due <= when:
            self.module.advance(due)
            self._take(due)
        self.module.advance(when)
        self.now = when
        self._take(when)

    def wait(self, seconds: float) -> bytes:
        """Let ``seconds`` pass; what came out meanwhile."""
        before = len(self.output)
        self.until(self.now + seconds)
        return b"".join(data for _, data in self.output[before:])

    def write(self, data: bytes) -> None:
        self.module.write(data, self.now)
        self._take(self.now)

    def ask(self, command: str, wait_s: float = 1.0) -> bytes:
        """Write a command line; all that comes out in the next second."""
        before = len(self.output)
        self.write(command.encode("latin-1") + b"\r")
        self.until(self.now + wait_s)
        return b"".join(data for _, data in self.output[before:])

    def attach(self, *commands: str) -> None:
        """No echo, registered, idle again, nothing left to read; then ``commands``."""
        self.ask("ATE0")
        for _ in range(100):
            if self.module.equipment.registered and self.module.state.value == "idle":
                break
            self.wait(1.0)
        assert self.module.equipment.registered
        for command in commands:
            assert b"\r\nOK\r\n" in self.ask(command, 5.0), command

    def when(self, text: bytes) -> float:
        """When ``text`` came out first."""
        return next(at for at, data in self.output if text in data)

    def _take(self, at: float) -> None:
        output = self.module.take_output()
        if output:
            self.output.append((at, output))
        self.actions += self.module.take_actions()


STEADY = ModuleSettings(
    line=LineSettings(jitter=0.0, baudrate=0),
    radio=RadioSettings(rsrp_variation_db=0.0),
    network=NetworkSettings(search_s=(2.0, 2.0)),
)


@pytest.fixture
def steady() -> ModuleSettings:
    """Settings without any variation, on a line that takes no time."""
    return STEADY


@pytest.fixture
def hand() -> Callable[..., Hand]:
    """Makes a module with steady answers and coverage, or with the given settings."""

    def make(settings: ModuleSettings = STEADY, seed: int = 1, family: str = "bc66") -> Hand:
        return Hand(VirtualModule(family, settings, seed, START))

    return make
