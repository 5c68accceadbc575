"""What joins the rooms: bench description, the UE's stack, the HSE emulator, runs and results.

On the shelves:

- ``bench/``     the bench description (YAML) and its validation
- ``ue/``        the UE's stack of layers, its session with the HSE, the sending of one message
- ``hse/``       the HSE emulator: gateway (sans-IO), endpoint (sockets), applications, server
- ``campaign/``  what a run consists of, and the runner
- ``traffic/``   where payloads come from: captures and generators
- ``results/``   run directory, journal, capture, and their readers
- ``analysis/``  bytes, latency and energy read from a journal
- ``metrics/``   the metric catalogue and the Prometheus exporter
- ``report/``    the terminal table and the HTML report
- ``web/``       the server behind a run's page and metrics, and who may come in
- ``live/``      a run while it goes on: its state, page and terminal
- ``cli/``       one file per command
- ``pytest_plugin/``  modules, campaigns and verdicts for tests

``testbed`` imports ``firmware_bridge``, ``esp`` and ``rohc``; none of them imports ``testbed``.
"""

from testbed.version import __version__

__all__ = ["__version__"]
