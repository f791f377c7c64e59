"""Everything that the sums of an experiment say now: each metric, each segment value, every comparison.

A fixed split is read by its own means for as long as one weight vector drew all rows; anything else by the doubly
robust sums. The 5% are shared so: of the objective, and of each guardrail, between its contrasts with the control
(Holm); of all secondary metrics together by e-BH, and of the segments of each metric by e-BH. Limits are drawn at the
level of one contrast, 5%/m, so that all of a family hold together.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from experiments.analysis.analysis import Analysis
from experiments.analysis.families import discovered
from experiments.analysis.reader import Reader
from experiments.analysis.values import Engine, MetricFindings, SegmentValue
from experiments.model import Experiment, Role


@dataclass(frozen=True, slots=True)
class Survey:
    """All findings of one experiment.

    Parameters
    ----------
    engine
        What they were made with.
    control
        The variant that all others are compared with.
    findings
        By metric and segment value, None for all rows.
    balance
        The covariate as if it were a metric: a contrast that leaves zero out is a pre-experiment bias.
    """

    engine: Engine
    control: str
    findings: Mapping[tuple[str, SegmentValue | None], MetricFindings]
    balance: MetricFindings | None

    def of(self, metric: str, segment: SegmentValue | None = None) -> MetricFindings:
        """The findings of a metric that the experiment declares."""
        return self.findings[metric, segment]

    @property
    def segments(self) -> tuple[SegmentValue, ...]:
        """The segment values that there are numbers of, in the order of the declaration."""
        return tuple(dict.fromkeys(segment for _, segment in self.findings if segment is not None))


def findings(
    analysis: Analysis, experiment: Experiment, metric: str, segment: SegmentValue | None = None
) -> MetricFindings:
    """Return what is known of one metric; whoever wants several asks :func:`survey` once."""
    return survey(analysis, experiment, segments_of=(metric,)).of(metric, segment)


def survey(analysis: Analysis, experiment: Experiment, *, segments_of: Container[str] | None = None) -> Survey:
    """Return everything that the sums say of the experiment as it is now.

    Parameters
    ----------
    analysis
        Fitted to the experiment.
    experiment
        As it is in force.
    segments_of
        Keys of the metrics whose segments are asked for; all where left out.
    """
    reader = Reader(analysis, experiment)
    found: dict[tuple[str, SegmentValue | None], MetricFindings] = {}
    for metric in experiment.definition.metrics:
        found[metric.key, None] = reader.whole(metric)
        if segments_of is None or metric.key in segments_of:
            found |= {(metric.key, part.segment): part for part in discovered(reader.parts(metric))}
    secondary = [metric.key for metric in experiment.definition.metrics if metric.role is Role.SECONDARY]
    found |= {(part.metric, None): part for part in discovered([found[key, None] for key in secondary])}
    return Survey(reader.engine, experiment.control.key, found, reader.balance())
