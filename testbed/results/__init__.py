"""What a run leaves behind, and the ways to read it again.

Runners come in to write; analysis, metrics, report and command line to read. On the shelves:

- ``directory``       the run directory: its name, where everything in it is
- ``manifest``        what the run was: versions, host, configuration, seed, module, clock
- ``records``         the journal's records, all of them; those of the run as a whole are in
                      ``run_records``, what all share in ``record_fields``
- ``journal``         the journal: one synced JSON object per line; the source of truth
- ``parquet``         the messages as a flat table, made from the journal
- ``baselines``       what is kept of a run so that later ones can be compared with it
- ``files``           files that are written whole, or not at all
- ``pcapng``          the capture format, and its writer
- ``links``           from a captured frame to the IP packet in it
- ``capture_reader``  captures of any program, packet by packet: pcap and pcapng
- ``capture``         the run's own capture, outer headers reconstructed
- ``esp_sa``          the table with which Wireshark decrypts that capture
"""

from testbed.results.capture import RunCapture
from testbed.results.capture_reader import CapturedPacket, CaptureReader, NotACapture
from testbed.results.directory import NotARunDirectory, RunDirectory
from testbed.results.esp_sa import EspSaTable
from testbed.results.files import WriteFailed, write_atomically
from testbed.results.journal import (
    Journal,
    JournalCorrupt,
    JournalError,
    JournalMissing,
    JournalReader,
    JournalVersionError,
    JournalWriter,
    Sync,
    read_journal,
)
from testbed.results.manifest import Manifest, ManifestError, TimeKind, start_manifest
from testbed.results.records import (
    SCHEMA_VERSION,
    STAGES,
    EndRecord,
    EnergyRecord,
    FaultRecord,
    FeedbackRecord,
    KeepaliveRecord,
    MessageRecord,
    Outcome,
    Record,
    RecordError,
    ResumedRecord,
    RunRecord,
    RunStatus,
    SessionRecord,
    SetupRecord,
    Stage,
    record_from_dict,
)

__all__ = [
    "SCHEMA_VERSION",
    "STAGES",
    "CaptureReader",
    "CapturedPacket",
    "EndRecord",
    "EnergyRecord",
    "EspSaTable",
    "FaultRecord",
    "FeedbackRecord",
    "Journal",
    "JournalCorrupt",
    "JournalError",
    "JournalMissing",
    "JournalReader",
    "JournalVersionError",
    "JournalWriter",
    "KeepaliveRecord",
    "Manifest",
    "ManifestError",
    "MessageRecord",
    "NotACapture",
    "NotARunDirectory",
    "Outcome",
    "Record",
    "RecordError",
    "ResumedRecord",
    "RunCapture",
    "RunDirectory",
    "RunRecord",
    "RunStatus",
    "SessionRecord",
    "SetupRecord",
    "Stage",
    "Sync",
    "TimeKind",
    "WriteFailed",
    "read_journal",
    "record_from_dict",
    "start_manifest",
    "write_atomically",
]
