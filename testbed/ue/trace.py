"""When something that the UE sends passes its stages."""

from __future__ import annotations

from dataclasses import dataclass, field

from testbed.results.records import Stage

__all__ = ["KeyingTrace", "Trace"]


@dataclass(slots=True, kw_only=True)
class Trace:
    """Stages of one message or key exchange; they go on filling until the radio is released."""

    submitted_at: float
    """Loop time of the submission, in seconds."""
    stages: dict[Stage, float] = field(default_factory=dict)
    """Loop time of each stage that was observed."""

    def mark(self, stage: Stage, at: float) -> None:
        """Note the first time that a stage is reached."""
        if at >= self.submitted_at:
            self.stages.setdefault(stage, at)

    @property
    def stages_s(self) -> dict[str, float]:
        """Seconds after submission by stage, in the order of the way of a message."""
        return {
            stage.value: round(self.stages[stage] - self.submitted_at, 6)
            for stage in Stage
            if stage in self.stages
        }


@dataclass(slots=True, kw_only=True)
class KeyingTrace(Trace):
    """Stages of a key exchange: those that every transmission has, and its own."""

    keying: dict[str, float] = field(default_factory=dict)
    """Loop time of ``challenged``, ``authenticated`` and ``confirmed``, with AKA."""

    @property
    def all_stages_s(self) -> dict[str, float]:
        """Seconds after submission by stage, its own among the others, in the order of time."""
        own = {name: round(at - self.submitted_at, 6) for name, at in self.keying.items()}
        return dict(sorted((self.stages_s | own).items(), key=lambda item: item[1]))
