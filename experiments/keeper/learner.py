"""One learning step, as a pure function: policy blob N and ordered rows give blob N + 1.

The keeper and ``landit relearn`` take the same steps from the same blobs, so they come to the same bytes. Every step
starts from bytes, live too: some policies go on differently in memory than after being loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import numpy as np

from bandit import policies
from bandit.parameters import complete
from bandit.policy import Policy
from bandit.registry import parameters
from bandit.types import Batch, Floats
from bandit.validation import InvalidInput
from experiments.model import Experiment
from experiments.store import AnalysisRow

_log = logging.getLogger(__name__)


def cold(experiment: Experiment) -> bytes:
    """Return the policy of an experiment that has learned nothing."""
    spec = experiment.definition.policy
    policy = policies.create(
        spec.name, schema=experiment.schema, arms=experiment.arms, exploration=experiment.exploration, **spec.params
    )
    policy.dropped = experiment.dropped
    return policy.to_bytes()


def step(blob: bytes, experiment: Experiment, rows: Sequence[AnalysisRow]) -> bytes:
    """Return the policy after it was fitted to the experiment's variants and has learned ``rows`` in their order.

    Rows of variants that are gone teach nothing. A row that the policy refuses is left out; a step after which the
    policy would answer nonsense is not taken. Both are decided by the arguments alone, so relearning decides alike.

    Raises
    ------
    InvalidInput
        ``blob`` is damaged.
    """
    policy = _fitted(policies.from_bytes(blob), experiment)
    _learn(policy, experiment, rows)
    if answers(policy):
        return policy.to_bytes()
    _log.error("%s: a step of %d rows would break the policy; it is not taken", experiment.key, len(rows))
    return _fitted(policies.from_bytes(blob), experiment).to_bytes()


def rebuild(experiment: Experiment, steps: Iterable[Sequence[AnalysisRow]]) -> bytes:
    """Return what the experiment's policy knows after these steps, from nothing."""
    blob = cold(experiment)
    for rows in steps:
        blob = step(blob, experiment, rows)
    return blob


def knows(blob: bytes, experiment: Experiment) -> bool:
    """Say whether the policy can go on for the experiment; else everything is to be learned again."""
    policy = policies.from_bytes(blob)
    spec = experiment.definition.policy
    if policy.name != spec.name or policy.schema != experiment.schema:
        return False
    declared = parameters(spec.name)
    asked = complete(declared, spec.params)
    return all(one.agrees(policy.params[one.name], asked[one.name]) for one in declared)


def fits(blob: bytes, experiment: Experiment) -> bool:
    """Say whether the policy can go on, and speaks of exactly the experiment's variants with its exploration."""
    policy = policies.from_bytes(blob)
    explores = policy.exploration == experiment.exploration and policy.dropped == experiment.dropped
    return knows(blob, experiment) and policy.arms == experiment.arms and explores


def batch_of(rows: Sequence[AnalysisRow], experiment: Experiment) -> Batch:
    """Return rows as a policy reads them: contexts encoded, each probability under the variant's present place.

    Rows whose variant is gone are left out; a distribution keeps the shares of the variants that are left, so it
    may sum to less than one.
    """
    arms = {key: index for index, key in enumerate(experiment.variant_keys)}
    kept = [row for row in rows if row.variant in arms]
    metric = experiment.objective.key
    return Batch(
        contexts=experiment.schema.encode([row.context for row in kept]),
        arms=np.array([arms[row.variant] for row in kept], dtype=np.int64),
        rewards=np.array([row.outcomes[metric] for row in kept], dtype=np.float64),
        distributions=_distributions(kept, arms),
        times=np.array([row.time for row in kept], dtype=np.int64),
        weights=np.ones(len(kept)),
    )


def _distributions(rows: Sequence[AnalysisRow], arms: dict[str, int]) -> Floats:
    moved = np.zeros((len(rows), len(arms)))
    places: dict[tuple[str, ...], tuple[list[int], list[int]]] = {}
    for index, row in enumerate(rows):
        if row.variants not in places:
            kept = [(j, arms[key]) for j, key in enumerate(row.variants) if key in arms]
            places[row.variants] = [j for j, _ in kept], [k for _, k in kept]
        source, target = places[row.variants]
        moved[index, target] = row.distribution[source]
    return moved


def _fitted(policy: Policy, experiment: Experiment) -> Policy:
    if policy.arms != experiment.arms:
        policy = policy.with_arms(experiment.arms)
    policy.exploration = experiment.exploration
    policy.dropped = experiment.dropped
    return policy


def _learn(policy: Policy, experiment: Experiment, rows: Sequence[AnalysisRow]) -> None:
    """Learn the rows as one batch or, where the policy refuses that, one by one without the refused ones."""
    try:
        policy.learn(batch_of(rows, experiment))
    except InvalidInput as error:
        if len(rows) == 1:
            _log.error("%s: row %d is left out of learning: %s", experiment.key, rows[0].seq, error)
            return
        for row in rows:
            _learn(policy, experiment, [row])


def answers(policy: Policy) -> bool:
    """Say whether the policy still answers a distribution."""
    answer = policy.distribution(np.zeros((1, policy.schema.width)))
    return bool(np.isfinite(answer).all() and (answer >= 0).all() and abs(answer.sum() - 1) <= 1e-6)
