"""What is proved now: statements from the sequences alone, each to be frozen with its date when it is first made.

==============  =======================================================================  ====================
kind            proved where                                                             numbers
==============  =======================================================================  ====================
BEST            it beats every other enabled variant (the rivals), each at 5%/(K − 1);   the closest of those
                where the best may change over time, at 5%/(K(K − 1)/2)                  differences
BETTER, WORSE   it is told from the control, and both limits at 5%/m leave zero out: m   difference
                contrasts of the objective or of a guardrail, of all secondary metrics,
                or of all segments
NOT_WORSE       one-sided, at the level of its contrast: not worse by more than the      lift
                metric's margin (which has to be more than 0)
HARMED          one-sided, of a guardrail: worse by more than its margin                 difference
NO_DIFFERENCE   both limits of the objective's lift are within what would matter         lift
PERSONALISED    what was served beats showing it to all, each at 5%/K; policies that     difference
                see a context only
==============  =======================================================================  ====================

A proof is frozen when it is first made, so its level has to hold for the union of all looks. It does for limits, each
of which leaves the truth out at any time with probability at most 5%/m; what e-BH finds at one look after another adds
up to more false discoveries than it promises for one. K and m count whatever there ever was, removed variants too.

'Best' is right although the variant is chosen afterwards: for a false claim one of the K − 1 contrasts of the truly
best has to err. All of it speaks of the average since ``since``: a variant may have become better, or worse, lately.

References
----------
Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, arXiv:2103.06476 (sequences). Holm 1979. Wang and Ramdas 2022 (e-BH).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.analysis.analysis import Analysis
from experiments.analysis.inference import Survey, survey
from experiments.analysis.reader import Reader
from experiments.analysis.values import UNIFORM, ContrastFinding, MetricFindings
from experiments.contenders import sees_context
from experiments.model import Experiment, Metric, Micros, Proof, ProofKind, Role
from experiments.statistics.sequential import ALPHA


@dataclass(frozen=True, slots=True)
class _Numbers:
    """An estimate and its limits, in the direction of the metric."""

    estimate: float
    low: float | None
    high: float | None

    def better(self, *, up: bool) -> bool:
        """Whether the limits are on the good side of zero; one that is unknown proves nothing."""
        if up:
            return self.low is not None and self.low > 0
        return self.high is not None and self.high < 0

    def bad_side(self, *, up: bool) -> _Numbers:
        """The one limit that harm is about, which is proved not to reach zero."""
        if up:
            return _Numbers(self.estimate, None, None if self.high is None else min(self.high, 0.0))
        return _Numbers(self.estimate, None if self.low is None else max(self.low, 0.0), None)

    def inside(self, reach: float) -> bool:
        """Whether both limits are known, and within ±``reach``."""
        return self.low is not None and self.high is not None and -reach < self.low <= self.high < reach

    @property
    def mirrored(self) -> _Numbers:
        """Of the other one less this one."""
        flip = [None if end is None else -end for end in (self.high, self.low)]
        return _Numbers(-self.estimate, flip[0], flip[1])


@dataclass(frozen=True, slots=True)
class _Scribe:
    """Writes proofs of one look."""

    analysis: Analysis
    time: Micros

    def write(
        self,
        kind: ProofKind,
        metric: Metric,
        variant: str,
        numbers: _Numbers,
        *,
        other: str | None = None,
        segment: str | None = None,
        margin: float | None = None,
        rivals: Sequence[str] = (),
    ) -> Proof:
        """Return a proof of this look."""
        told = (key for key in (variant, other, *rivals) if key is not None)
        return Proof(
            kind=kind,
            metric=metric.key,
            variant=variant,
            other=other,
            segment=segment,
            seq=self.analysis.seq,
            time=self.time,
            since=self.analysis.since,
            estimate=numbers.estimate,
            low=numbers.low,
            high=numbers.high,
            alpha=ALPHA,
            margin=margin,
            first=self.analysis.first_of(metric.key, tuple(told)),
            rivals=tuple(sorted(rivals)),
        )


def proved(analysis: Analysis, experiment: Experiment, *, time: Micros, found: Survey | None = None) -> list[Proof]:
    """Return every statement that the sums prove now, those of earlier looks among them as long as they still hold.

    Parameters
    ----------
    analysis
        Fitted to the experiment.
    experiment
        As it is in force.
    time
        The date of the proofs.
    found
        The survey of both, where there is one already.
    """
    known = survey(analysis, experiment) if found is None else found
    scribe = _Scribe(analysis, time)
    proofs = [*_of_objective(scribe, experiment, known.of(experiment.objective.key))]
    for metric in experiment.definition.metrics:
        proofs += _of_metric(scribe, metric, known.of(metric.key))
        for segment in known.segments:
            if (metric.key, segment) in known.findings:
                proofs += _told_apart(scribe, metric, known.of(metric.key, segment))
    return proofs


def beaten(analysis: Analysis, experiment: Experiment) -> frozenset[str]:
    """Return the enabled variants that another enabled one is proved to beat, of the objective."""
    return Reader(analysis, experiment).beaten(experiment.objective, _enabled(experiment))


def _of_objective(scribe: _Scribe, experiment: Experiment, found: MetricFindings) -> Iterator[Proof]:
    """Who is best; what makes no difference; whether choosing by the visitor pays."""
    metric, enabled = experiment.objective, _enabled(experiment)
    yield from _best(scribe, metric, enabled, found)
    matters = experiment.definition.smallest_lift
    for contrast in found.contrasts:
        lift = _lift(contrast)
        if matters is not None and lift is not None and lift.inside(matters):
            yield scribe.write(
                ProofKind.NO_DIFFERENCE, metric, contrast.variant, lift, other=contrast.other, margin=matters
            )
    if not sees_context(experiment.definition):
        return
    for contrast in found.served:
        numbers = _difference(contrast)
        fixed = contrast.other != UNIFORM and contrast.other in enabled
        if fixed and numbers is not None and numbers.better(up=metric.better_up):
            yield scribe.write(ProofKind.PERSONALISED, metric, contrast.other, numbers)


def _best(scribe: _Scribe, metric: Metric, enabled: Sequence[str], found: MetricFindings) -> Iterator[Proof]:
    pairs = _both_ways(found.pairs)
    for key in enabled:
        rivals = [other for other in enabled if other != key]
        others = [pairs.get((key, other)) for other in rivals]
        told = [numbers for numbers in others if numbers is not None and numbers.better(up=metric.better_up)]
        if told and len(told) == len(others):
            closest = min(told, key=lambda numbers: abs(numbers.estimate))
            yield scribe.write(ProofKind.BEST, metric, key, closest, rivals=rivals)


def _of_metric(scribe: _Scribe, metric: Metric, found: MetricFindings) -> Iterator[Proof]:
    """Who is told from the control, who is not worse, who does harm."""
    yield from _told_apart(scribe, metric, found)
    for contrast in found.contrasts:
        lift, difference, about = _lift(contrast), _difference(contrast), (metric, contrast.variant)
        against, margin = contrast.other, metric.margin
        if contrast.not_worse and margin > 0 and lift is not None:
            numbers = _within_margin(lift, metric)
            yield scribe.write(ProofKind.NOT_WORSE, *about, numbers, other=against, margin=margin)
        if contrast.harmed and metric.role is Role.GUARDRAIL and difference is not None:
            numbers = difference.bad_side(up=metric.better_up)
            yield scribe.write(ProofKind.HARMED, *about, numbers, other=against, margin=margin)


def _told_apart(scribe: _Scribe, metric: Metric, found: MetricFindings) -> Iterator[Proof]:
    segment, up = None if found.segment is None else str(found.segment), metric.better_up
    for contrast in found.contrasts:
        numbers = _difference(contrast)
        if not contrast.separated or numbers is None:
            continue
        for kind, rising in ((ProofKind.BETTER, up), (ProofKind.WORSE, not up)):
            if numbers.better(up=rising):
                yield scribe.write(kind, metric, contrast.variant, numbers, other=contrast.other, segment=segment)


def _within_margin(lift: _Numbers, metric: Metric) -> _Numbers:
    """The one limit that 'not worse' is about, which is proved to be within the margin."""
    if metric.better_up:
        low = -metric.margin if lift.low is None else max(lift.low, -metric.margin)
        return _Numbers(lift.estimate, low, None)
    high = metric.margin if lift.high is None else min(lift.high, metric.margin)
    return _Numbers(lift.estimate, None, high)


def _difference(contrast: ContrastFinding) -> _Numbers | None:
    if contrast.difference is None:
        return None
    return _Numbers(contrast.difference, contrast.low, contrast.high)


def _lift(contrast: ContrastFinding) -> _Numbers | None:
    return None if contrast.lift is None else _Numbers(contrast.lift, contrast.lift_low, contrast.lift_high)


def _both_ways(pairs: Sequence[ContrastFinding]) -> dict[tuple[str, str], _Numbers]:
    """Return the numbers of each shown pair, and of its mirror image."""
    found: dict[tuple[str, str], _Numbers] = {}
    for pair in pairs:
        numbers = _difference(pair)
        if numbers is not None:
            found[pair.variant, pair.other] = numbers
            found[pair.other, pair.variant] = numbers.mirrored
    return found


def _enabled(experiment: Experiment) -> list[str]:
    return [variant.key for variant in experiment.definition.variants if variant.enabled]
