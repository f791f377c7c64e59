"""Reads the ledgers of one analysis: which engine answers, at which level, and what is asked of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from experiments.analysis.adaptive import AdaptiveLanes
from experiments.analysis.analysis import Analysis
from experiments.analysis.families import held
from experiments.analysis.fixed import FixedEngine
from experiments.analysis.ledger import Ledger
from experiments.analysis.metric_sums import MetricSums
from experiments.analysis.question import Answers, Question
from experiments.analysis.stratified import Strata
from experiments.analysis.values import (
    NOTHING,
    SERVED,
    UNIFORM,
    ContrastFinding,
    Engine,
    MetricFindings,
    SegmentValue,
    VariantFinding,
)
from experiments.model import Experiment, Metric, MetricKind, Role
from experiments.statistics.sequential import ALPHA


def engine_of(analysis: Analysis, experiment: Experiment) -> Engine:
    """Say what the rows are read with."""
    fixed = experiment.definition.policy.name == "fixed" and not analysis.moved
    return Engine.FIXED if fixed else Engine.ADAPTIVE


class Reader:
    """Reads one analysis for one version of its experiment.

    Parameters
    ----------
    analysis
        The sums; a variant or metric that it does not know yet has no rows.
    experiment
        What is asked of them.
    """

    def __init__(self, analysis: Analysis, experiment: Experiment) -> None:
        self.engine = engine_of(analysis, experiment)
        self._analysis, self._experiment = analysis, experiment
        self._keys, self._control = experiment.variant_keys, experiment.control.key
        self._others = max(len({*analysis.variants, *self._keys}) - 1, 1)
        declared = [metric.key for metric in experiment.definition.metrics if metric.role is Role.SECONDARY]
        self._secondary = max(len({*analysis.secondary, *declared}), 1)

    def whole(self, metric: Metric) -> MetricFindings:
        """Return the findings of a metric over all rows; those of a secondary one are yet to be adjusted."""
        secondary = metric.role is Role.SECONDARY
        family = self._others * (self._secondary if secondary else 1)
        answers = self._answers(metric, family=family, lanes=(None,))
        found = self._found(metric.key, None, answers[0], family)
        if not secondary:
            found = replace(found, contrasts=held(found.contrasts, family=family))
        return self._compared(metric, found, answers[0]) if metric.role is Role.OBJECTIVE else found

    def parts(self, metric: Metric) -> list[MetricFindings]:
        """Return the findings of a metric over each segment value, yet to be adjusted."""
        segments = self._analysis.frame.lanes[1:] if metric.key in self._analysis.metrics else ()
        family = self._others * max(len(segments), 1)
        answers = self._answers(metric, family=family, lanes=segments) if segments else []
        paired = zip(segments, answers, strict=True)
        return [self._found(metric.key, segment, answer, family) for segment, answer in paired]

    def pairs(self, metric: Metric, answers: Answers | None = None) -> tuple[ContrastFinding, ...]:
        """Return every variant less every later one, at the level that 'best' needs.

        K − 1 of them have to hold for the truly best; all of them where it may become another one.
        """
        asked = self._judge(metric) if answers is None else answers
        return tuple(asked.contrast(a, b) for i, a in enumerate(self._keys) for b in self._keys[i + 1 :])

    def beaten(self, metric: Metric, among: Sequence[str]) -> frozenset[str]:
        """Return those ``among`` the variants that another one of them is ahead of, at the level that 'best' needs."""
        judge = self._judge(metric)
        return frozenset(loser for loser in among if any(judge.ahead(other, loser) for other in among))

    def balance(self) -> MetricFindings | None:
        """Return the findings of the covariate; None where none is declared."""
        ledger, sums = self._analysis.covariate, self._analysis.balance
        if ledger is None or sums is None:
            return None
        question = Question(ALPHA / self._others, self._experiment.definition.n_star)
        answers = self._engines(question, sums, [ledger])[0]
        found = self._filled(ledger, answers, self._others)
        return replace(found, contrasts=held(found.contrasts, family=self._others))

    def _answers(self, metric: Metric, *, family: int, lanes: Sequence[SegmentValue | None]) -> Sequence[Answers]:
        ratio = metric.kind is MetricKind.RATIO
        question = Question(
            ALPHA / family,
            self._experiment.definition.n_star,
            better_up=metric.better_up,
            margin=metric.margin,
            bounds=(-math.inf, math.inf) if ratio else metric.bounds,
            ratio=ratio,
            adjusted=not ratio and self._analysis.frame.covariate is not None,
        )
        sums = self._analysis.metrics.get(metric.key)
        ledgers = [self._analysis.ledger(metric.key, segment) for segment in lanes]
        known = [ledger for ledger in ledgers if ledger is not None]
        return [Unknown(question)] if sums is None else self._engines(question, sums, known)

    def _engines(self, question: Question, sums: MetricSums, ledgers: Sequence[Ledger]) -> Sequence[Answers]:
        if self.engine is Engine.FIXED:
            strata = self._strata(ledgers, question)
            return [FixedEngine(ledger, question, strata=strata) for ledger in ledgers]
        first = 0 if ledgers[0].segment is None else 1
        stretch = sums.between(first, first + len(ledgers))
        lanes = AdaptiveLanes(stretch, self._analysis.variants, question)
        return [lanes.lane(place) for place in range(len(ledgers))]

    def _strata(self, ledgers: Sequence[Ledger], question: Question) -> Strata | None:
        """Return the first declared segment's values, for a metric over all rows that no covariate adjusts."""
        whole = ledgers[0]
        splits = self._analysis.frame.splits
        if not splits or whole.segment is not None or question.adjusted or question.ratio:
            return None
        named = [SegmentValue(splits[0].attribute, label) for label in splits[0].labels]
        parts = [self._analysis.ledger(whole.metric, segment) for segment in named]
        return Strata(splits[0].attribute, tuple(part.moments for part in parts if part is not None))

    def _found(self, metric: str, segment: SegmentValue | None, answers: Answers, family: int) -> MetricFindings:
        ledger = self._analysis.ledger(metric, segment)
        if ledger is not None:
            return self._filled(ledger, answers, family)
        variants, contrasts = self._asked(answers)
        alpha = ALPHA / family
        return MetricFindings(metric, None, self.engine, 0, alpha, family, variants, contrasts, reason=NOTHING)

    def _filled(self, ledger: Ledger, answers: Answers, family: int) -> MetricFindings:
        variants, contrasts = self._asked(answers)
        return MetricFindings(
            metric=ledger.metric,
            segment=ledger.segment,
            engine=self.engine,
            rows=ledger.rows,
            alpha=ALPHA / family,
            family=family,
            variants=variants,
            contrasts=contrasts,
            population=_population(variants, ledger.rows) if self.engine is Engine.ADAPTIVE else "",
            reason="" if ledger.rows > 0 else NOTHING,
        )

    def _asked(self, answers: Answers) -> tuple[tuple[VariantFinding, ...], tuple[ContrastFinding, ...]]:
        others = [key for key in self._keys if key != self._control]
        means = tuple(answers.mean(key) for key in self._keys)
        return means, tuple(answers.contrast(key, self._control) for key in others)

    def _judge(self, metric: Metric) -> Answers:
        """Return what answers at the level that 'best' needs."""
        pairwise = self._experiment.definition.may_change
        family = self._others * (self._others + 1) // 2 if pairwise else self._others
        return self._answers(metric, family=family, lanes=(None,))[0]

    def _compared(self, metric: Metric, whole: MetricFindings, answers: Answers) -> MetricFindings:
        """Add what only the objective has: all pairs, the served policy, the audit line."""
        pairs = self.pairs(metric, None if self._experiment.definition.may_change else answers)
        whole = replace(whole, variants=self._audited(whole.variants), pairs=pairs)
        if self.engine is Engine.FIXED:
            return whole
        judge = self._answers(metric, family=self._others + 1, lanes=(None,))[0]
        served = tuple(judge.contrast(SERVED, other) for other in (UNIFORM, *self._keys))
        return replace(whole, served=served, served_mean=answers.mean(SERVED))

    def _audited(self, variants: Sequence[VariantFinding]) -> tuple[VariantFinding, ...]:
        """Add the audit line, where outcomes are bounded."""
        ledger = self._analysis.ledger(self._experiment.objective.key)
        if ledger is None or ledger.bounded is None:
            reason = NOTHING if ledger is None else "outcomes of the metric are not bounded: give it a cap or a maximum"
            return tuple(replace(found, audit_reason=reason) for found in variants)
        limits = ledger.bounded.limits(ALPHA)
        places = {key: place for place, key in enumerate(ledger.variants) if limits.shown[place]}
        return tuple(
            replace(
                found,
                audit_low=float(limits.low[places[found.variant]]),
                audit_high=float(limits.high[places[found.variant]]),
            )
            if found.variant in places
            else replace(found, audit_reason=NOTHING)
            for found in variants
        )


class Unknown:
    """Answers for a metric of which there is no row yet."""

    def __init__(self, question: Question) -> None:
        self._alpha = question.alpha

    def mean(self, variant: str) -> VariantFinding:
        """Nothing."""
        return VariantFinding(variant, 0, reason=NOTHING)

    def contrast(self, variant: str, other: str) -> ContrastFinding:
        """Nothing."""
        return ContrastFinding(variant, other, reason=NOTHING, lift_reason=NOTHING, alpha=self._alpha)

    def ahead(self, variant: str, other: str) -> bool:  # noqa: ARG002 - answers like any other
        """No."""
        return False


def _population(variants: Sequence[VariantFinding], rows: int) -> str:
    """Say whom the numbers speak of, where some variants had no chance on some rows."""
    fewer = [f"'{found.variant}' on {found.rows} of {rows} rows" for found in variants if 0 < found.rows < rows]
    if not fewer:
        return ""
    return f"a variant's numbers speak of the rows on which it had a chance: {', '.join(fewer)}"
