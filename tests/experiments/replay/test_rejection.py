"""Replay by rejection: the accepted rows are those that the policy would have produced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from experiments.errors import CannotEstimate, Invalid
from experiments.replay import Log, replay

Make = Callable[..., dict[str, Any]]
Open = Callable[[dict[str, Any]], Log]


def test_a_policy_that_never_changes_earns_what_it_is_worth(columns: Make, parquet_log: Open) -> None:
    """A uniform split on a log of another policy: its true mean reward is .2667, whatever the log preferred."""
    report = replay(parquet_log(columns(20_000)), policy="fixed", seed=1)
    truth = (0.1 + 0.6 + 0.2 + 0.4 + 0.1 + 0.2) / 6
    assert abs(report.mean_reward - truth) < 4 * report.stderr
    # The least probability is .2: one row in five is accepted.
    assert report.rounds == pytest.approx(4000, abs=5 * np.sqrt(4000))
    assert report.rows == 20_000
    assert abs(report.logged_mean_reward - truth) > 8 * report.stderr


def test_a_contextual_policy_learns_as_it_goes(columns: Make, parquet_log: Open) -> None:
    """LinUCB nears the .5 of the best contextual policy, and its last quarter is better than the log."""
    report = replay(parquet_log(columns(12_000)), policy="linucb", params={"alpha": 0.5}, seed=2)
    assert report.last_quarter_mean_reward is not None
    assert report.last_quarter_mean_reward > 0.43
    assert report.mean_reward > report.logged_mean_reward


def test_exploration_is_zero_unless_set(columns: Make, parquet_log: Open) -> None:
    """Full exploration is the uniform policy."""
    log = parquet_log(columns(10_000))
    explored = replay(log, policy="thompson", params={"exploration": 1.0}, seed=3)
    assert abs(explored.mean_reward - 0.8 / 3) < 4 * explored.stderr
    assert replay(log, policy="thompson", seed=3).mean_reward > explored.mean_reward


def test_a_seed_fixes_everything(columns: Make, parquet_log: Open) -> None:
    """The same seed gives the same report."""
    log = parquet_log(columns(3000))
    assert replay(log, policy="thompson", seed=4) == replay(log, policy="thompson", seed=4)
    assert replay(log, policy="thompson", seed=4) != replay(log, policy="thompson", seed=5)


def test_only_the_chosen_probability_is_needed(columns: Make, parquet_log: Open) -> None:
    """A log without whole vectors replays."""
    log = columns(3000)
    del log["variants"], log["distribution"]
    assert replay(parquet_log(log), policy="linucb", seed=1).rounds > 400


def test_without_propensities_there_is_no_replay(columns: Make, parquet_log: Open) -> None:
    """The reason is said."""
    log = columns(300)
    del log["variants"], log["distribution"], log["probability"]
    with pytest.raises(CannotEstimate, match="the log has none"):
        replay(parquet_log(log), policy="thompson")


def test_too_few_rounds_are_refused_with_the_number(columns: Make, parquet_log: Open) -> None:
    """One tiny probability makes a log worth next to nothing, and the message says which."""
    log = columns(1000)
    del log["variants"], log["distribution"]
    log["probability"][7] = 1e-4
    with pytest.raises(CannotEstimate, match=r"Of the log's 1000 rows \d+ were accepted, below 100.*0\.0001"):
        replay(parquet_log(log), policy="thompson")


def test_rewards_that_a_policy_cannot_learn_are_refused(columns: Make, parquet_log: Open) -> None:
    """Thompson sampling for binary rewards says which row it cannot take."""
    log = columns(3000)
    log["reward"] = [10.0] * 3000
    with pytest.raises(Invalid, match=r"thompson cannot learn row \d+ of the log"):
        replay(parquet_log(log), policy="thompson")
