"""The bench description: what a run uses and what it does, validated before anything starts.

Come here to read a YAML file (`load_bench`), to build a description from options alone (`Bench`),
or to publish its JSON Schema (`bench_schema`). On the shelves:

- ``description.py``    the models: module, HSE, traffic, matrix; and what may not be combined
- ``configuration.py``  one cell of the matrix: a security and a compression, and its name
- ``source.py``         YAML with the line of each key, for errors that point at the mistake
"""

from testbed.bench.configuration import (
    DEFAULT_MATRIX,
    Compression,
    Configuration,
    Security,
)
from testbed.bench.description import (
    Bench,
    HseDescription,
    ModuleDescription,
    Pace,
    PowerSavingDescription,
    RohcDescription,
    TrafficDescription,
    bench_schema,
    load_bench,
    validate_bench,
)

__all__ = [
    "DEFAULT_MATRIX",
    "Bench",
    "Compression",
    "Configuration",
    "HseDescription",
    "ModuleDescription",
    "Pace",
    "PowerSavingDescription",
    "RohcDescription",
    "Security",
    "TrafficDescription",
    "bench_schema",
    "load_bench",
    "validate_bench",
]
