"""What a run leaves behind, and the ways to read it again.

Runners come in to write; analysis, metrics, report and command line to read. On the shelves:

- ``directory``  the run directory: its name, its manifest, where everything in it is
- ``manifest``   what the run was: versions, host, configuration, seed, module, clock
- ``records``    the journal's records
- ``journal``    the journal: one synced JSON object per line; the source of truth
- ``pcapng``     captures: the format, written and read (pcap too)
- ``capture``    the run's own capture, with the headers that the module and the HSE's host wrote
- ``esp_sa``     the table with which Wireshark decrypts that capture
"""

from testbed.results.journal import (
    Journal,
    JournalCorrupt,
    JournalError,
    JournalMissing,
    JournalReader,
    JournalVersionError,
    JournalWriter,
    read_journal,
)
from testbed.results.records import (
    SCHEMA_VERSION,
    STAGES,
    EndRecord,
    EnergyRecord,
    MessageRecord,
    Outcome,
    Record,
    RecordError,
    RunRecord,
    RunStatus,
    SessionRecord,
    Stage,
    record_from_dict,
)

__all__ = [
    "SCHEMA_VERSION",
    "STAGES",
    "EndRecord",
    "EnergyRecord",
    "Journal",
    "JournalCorrupt",
    "JournalError",
    "JournalMissing",
    "JournalReader",
    "JournalVersionError",
    "JournalWriter",
    "MessageRecord",
    "Outcome",
    "Record",
    "RecordError",
    "RunRecord",
    "RunStatus",
    "SessionRecord",
    "Stage",
    "read_journal",
    "record_from_dict",
]
