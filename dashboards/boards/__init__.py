"""The dashboards, one file each; `ALL` in the order in which they are listed.

- ``overview``    every module now
- ``security``    what each protection costs, with and without ROHC
- ``energy``      joules per message, and how long a battery lasts
- ``compression`` what ROHC sends, saves and repairs
- ``hse``         what the Home Security Endpoint lets through and refuses
- ``regression``  a suite's runs over time
"""

from dashboards.boards.compression import COMPRESSION
from dashboards.boards.energy import ENERGY
from dashboards.boards.hse import HSE
from dashboards.boards.overview import OVERVIEW
from dashboards.boards.regression import REGRESSION
from dashboards.boards.security import SECURITY

__all__ = ["ALL"]

ALL = (OVERVIEW, SECURITY, ENERGY, COMPRESSION, HSE, REGRESSION)
"""All dashboards."""
