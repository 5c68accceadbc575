"""What all parts of a bench description share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Model"]


class Model(BaseModel):
    """A part of a description: unknown keys are mistakes, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
