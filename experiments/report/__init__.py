"""What an experiment's results page says: :class:`ExperimentReport`, and :func:`build_report` that makes it from sums."""

from experiments.report.values import (
    Advice,
    Check,
    Contrast,
    ExperimentReport,
    Finding,
    Level,
    MetricReport,
    MetricValue,
    Traffic,
    VariantReport,
)

__all__ = [
    "Advice",
    "Check",
    "Contrast",
    "ExperimentReport",
    "Finding",
    "Level",
    "MetricReport",
    "MetricValue",
    "Traffic",
    "VariantReport",
]
