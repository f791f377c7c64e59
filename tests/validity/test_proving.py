"""Earn or prove: the reference figures in a short form, and that nothing is proved where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.validity.proving import TIDES, Rule, simulate_proof

FOUR, TEN = [0.13, 0.1, 0.1, 0.1], [0.13, *[0.1] * 9]
PROVE, PROVE_MANY = Rule(0.4, 0.02, drop=True), Rule(0.7, 0.02, drop=True)
CONSTANT = Rule(0.2, 0.2, drop=False)


def test_four_variants_are_proved_sooner_and_cheaper() -> None:
    """.10 against .13: proved in all of 40 runs, the median within 22,000, with less regret than a constant .2."""
    proving, constant = (simulate_proof(FOUR, rule, runs=40) for rule in (PROVE, CONSTANT))
    assert proving.proved == 1
    assert proving.median <= 22_000 < constant.median
    assert proving.regret.mean() < constant.regret.mean() - 0.05
    assert not proving.beaten[:, 0].any()


def test_ten_variants_can_be_proved_at_all() -> None:
    """With more exploration nearly always, where a constant .2 proves next to nothing in 60,000 units."""
    assert simulate_proof(TEN, PROVE_MANY, runs=20, batch=1000).proved >= 0.9
    assert simulate_proof(TEN, CONSTANT, runs=20, batch=1000).proved <= 0.2


def test_earning_costs_least() -> None:
    """A twentieth explores: little regret, and seldom a proof."""
    earning = simulate_proof(FOUR, Rule(0.05, 0.05, drop=False), runs=20, batch=1000)
    assert earning.regret.mean() < 0.15
    assert earning.proved < 0.7


@pytest.mark.parametrize("rule", [PROVE, CONSTANT], ids=["prove", "constant"])
def test_nothing_is_proved_where_there_is_no_difference(rule: Rule) -> None:
    """Equal rates: a proof of a best arm in at most a twentieth of the runs, over 60 looks; regret has no scale."""
    result = simulate_proof([0.1] * 4, rule, units=30_000, runs=60)
    assert result.proved <= 0.05
    assert np.isnan(result.regret).all()
    assert result.median == np.inf


@pytest.mark.parametrize("world", ["drifting", "three times as much for a while"])
def test_a_tide_that_lifts_all_proves_nothing(world: str) -> None:
    """Rates that rise and fall together: of 100 runs at most 5 ever find a given arm beaten, and none a best one."""
    rate, tide = TIDES[world]
    result = simulate_proof([rate] * 4, PROVE, units=30_000, runs=100, batch=1000, tide=tide)
    assert result.beaten[:, 0].mean() <= 0.05
    assert result.proved == 0
