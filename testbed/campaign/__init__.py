"""What a run consists of: its plan, and the runner that carries it out.

On the shelves:

- ``plan.py``       which message is sent when: cells, blocks, numbers; a function of the seed
- ``payloads.py``   the messages of the plan, from their sources, at their sizes
- ``runner.py``     everything opened, the plan carried out, all closed again
- ``execution.py``  cell after cell: its session, and the module set up as it wants it
- ``sending.py``    one message after the other, and what happens between two of them
- ``ledger.py``     what was written down so far, and what follows from it
- ``stopping.py``   when a campaign knows enough
- ``resuming.py``   what an interrupted run left behind
- ``lab.py``        the module and the HSE that a run uses: opened, and closed again
- ``upkeep.py``     the module through a run: attached, set up otherwise, brought back
- ``faults.py``     what goes wrong with the module: noticed, named, kept until dealt with
- ``radio.py``      what the module tells about its radio connection while messages pass
- ``observers.py``  who looks on: at the HSE, on the wire, and what is in flight
- ``recovery.py``   when a UE re-keys by itself
"""

from testbed.campaign.ledger import Progress
from testbed.campaign.payloads import Payloads, load_payloads
from testbed.campaign.runner import run_bench

__all__ = ["Payloads", "Progress", "load_payloads", "run_bench"]
