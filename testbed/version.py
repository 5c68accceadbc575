"""The one place where the version stands (SemVer 0.x)."""

__version__ = "0.1.0"
