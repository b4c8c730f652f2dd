"""How the feeds do, as `mainzdigital ingest` of this home tells it: read when it is scraped."""

import json
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class FeedMetrics(Collector):
    """Gauges with the label `feed`; none where nothing is told."""

    def __init__(self, status_file: Path) -> None:
        self._file = status_file

    def collect(self) -> Iterator[Metric]:
        success = GaugeMetricFamily(
            "mainzdigital_feed_last_success_timestamp_seconds", "When the last whole round ended", labels=["feed"]
        )
        failures = GaugeMetricFamily(
            "mainzdigital_feed_failures", "Rounds that failed since then, one after another", labels=["feed"]
        )
        for feed in self._told():
            name = str(feed.get("name", ""))
            failures.add_metric([name], float(feed.get("failures", 0)))
            if feed.get("success") is not None:
                success.add_metric([name], float(feed["success"]))
        yield success
        yield failures

    def _told(self) -> list[dict[str, float]]:
        try:
            feeds = json.loads(self._file.read_text("utf-8"))["feeds"]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        return [feed for feed in feeds if isinstance(feed, dict)]
