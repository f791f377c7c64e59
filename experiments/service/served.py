"""What a worker holds of one experiment: everything compiled, so that a choice only looks things up."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
from msgspec import Raw

from bandit import policies
from bandit.policy import Policy
from bandit.types import Bools, Context, Floats
from experiments.audience import compile_condition
from experiments.definition import parse_time
from experiments.errors import Invalid
from experiments.model import Experiment, Micros, Reason, State, UnitKind
from experiments.published import PublishedExperiment
from experiments.secret import Secret
from experiments.service.draw import Draws
from experiments.service.form import Choice, Form, PolicyName

_KEPT_SUBSETS = 256
_TOLERANCE = 1e-6
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)

Subset: TypeAlias = tuple[str, ...] | None
"""The variants that a request allows; None for all."""


class Odds(NamedTuple):
    """A distribution over the variants, and who says so; ``json`` is the same vector as it is logged."""

    p: Floats
    json: bytes
    forms: Sequence[Form]
    """What decisions for each variant share."""
    degraded: bool = False


class Served:
    """An experiment as it is served under one policy version. Immutable but for its caches.

    Parameters
    ----------
    published
        The experiment and its policy's state.
    policy
        The policy in force, or None where there is none that can be used.
    version
        The version of that policy.
    secret
        The installation's secret.
    """

    def __init__(self, published: PublishedExperiment, policy: Policy | None, *, version: int, secret: Secret) -> None:
        experiment = published.experiment
        definition = experiment.definition
        self.published = published
        self.experiment = experiment
        self.policy = policy
        self.version = version
        self.by_visitor = definition.unit is UnitKind.VISITOR
        self.traffic = definition.traffic
        self.draws = Draws(secret.draw_salt, experiment.id)
        self._secret = secret
        self.slots = np.array(experiment.slots, dtype=np.int64)
        self.in_audience = None if definition.audience is None else compile_condition(definition.audience)
        self.index = {key: i for i, key in enumerate(experiment.variant_keys)}
        self.contents = tuple(Raw(_encode(variant.content)) for variant in definition.variants)
        self._enabled = np.array([variant.enabled for variant in definition.variants])
        self._all_enabled = bool(self._enabled.all())
        self._policy_name = PolicyName(definition.policy.name, version)
        self._closed = _closed(experiment)
        starts = None if definition.starts_at is None else parse_time(definition.starts_at)
        ends = None if definition.ends_at is None else parse_time(definition.ends_at)
        self.opens: float = -math.inf if starts is None else starts
        """The first µs in which decisions are made, and the one in which no more are."""
        self.closes: float = math.inf if ends is None else ends
        if self._closed is not None:
            self.closes = -math.inf
        self._kept: dict[Subset, Odds] = {}
        self._unserved = {reason: self._nothing_decided(reason).to_json() for reason in Reason}

    def closed(self, now: Micros) -> Reason:
        """Why no decision is made at ``now``, outside of ``opens`` to ``closes``."""
        if self._closed is not None:
            return self._closed
        return Reason.NOT_STARTED if now < self.opens else Reason.STOPPED

    def unserved(self, reason: Reason) -> bytes:
        """The answer where nothing is decided: the control's content, or the shipped winner's."""
        return self._unserved[reason]

    def allows(self, variant: str, subset: Subset) -> bool:
        """Whether ``variant`` may be answered to a request that allows ``subset``."""
        position = self.index.get(variant)
        return position is not None and bool(self._enabled[position]) and (subset is None or variant in subset)

    def odds(self, context: Context, subset: Subset) -> Odds:
        """The distribution that is drawn from and logged. Without usable policy: the split by weights, ``degraded``.

        Raises
        ------
        Invalid
            ``subset`` names an unknown variant, or leaves none that is enabled.
        """
        if self.policy is not None and self.policy.contextual:
            return self._contextual(self.policy, context, subset)
        odds = self._kept.get(subset)
        if odds is None:
            odds = self._context_free(self._allowed(subset))
            if len(self._kept) < _KEPT_SUBSETS:
                self._kept[subset] = odds
        return odds

    def forced(self, variant: str) -> Odds:
        """A preview's distribution: all on ``variant``, enabled or not.

        Raises
        ------
        Invalid
            The experiment has no such variant.
        """
        p = np.zeros(len(self.slots))
        p[self._position(variant, "preview")] = 1.0
        return Odds(p, _encode(p.tolist()), self._preview_forms)

    @cached_property
    def _policy_forms(self) -> list[Form]:
        return self._forms(self._policy_name, Reason.POLICY)

    @cached_property
    def _preview_forms(self) -> list[Form]:
        return self._forms(self._policy_name, Reason.PREVIEW)

    @cached_property
    def _degraded_forms(self) -> list[Form]:
        return self._forms(PolicyName("fixed", 0), Reason.DEGRADED)

    def _forms(self, policy: PolicyName, reason: Reason) -> list[Form]:
        return [
            Form(self._secret, self.experiment, variant=variant, content=content, policy=policy, reason=reason)
            for variant, content in zip(self.experiment.variant_keys, self.contents, strict=True)
        ]

    def _nothing_decided(self, reason: Reason) -> Choice:
        experiment = self.experiment
        winner = experiment.winner if reason is Reason.WINNER else None
        variant = experiment.control.key if winner is None else winner
        return Choice(
            experiment=experiment.key, variant=variant, content=self.contents[self.index[variant]], reason=reason
        )

    def _allowed(self, subset: Subset) -> Bools:
        if subset is None:
            allowed = self._enabled
        else:
            asked = {self._position(variant, f"variants[{i}]") for i, variant in enumerate(subset)}
            allowed = self._enabled & np.isin(np.arange(len(self.slots)), list(asked))
        if not allowed.any():
            raise Invalid("variants: none of them is enabled", hint="Allow at least one enabled variant.")
        return allowed

    def _position(self, variant: str, path: str) -> int:
        position = self.index.get(variant)
        if position is None:
            raise Invalid(f"{path}: {self.experiment.key} has no variant {variant!r}")
        return position

    def _context_free(self, allowed: Bools) -> Odds:
        if self.policy is None:
            return self._by_weight(allowed)
        return self._checked(self.policy.distribution(None, allowed)[0], allowed)

    def _contextual(self, policy: Policy, context: Context, subset: Subset) -> Odds:
        everything = subset is None and self._all_enabled
        allowed = self._enabled if everything else self._allowed(subset)
        try:
            # None is the policy's shorter way where all variants are allowed.
            p = policy.distribution_one(policy.schema.encode_one(context), None if everything else allowed)
        except (ValueError, ArithmeticError, RuntimeError):
            _log.exception("%s: the policy failed on a context", self.experiment.key)
            return self._by_weight(allowed)
        return self._checked(p, allowed)

    def _checked(self, p: Floats, allowed: Bools) -> Odds:
        """Those odds, unless they are no distribution (NaN included)."""
        values = p.tolist()  # ten Python numbers are summed faster than ten of numpy's
        if not abs(sum(values) - 1.0) < _TOLERANCE or min(values) < 0:
            _log.error("%s: the policy's answer is no distribution: %s", self.experiment.key, values)
            return self._by_weight(allowed)
        return Odds(p, _encode(values), self._policy_forms)

    def _by_weight(self, allowed: Bools) -> Odds:
        weights = np.where(allowed, self.experiment.arms.weights, 0.0)
        p = weights / weights.sum()
        return Odds(p, _encode(p.tolist()), self._degraded_forms, degraded=True)


def _closed(experiment: Experiment) -> Reason | None:
    """Why the experiment decides nothing whatever the time, or None."""
    match experiment.state:
        case State.RUNNING:
            return None
        case State.DRAFT:
            return Reason.NOT_STARTED
        case State.PAUSED:
            return Reason.PAUSED
        case _:
            return Reason.STOPPED if experiment.winner is None else Reason.WINNER


def serve(published: PublishedExperiment, before: Served | None, *, secret: Secret) -> Served:
    """Compile ``published``. A policy that cannot be read is refused, and the one of ``before`` stays in force.

    A policy over other variants than the experiment's is never used: then the experiment is served by weights.
    """
    policy, version = _policy(published, before)
    fits = policy is not None and policy.arms.keys == published.experiment.variant_keys
    return Served(published, policy if fits else None, version=version, secret=secret)


def _policy(published: PublishedExperiment, before: Served | None) -> tuple[Policy | None, int]:
    """The published policy and its version, read anew only where its bytes are other ones than before."""
    if published.policy is None:
        return None, 0
    if before is not None and before.published.policy == published.policy and before.policy is not None:
        return before.policy, published.policy_version
    try:
        return _read(published.policy), published.policy_version
    except ValueError as error:
        _log.error("%s: version %d is refused: %s", published.experiment.key, published.policy_version, error)
        return (None, 0) if before is None else (before.policy, before.version)


def _read(blob: bytes) -> Policy:
    """The policy, asked once: what it has to compile or to derive is ready before the first visitor."""
    policy = policies.from_bytes(blob)
    answer = policy.distribution(policy.schema.encode([{}]))
    if not abs(answer.sum() - 1.0) < _TOLERANCE:
        raise ValueError(f"its distribution is {answer.tolist()}")
    return policy
