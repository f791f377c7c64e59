"""The answer to an evaluation: one frozen object, and its JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from bandit.offpolicy import Estimate, Estimator


@dataclass(frozen=True, slots=True)
class Result:
    """One estimator's answer."""

    estimator: Estimator
    estimate: Estimate
    difference: Estimate
    """To what the logged policy earned, paired on the same rows."""

    def to_json(self) -> dict[str, Any]:
        """As ``landit evaluate --json`` prints it."""
        return (
            {"estimator": self.estimator.value} | _interval(self.estimate) | {"difference": _interval(self.difference)}
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """An estimator that the log does not support, and why."""

    estimator: Estimator
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationReport:
    """What a log says of a target policy."""

    log: str
    target: str
    metric: str
    reward_model: str | None
    rows: int
    learned_from: int
    """Rows before these that taught the target."""
    effective_sample_size: float | None
    max_weight: float | None
    sum_of_weights: float | None
    unsupported: float | None
    """U, the share of the target's choices that the logged policy could not have made; None: cannot be known."""
    logged: Estimate
    estimates: tuple[Result, ...]
    refused: tuple[Refusal, ...]
    clustered: bool
    """Whether standard errors are clustered by unit."""
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As ``landit evaluate --json`` prints it."""
        return {
            "log": self.log,
            "target": self.target,
            "metric": self.metric,
            "reward_model": self.reward_model,
            "rows": self.rows,
            "learned_from": self.learned_from,
            "effective_sample_size": self.effective_sample_size,
            "max_weight": self.max_weight,
            "sum_of_weights": self.sum_of_weights,
            "unsupported": self.unsupported,
            "clustered": self.clustered,
            "logged": _interval(self.logged),
            "estimates": [result.to_json() for result in self.estimates],
            "refused": [{"estimator": one.estimator.value, "reason": one.reason} for one in self.refused],
            "warnings": list(self.warnings),
        }


def known(value: float) -> float | None:
    """The value, or None for what cannot be known: JSON has no NaN."""
    return value if math.isfinite(value) else None


def _interval(estimate: Estimate) -> dict[str, float | None]:
    return {
        "value": known(estimate.value),
        "stderr": known(estimate.stderr),
        "low": known(estimate.low),
        "high": known(estimate.high),
    }
