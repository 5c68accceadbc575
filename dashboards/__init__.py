"""Grafana dashboards, Prometheus rules and scrape configuration.

They are generated from the metric catalogue in ``testbed.metrics.catalogue`` and shipped as data;
this room may import that catalogue and nothing else of ours. On the shelves:

- ``queries``  PromQL that names only what the catalogue has
- ``grafana``  dashboard JSON from small records
- ``panels``   the kinds of panel
- ``boards/``  the dashboards
- ``rules``    recording and alert rules
- ``build``    all of it written to ``files/``, where it is committed
- ``files/``   what a bench takes: a compose file, Prometheus and Grafana configured

``python -m dashboards build`` writes the generated files, ``check`` compares, ``copy FOLDER`` gives
a bench its own copy.
"""

from dashboards.build import FILES, build, copy, differing

__all__ = ["FILES", "build", "copy", "differing"]
