"""From frozen analysis rows to what may be said of variants: rows -> sums -> findings -> proofs.

``values``
    What is found: frozen numbers, each with the reason where it cannot be shown.
``frame``, ``segments``, ``columns``
    What is counted, by which values rows are told apart, and rows as arrays.
``ledger``, ``metric_sums``, ``forecasts``, ``recent``
    The sums of one metric, what its scores are centred by, and the objective's last days.
``state``, ``analysis``
    All sums of an experiment and their bytes: a fold over rows and recorded versions.
``question``, ``fixed``, ``adaptive``, ``reader``, ``families``, ``inference``
    What the sums say now, by either engine, and how 5% is shared.
``proofs``
    What of it is proved.
"""

from experiments.analysis.analysis import Analysis
from experiments.analysis.inference import Survey, findings, survey
from experiments.analysis.ledger import Ledger
from experiments.analysis.proofs import beaten, proved
from experiments.analysis.segments import why_no_segments
from experiments.analysis.values import (
    SERVED,
    UNIFORM,
    ContrastFinding,
    Engine,
    MetricFindings,
    SegmentValue,
    VariantFinding,
)

__all__ = [
    "SERVED",
    "UNIFORM",
    "Analysis",
    "ContrastFinding",
    "Engine",
    "Ledger",
    "MetricFindings",
    "SegmentValue",
    "Survey",
    "VariantFinding",
    "beaten",
    "findings",
    "proved",
    "survey",
    "why_no_segments",
]
