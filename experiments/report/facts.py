"""What a report is made from: the store's sums, added over phases, and how the traffic was split."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from experiments.model import Experiment, Micros, Proof, Variant
from experiments.report.course import Course, contents_since, course_of
from experiments.report.traffic import step_over
from experiments.statistics.moments import Missing, Moments
from experiments.store import ExperimentVersion, Health, Store, TrafficBucket, VariantSums

TOLERANCE = 1e-6
"""Logged shares further than this from the weights were not drawn by the weights alone."""


@dataclass(frozen=True, slots=True)
class Split:
    """The one weight vector that was in force wherever there are rows: K positive shares that add up to one."""

    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was read from the store for one report."""

    experiment: Experiment
    now: Micros
    variants: tuple[Variant, ...]
    """The current variants, then those that were removed while there are rows of them."""
    moments: Mapping[str, Mapping[str, Moments]]
    """Metric, then variant, to the sums over all phases."""
    step: Micros
    """In which ``buckets`` are added up."""
    buckets: Sequence[TrafficBucket]
    latest: Sequence[TrafficBucket]
    """The last of the buckets that the store keeps, which are shorter than a step."""
    health: Health
    split: Split | Missing
    policy_version: int | None
    course: Course = field(default_factory=Course)
    proofs: tuple[Proof, ...] = ()

    @property
    def names(self) -> dict[str, str]:
        """From the key of every variant with rows to its name."""
        return {variant.key: variant.name or variant.key for variant in self.variants}

    @property
    def objective(self) -> tuple[Moments, ...]:
        """The objective's moments in the order of ``variants``."""
        return self.moments_of(self.experiment.objective.key)

    @property
    def rows(self) -> int:
        """Matured analysis rows."""
        return sum(moments.rows for moments in self.objective)

    def moments_of(self, metric: str) -> tuple[Moments, ...]:
        """A metric's moments in the order of ``variants``; empty ones where nothing has matured."""
        found = self.moments.get(metric, {})
        return tuple(found.get(variant.key, Moments()) for variant in self.variants)


def gather(store: Store, experiment: Experiment, *, now: Micros) -> Facts:
    """Read what a report of the experiment needs: a few sums a variant, and the traffic's buckets."""
    sums = store.sums(experiment.id)
    versions = store.versions(experiment.key)
    span = store.traffic_span(experiment.id)
    first, last = span or (now, now)
    step = step_over(last - first)
    buckets = store.traffic(experiment.id, step=step)
    policy = store.latest_policy(experiment.id)
    return Facts(
        experiment=experiment,
        now=now,
        variants=_variants(experiment, versions, {found.variant for found in sums}),
        moments=_moments(sums),
        step=step,
        buckets=buckets,
        latest=store.traffic(experiment.id, since=last),
        health=store.health(experiment.id),
        split=split_of(versions, {found.phase for found in sums}, buckets),
        policy_version=None if policy is None else policy.version,
        course=course_of(versions, span, since=contents_since(versions), now=now),
    )


def split_of(
    versions: Sequence[ExperimentVersion], phases: set[int], buckets: Sequence[TrafficBucket]
) -> Split | Missing:
    """The weights that drew every row, or why there is no such vector.

    The definition says what was asked for; the logged probabilities, summed in the traffic's buckets, say whether it is
    what was done: they differ where a site allowed some visitors fewer variants.
    """
    relevant = [version.experiment for version in versions if not phases or version.phase in phases]
    if any(experiment.definition.policy.name != "fixed" for experiment in relevant):
        return Missing("traffic was moved by a bandit")
    vectors = [_weights(experiment) for experiment in relevant]
    if not vectors:
        return Missing("the experiment has no versions")
    if any(vector != vectors[-1] for vector in vectors):
        return Missing("the split was changed while it ran")
    if not _drawn_by(vectors[-1], buckets):
        return Missing("some decisions were drawn with other probabilities than the split's")
    return Split(vectors[-1])


def _weights(experiment: Experiment) -> dict[str, float]:
    """Shares of the enabled variants, equal dictionaries for equal splits whatever their order."""
    weights = {variant.key: variant.weight for variant in experiment.definition.variants if variant.enabled}
    whole = math.fsum(weights.values())
    return {key: weight / whole for key, weight in sorted(weights.items())}


def _drawn_by(weights: Mapping[str, float], buckets: Sequence[TrafficBucket]) -> bool:
    """Whether the logged probabilities average to the weights."""
    decisions = sum(bucket.decisions for bucket in buckets)
    expected: defaultdict[str, float] = defaultdict(float)
    for bucket in buckets:
        expected[bucket.variant] += bucket.propensity_sum
    return decisions == 0 or all(
        abs(expected[key] / decisions - weights.get(key, 0.0)) <= TOLERANCE for key in expected.keys() | weights.keys()
    )


def _moments(sums: Iterable[VariantSums]) -> dict[str, dict[str, Moments]]:
    added: defaultdict[str, dict[str, Moments]] = defaultdict(dict)
    for found in sums:
        part = Moments(rows=found.rows, total=found.total, squares=found.squares, nonzero=found.nonzero)
        added[found.metric][found.variant] = added[found.metric].get(found.variant, Moments()) + part
    return dict(added)


def _variants(
    experiment: Experiment, versions: Sequence[ExperimentVersion], with_rows: set[str]
) -> tuple[Variant, ...]:
    current = experiment.definition.variants
    earlier = {variant.key: variant for version in versions for variant in version.experiment.definition.variants}
    removed = sorted(with_rows - {variant.key for variant in current})
    return current + tuple(earlier.get(key, Variant(key=key, enabled=False)) for key in removed)
