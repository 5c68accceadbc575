"""The bench description: what a run uses and what it does, validated before anything starts.

Come here to read a YAML file (`load_bench`), to build a description from options alone (`Bench`),
or to publish its JSON Schema (`bench_schema`). On the shelves:

- ``description.py``    the whole: HSE, traffic, matrix; and what may not be combined
- ``module.py``         the module under test, and how it is set up
- ``loading.py``        read from a file and from options, mistakes told with their lines
- ``campaign.py``       factors, blocks, when to stop
- ``protection.py``     how ESP may be used: allowed suites, options, lifetimes, recovery
- ``configuration.py``  one cell of the matrix: security, suite and compression, and its name
- ``source.py``         YAML with the line of each key, for errors that point at the mistake
- ``mistakes.py``       what a model finds wrong with it, as sentences
- ``private.py``        files that their owner alone may read
- ``subscribers.py``    one of these: the subscriber file of AKA
- ``aka.py``            where keys come from: a secret, or AKA and whose USIM
"""

from testbed.bench.aka import AkaDescription, Keys, UsimKind, UsimWay
from testbed.bench.campaign import (
    BudgetDescription,
    CampaignDescription,
    ExclusionDescription,
    FactorsDescription,
    UntilDescription,
)
from testbed.bench.configuration import (
    DEFAULT_MATRIX,
    DEFAULT_SUITE,
    Compression,
    Configuration,
    Security,
)
from testbed.bench.description import (
    Bench,
    HseDescription,
    Pace,
    RohcDescription,
    TrafficDescription,
)
from testbed.bench.loading import bench_schema, load_bench, validate_bench
from testbed.bench.module import ModuleDescription, PdpType, PowerSavingDescription
from testbed.bench.protection import (
    POLICIES,
    EspDescription,
    LifetimeDescription,
    RecoveryDescription,
    allowed_suites,
)

__all__ = [
    "DEFAULT_MATRIX",
    "DEFAULT_SUITE",
    "POLICIES",
    "AkaDescription",
    "Bench",
    "BudgetDescription",
    "CampaignDescription",
    "Compression",
    "Configuration",
    "EspDescription",
    "ExclusionDescription",
    "FactorsDescription",
    "HseDescription",
    "Keys",
    "LifetimeDescription",
    "ModuleDescription",
    "Pace",
    "PdpType",
    "PowerSavingDescription",
    "RecoveryDescription",
    "RohcDescription",
    "Security",
    "TrafficDescription",
    "UntilDescription",
    "UsimKind",
    "UsimWay",
    "allowed_suites",
    "bench_schema",
    "load_bench",
    "validate_bench",
]
