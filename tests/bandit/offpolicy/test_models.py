"""Reward models: additive sums, right on worlds that they can describe."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bandit.offpolicy import RewardModel, Situations, reward_model
from bandit.validation import InvalidInput

ROWS, ARMS, WIDTH = 600, 3, 4
SPECS = ("tabular:10", "ridge", "ridge:0.5", "crossfit:ridge", "crossfit:tabular:5")


def rows(seed: int) -> tuple[Situations, np.ndarray, np.ndarray, np.ndarray]:
    """Situations, choices, rewards and the expected rewards of every arm, linear in the context."""
    rng = np.random.default_rng(seed)
    contexts = rng.normal(size=(ROWS, WIDTH))
    truth = 2.0 + contexts @ rng.normal(size=(WIDTH, ARMS))
    chosen = rng.integers(0, ARMS, ROWS)
    situations = Situations(contexts, rng.integers(0, 2, ROWS), np.arange(ROWS))
    return situations, chosen, truth[np.arange(ROWS), chosen] + rng.normal(0, 0.1, ROWS), truth


def fitted(spec: str, situations: Situations, chosen: np.ndarray, rewards: np.ndarray) -> RewardModel:
    """A model that has seen these rows."""
    model = reward_model(spec, arms=ARMS, positions=2, width=WIDTH)
    model.add(situations, chosen, rewards)
    return model


@pytest.mark.parametrize("spec", SPECS)
def test_merge_of_parts_is_the_whole(spec: str) -> None:
    """Two models of half the rows, merged, model as one of all."""
    situations, chosen, rewards, _ = rows(1)
    order = np.random.default_rng(9).permutation(ROWS)
    one, other = (fitted(spec, situations[part], chosen[part], rewards[part]) for part in (order[:250], order[250:]))
    one.merge(other)
    whole = fitted(spec, situations, chosen, rewards)
    assert_allclose(one.predictor()(situations), whole.predictor()(situations), rtol=1e-9)


def test_tabular_is_its_formula() -> None:
    """(sum + G·mean)/(n + G), by position and arm."""
    situations, chosen, rewards, _ = rows(2)
    found = fitted("tabular:10", situations, chosen, rewards).predictor()(situations)
    cell = (situations.positions == 1) & (chosen == 2)
    expected = (rewards[cell].sum() + 10 * rewards.mean()) / (cell.sum() + 10)
    assert_allclose(found[situations.positions == 1, 2], expected)


@pytest.mark.parametrize("spec", ["ridge", "crossfit:ridge"])
def test_ridge_finds_a_linear_world(spec: str) -> None:
    """With little noise the modelled rewards are close to the expected ones, for every arm."""
    situations, chosen, rewards, truth = rows(3)
    found = fitted(spec, situations, chosen, rewards).predictor()(situations)
    assert np.abs(found - truth).mean() < 0.05


def test_an_arm_without_rows_is_worth_the_mean() -> None:
    """Ridge says the log's mean reward of an arm that was never chosen."""
    situations, chosen, rewards, _ = rows(4)
    seen = np.flatnonzero(chosen != 1)
    found = fitted("ridge", situations[seen], chosen[seen], rewards[seen]).predictor()(situations)
    assert_allclose(found[:, 1], rewards[seen].mean())


def test_cross_fitting_never_models_a_row_by_itself() -> None:
    """A wild reward moves what is said of the other folds' rows, and not what is said of its own."""
    situations, chosen, rewards, _ = rows(5)
    before = fitted("crossfit:ridge", situations, chosen, rewards).predictor()(situations)
    rewards[7] += 1000.0
    after = fitted("crossfit:ridge", situations, chosen, rewards).predictor()(situations)
    own = situations.groups % 5 == 7 % 5
    assert_allclose(after[own], before[own])
    assert np.abs(after[~own] - before[~own]).max() > 1.0


@pytest.mark.parametrize("spec", ["forest", "tabular:x", "tabular:0", "ridge:-1", "ridge:nan", "crossfit:forest", ""])
def test_unknown_models_are_refused(spec: str) -> None:
    """A misspelt model or a senseless number is an error, not a default."""
    with pytest.raises(InvalidInput):
        reward_model(spec, arms=2, positions=1, width=0)


def test_a_model_without_rows_is_refused() -> None:
    """A model that has seen nothing has no mean to fall back on."""
    with pytest.raises(InvalidInput, match="must see rows"):
        reward_model("ridge", arms=2, positions=1, width=0).predictor()
