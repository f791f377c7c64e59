"""What another policy would have earned: a log, a target and a reward model in; a report, or a refusal, out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bandit import offpolicy
from bandit.offpolicy import Estimator, Predictor, RewardModel, Situations, Sums
from bandit.validation import InvalidInput
from experiments.errors import CannotEstimate, Invalid
from experiments.replay.answers import EvaluationReport, Refusal, Result, known
from experiments.replay.log import Log, Recorded
from experiments.replay.rows import Rows
from experiments.replay.targets import Target, find_target

DEFAULT_ESTIMATORS = (Estimator.IPS, Estimator.SNIPS, Estimator.DM, Estimator.DR)
LEAST_EFFECTIVE_ROWS = 100
MOST_UNSUPPORTED = 0.05
SUSPICIOUS_STANDARD_ERRORS = 4.0
"""How far the mean weight may be from 1, in its standard errors, before the report says so."""


def evaluate(
    log: Log,
    *,
    target: str | Target,
    estimators: Sequence[str] = DEFAULT_ESTIMATORS,
    reward_model: str = "ridge",
    params: Mapping[str, Any] | None = None,
) -> EvaluationReport:
    """Estimate what ``target`` would have earned on the traffic of a log.

    Only analysis rows count. The log is read once for the sums, once more before it where an estimator needs the
    reward model, and once more where the target is ``policy:NAME``, which learns from the first half and is judged by
    the second. Memory does not grow with the log.

    Standard errors take rows as independent, or, where a unit may stand in several rows, cluster them by unit (hashed
    into 4,096 groups, so that memory stays constant).

    Parameters
    ----------
    target
        A name (see :func:`~experiments.replay.targets.find_target`) or a target.
    estimators
        Names of :class:`~bandit.offpolicy.Estimator`.
    reward_model
        ``tabular:G``, ``ridge``, ``ridge:L`` or ``crossfit:MODEL``; read only where an estimator needs one.
    params
        Parameters of ``policy:NAME``.

    Raises
    ------
    CannotEstimate
        Above 5 % of the target's choices were impossible under the logged policy; the weighted rows are worth fewer
        than 100 and something that weights them was asked for; or nothing that was asked for can be estimated.
    Invalid, NotFound
        The target, an estimator, the model or a row is wrong.
    """
    asked = _estimators(estimators)
    aim = find_target(target, log, params=params) if isinstance(target, str) else target
    modelled = any(estimator.needs_model for estimator in asked)
    model = _fit(log, aim, reward_model) if modelled else None
    sums = _sums(log, aim, model)
    _refuse_whole(sums, asked)
    refused = tuple(Refusal(one, reason) for one in asked if (reason := _reason(one, log, sums)) is not None)
    kept = [estimator for estimator in asked if estimator not in {one.estimator for one in refused}]
    if not kept:
        raise CannotEstimate(f"Nothing can be estimated: {'; '.join(sorted({one.reason for one in refused}))}.")
    return EvaluationReport(
        log=log.name,
        target=aim.name,
        metric=log.metric,
        reward_model=reward_model if modelled else None,
        rows=sums.rows,
        learned_from=aim.learned_from,
        effective_sample_size=known(sums.effective_sample_size),
        max_weight=known(sums.largest_weight),
        sum_of_weights=known(sums.sum_of_weights),
        unsupported=known(sums.unsupported_share),
        logged=offpolicy.logged(sums),
        estimates=tuple(_result(estimator, log, sums) for estimator in kept),
        refused=refused,
        clustered=log.units_repeat,
        warnings=tuple(_warnings(log, sums)),
    )


def _estimators(names: Sequence[str]) -> list[Estimator]:
    there = [estimator.value for estimator in Estimator]
    unknown = [name for name in names if name not in there]
    if unknown or not names:
        raise Invalid(f"There is no estimator {', '.join(unknown) or 'named'}.", hint=f"There are {', '.join(there)}.")
    return [Estimator(name) for name in dict.fromkeys(names)]


def _fit(log: Log, target: Target, spec: str) -> tuple[Predictor, bool]:
    model = _model(log, spec)
    contexts = model.wants_contexts()
    for rows in log.rows(contexts=contexts, skip=target.learned_from):
        model.add(_situations(log, rows), rows.chosen, rows.rewards)
    return _predictor(log, model), contexts


def _model(log: Log, spec: str) -> RewardModel:
    try:
        return offpolicy.reward_model(spec, arms=len(log.variants), positions=log.positions, width=log.schema.width)
    except InvalidInput as error:
        raise Invalid(f"The reward model cannot be made: {error}.") from error


def _predictor(log: Log, model: RewardModel) -> Predictor:
    try:
        return model.predictor()
    except InvalidInput as error:
        raise CannotEstimate(f"{log.name} has too few analysis rows for a reward model.") from error


def _situations(log: Log, rows: Rows) -> Situations:
    return Situations(rows.contexts, rows.positions, rows.units if log.units_repeat else rows.numbers)


def _sums(log: Log, target: Target, model: tuple[Predictor, bool] | None) -> Sums:
    predictor, modelled_by_context = (None, False) if model is None else model
    merged: Sums | None = None
    for rows in log.rows(contexts=target.needs_contexts or modelled_by_context, skip=target.learned_from):
        part = Sums.of(
            target.distribution(rows),
            rows.chosen,
            rewards=rows.rewards,
            propensities=rows.probabilities,
            logged=rows.distributions,
            model=None if predictor is None else predictor(_situations(log, rows)),
            units=rows.units if log.units_repeat else None,
        )
        merged = part if merged is None else merged.merge(part)
    if merged is None:
        raise CannotEstimate(f"{log.name} has no analysis rows.")
    return merged


def _refuse_whole(sums: Sums, asked: Sequence[Estimator]) -> None:
    if sums.unsupported_share > MOST_UNSUPPORTED:
        raise CannotEstimate(
            f"The logged policy could not have made {sums.unsupported_share:.4g} of the target's choices,"
            f" above {MOST_UNSUPPORTED:g}.",
            hint="Ask of a target closer to what was served.",
        )
    effective = sums.effective_sample_size
    if effective < LEAST_EFFECTIVE_ROWS and any(estimator.needs_propensities for estimator in asked):
        raise CannotEstimate(
            f"The log's {sums.rows} rows are worth {effective:.1f} rows of the target's own traffic,"
            f" below {LEAST_EFFECTIVE_ROWS}.",
            hint="Log more, explore more, or ask of a target closer to what was served.",
        )


def _reason(estimator: Estimator, log: Log, sums: Sums) -> str | None:
    if estimator.needs_propensities and log.recorded is Recorded.NOTHING:
        return f"{estimator.value} weights rows by the probability of their choice, and the log has none"
    if sums.unsupported_share > 0 and not estimator.extrapolates:
        return (
            f"{estimator.value} says nothing of what could not have been chosen, and the logged policy could not have"
            f" made {sums.unsupported_share:.3g} of the target's choices"
        )
    return None


def _result(estimator: Estimator, log: Log, sums: Sums) -> Result:
    margin = 0.0
    if sums.unsupported_share > 0:
        low, high = log.reward_range or (sums.lowest_reward, sums.highest_reward)
        margin = sums.unsupported_share * (high - low)
    return Result(
        estimator,
        offpolicy.estimate(sums, estimator).widened(margin),
        offpolicy.difference(sums, estimator).widened(margin),
    )


def _warnings(log: Log, sums: Sums) -> list[str]:
    found = []
    if sums.unsupported_share > 0:
        found.append(
            f"partially identified: intervals are widened by the {sums.unsupported_share:.3g} of the target's choices"
            " that the logged policy could not have made"
        )
    if log.recorded is Recorded.CHOSEN:
        found.append("support is not checked: the log holds the probability of the chosen variant only")
    if log.recorded is not Recorded.NOTHING:
        weight = int(offpolicy.Term.WEIGHT)
        stderr = math.sqrt(sums.covariance_of_means(np.array([weight]))[0, 0])
        off = float(sums.mean[weight]) - 1
        if abs(off) > SUSPICIOUS_STANDARD_ERRORS * stderr + 1e-3:
            found.append(f"the mean weight is {1 + off:.4g}, not 1: choices are missing, or propensities are wrong")
    return found
