"""The metrics: one catalogue, and the exporter that Prometheus scrapes.

- ``catalogue``  every metric once: name, type, unit, labels, help, buckets
- ``series``     counters, gauges and histograms by label values, collected from one snapshot
- ``collectors`` the journal's records and the HSE's counters as metrics
- ``exporter``   the HTTP server, on the loopback address

Exporter, dashboards, rules and ``docs/metrics.md`` read the catalogue or are checked against it;
nobody else writes a metric's name.
"""

from testbed.metrics.catalogue import CATALOGUE, Metric, MetricType, metric
from testbed.metrics.collectors import HseMetrics, RunMetrics
from testbed.metrics.exporter import MetricsServer

__all__ = [
    "CATALOGUE",
    "HseMetrics",
    "Metric",
    "MetricType",
    "MetricsServer",
    "RunMetrics",
    "metric",
]
