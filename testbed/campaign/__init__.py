"""What a run consists of, and the runner.

On the shelves:

- ``lab.py``        the module and the HSE that a run uses: opened, and closed again
- ``faults.py``     what goes wrong with the module: noticed, named, kept until dealt with
- ``radio.py``      what the module tells about its radio connection while messages pass
- ``observers.py``  who looks on: at the HSE, on the wire, and what is in flight
- ``recovery.py``   when a UE re-keys by itself
- ``sending.py``    one message after the other, and what happens between two of them
- ``runner.py``     everything opened, one configuration after the other, all closed again
"""

from testbed.campaign.runner import Progress, run_bench

__all__ = ["Progress", "run_bench"]
