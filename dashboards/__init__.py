"""Grafana dashboards, Prometheus rules and scrape configuration.

They are generated from the metric catalogue in ``testbed.metrics.catalogue`` and shipped as data;
this room may import that catalogue and nothing else of ours.
"""
