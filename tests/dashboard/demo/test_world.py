from __future__ import annotations

from dataclasses import replace
from itertools import islice

import msgspec
import numpy as np
import pytest

from dashboard.demo.scenarios import Scenario, scenarios
from experiments.model import Metric
from experiments.report import SIMULATED

METRIC_OF_BEFORE = (Metric(key="signup"),)
each_scenario = pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.key)


@each_scenario
def test_true_rates_are_probabilities_for_every_visitor(scenario: Scenario) -> None:
    """No context gives a rate outside (0, 1), and the shares of all contexts add up to one."""
    contexts = list(scenario.world.contexts())
    assert sum(share for _, share in contexts) == pytest.approx(1)
    for context, _ in contexts:
        for variant in scenario.definition.variants:
            assert 0 < scenario.world.rate(variant.key, context) < 1


@each_scenario
def test_worlds_are_labelled_and_use_declared_attributes(scenario: Scenario) -> None:
    """Every simulated experiment carries the tag, knows its world's variants, and declares what moves its rates."""
    declared = {attribute.name for attribute in scenario.definition.context}
    assert SIMULATED in scenario.definition.tags
    assert {variant.key for variant in scenario.definition.variants} == set(scenario.world.base)
    assert {attribute for attribute, _ in scenario.world.shifts} <= declared


@each_scenario
def test_visitors_bring_what_is_measured(scenario: Scenario) -> None:
    """Who signs up spends, of the others some look around; an experiment of before gets what it knows."""
    rng = np.random.default_rng(3)
    variant, visitor = scenario.definition.variants[0].key, next(scenario.world.visitors(rng))
    brought = [scenario.rewards(variant, visitor, rng) for _ in range(2_000)]
    assert {tuple(rewards) for rewards in brought} == {("signup", "spent"), ("bounce",), ()}
    rate = sum("signup" in rewards for rewards in brought) / len(brought)
    assert rate == pytest.approx(scenario.world.rate(variant, visitor), abs=0.04)
    before = replace(scenario, definition=msgspec.structs.replace(scenario.definition, metrics=METRIC_OF_BEFORE))
    assert {tuple(before.rewards(variant, visitor, rng)) for _ in range(500)} == {("signup",), ()}


def test_visitors_come_in_the_population_s_shares_and_alike_for_one_seed() -> None:
    """10,000 visitors have the shares of the population, and the same seed gives the same visitors."""
    world = scenarios()[2].world
    first, again = (list(islice(world.visitors(np.random.default_rng(5)), 10_000)) for _ in range(2))
    assert first == again
    assert sum(visitor["device"] == "mobile" for visitor in first) / 10_000 == pytest.approx(0.6, abs=0.02)


def test_the_contextual_world_has_no_best_variant_for_everybody() -> None:
    """Choosing by context earns clearly more than the best single page; in the other worlds it earns the same."""
    gains = [scenario.world.best_by_context() / scenario.world.best_single()[1] for scenario in scenarios()]
    assert gains[0] == pytest.approx(1)
    assert gains[1] == pytest.approx(1)
    assert gains[2] > 1.3


def test_mean_rates_are_what_a_crowd_averages_to() -> None:
    """The exact mean over contexts agrees with the mean over simulated visitors."""
    world = scenarios()[2].world
    crowd = list(islice(world.visitors(np.random.default_rng(1)), 20_000))
    for variant, rate in world.mean_rates().items():
        assert world.expected([(variant, visitor) for visitor in crowd]) == pytest.approx(rate, abs=0.004)
