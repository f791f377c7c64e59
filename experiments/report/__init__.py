"""What a results page says: :class:`ExperimentReport`, and :func:`build_report` that makes it from sums."""

from experiments.analysis import Engine as Method
from experiments.report.build import SIMULATED, build_report
from experiments.report.numbers import (
    Against,
    BeliefLift,
    Contrast,
    FinalTest,
    MetricReport,
    MetricValue,
    SegmentReport,
    SegmentValue,
    SegmentVariant,
    ServedContrast,
    ServedReport,
    VariantReport,
)
from experiments.report.values import (
    Advice,
    Check,
    ExperimentReport,
    Finding,
    Level,
    Multiplicity,
    ProofReport,
    Traffic,
)

__all__ = [
    "SIMULATED",
    "Advice",
    "Against",
    "BeliefLift",
    "Check",
    "Contrast",
    "ExperimentReport",
    "FinalTest",
    "Finding",
    "Level",
    "Method",
    "MetricReport",
    "MetricValue",
    "Multiplicity",
    "ProofReport",
    "SegmentReport",
    "SegmentValue",
    "SegmentVariant",
    "ServedContrast",
    "ServedReport",
    "Traffic",
    "VariantReport",
    "build_report",
]
