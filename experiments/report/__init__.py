"""What a results page says: :class:`ExperimentReport`, and :func:`build_report` that makes it from sums."""

from experiments.report.build import SIMULATED, build_report
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
    "SIMULATED",
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
    "build_report",
]
