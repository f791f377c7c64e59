"""How the traffic was split: the one weight vector that drew every row, or why there is none."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.model import Experiment
from experiments.statistics.moments import Missing
from experiments.store import ExperimentVersion, TrafficBucket

TOLERANCE = 1e-6
"""Logged shares further than this from the weights were not drawn by the weights alone."""


@dataclass(frozen=True, slots=True)
class Split:
    """The one weight vector that was in force wherever there are rows: K positive shares that add up to one."""

    weights: Mapping[str, float]


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
