"""What a worker counted, as Prometheus reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from experiments.service.service import Service

Answers = Mapping[tuple[str, int], int]
"""How often each path gave each status."""


def exposition(service: Service, answers: Answers) -> tuple[bytes, str]:
    """Return the metrics of this worker as text, and its content type. Every worker counts for itself."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Worker(service, answers))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Worker(Collector):
    """Turns plain numbers into metrics when they are asked for, so that counting costs a request next to nothing."""

    def __init__(self, service: Service, answers: Answers) -> None:
        self._service = service
        self._answers = answers

    def collect(self) -> Iterator[Metric]:
        worker = str(os.getpid())
        requests = CounterMetricFamily(
            "landit_requests", "Requests answered on the hot path.", labels=("worker", "path", "status")
        )
        for (path, status), count in sorted(self._answers.items()):
            requests.add_metric((worker, path, str(status)), count)
        yield requests
        for name, help_text, count in (
            ("landit_degraded", "Decisions by weights, for want of a usable policy.", self._service.degraded),
            ("landit_journal_failures", "Writes and syncs of the journal that failed.", self._service.journal_failures),
        ):
            counter = CounterMetricFamily(name, help_text, labels=("worker",))
            counter.add_metric((worker,), count)
            yield counter
        generation = GaugeMetricFamily("landit_generation", "Generation of the catalog served.", labels=("worker",))
        generation.add_metric((worker,), self._service.generation)
        yield generation
