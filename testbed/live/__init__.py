"""A run while it goes on: in a terminal, or as a page for a phone on the lab's network.

- ``state``   the run as it stands, fed with the journal's records: one JSON object
- ``tail``    a journal that another process is writing, read as it grows
- ``door``    the page and its data over HTTP, read-only; imports aiohttp
- ``page``    the page's HTML, from the metric catalogue's words
- ``assets``  its style sheets and script: constants, no data in them
- ``source``  what a terminal follows: a directory, or a live page elsewhere
- ``screen``  the run for a terminal (rich)

All of it reads what a run has written. Nothing here is asked by a run, or waited for.
"""

from testbed.live.state import LiveRun
from testbed.live.tail import JournalTail

__all__ = ["JournalTail", "LiveRun"]
