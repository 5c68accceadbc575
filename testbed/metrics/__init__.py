"""The metrics: one catalogue, and the exporter that Prometheus scrapes.

- ``catalogue``  every metric once: name, type, unit, labels, help, buckets
- ``series``     counters, gauges and histograms by label values, collected from one snapshot
- ``collectors`` the journal's records and the HSE's counters as metrics
- ``exporter``   the HTTP server, on the loopback address
- ``last_scrape`` a run that has ended waits for the scraper that came regularly
- ``suite``      a suite's latest run in a few gauges (needs numpy; import it where it is used)
- ``pushgateway`` these gauges pushed

Exporter, dashboards, rules and ``docs/metrics.md`` read the catalogue or are checked against it;
nobody else writes a metric's name.
"""

from testbed.metrics.catalogue import CATALOGUE, Metric, MetricType, metric
from testbed.metrics.collectors import HseMetrics, RunMetrics
from testbed.metrics.exporter import MetricsServer
from testbed.metrics.last_scrape import LastScrape

__all__ = [
    "CATALOGUE",
    "HseMetrics",
    "LastScrape",
    "Metric",
    "MetricType",
    "MetricsServer",
    "RunMetrics",
    "metric",
]
