"""What a run consists of, and the runner.

On the shelves:

- ``lab.py``     the module and the HSE that a run uses: opened, and closed again
- ``faults.py``  what goes wrong with the module: noticed, named, kept until dealt with
- ``radio.py``   what the module tells about its radio connection while messages pass
- ``runner.py``  one configuration after the other, one message after the other, into the journal
"""

from testbed.campaign.runner import Progress, run_bench

__all__ = ["Progress", "run_bench"]
