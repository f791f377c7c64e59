"""Curved policies: their features are what they say, fixed from the start, and learn what no line can."""

from __future__ import annotations

import math
from itertools import combinations_with_replacement

import numpy as np
import pytest

from bandit import policies
from bandit.features import Schema
from bandit.kernels.expansion import Expansion, room_for
from bandit.policies.fourier import FourierLinUCB
from bandit.simulate import World, simulate
from bandit.types import Arms, Batch

KINDS = ("fourier_linucb", "fourier_thompson", "fourier_logistic_ucb", "fourier_logistic_thompson")


def test_products_are_hermite_polynomials_of_all_columns():
    """Every product of two and of three columns is there, scaled so that its kind contributes its variance."""
    x = np.random.default_rng(0).normal(size=(7, 3))
    he = [np.ones_like(x), x, (x**2 - 1) / math.sqrt(2), (x**3 - 3 * x) / math.sqrt(6)]
    expected = [x]
    for degree, variance in ((2, 2.0), (3, 1.0)):
        chosen = list(combinations_with_replacement(range(3), degree))
        for columns in chosen:
            product = math.sqrt(variance / len(chosen)) * np.ones(7)
            for c in range(3):
                product *= he[columns.count(c)][:, c]
            expected.append(product[:, None])
    found = Expansion(3, 16, 0)
    assert found.width == 19
    np.testing.assert_allclose(found.expand(x), np.hstack(expected), atol=1e-14)


@pytest.mark.parametrize(("extra", "width"), [(1, 4), (9, 4 + 8), (10, 4 + 10), (29, 4 + 10 + 18), (30, 4 + 30)])
def test_a_kind_of_product_is_there_with_all_its_columns_or_not_at_all(extra, width):
    """Four columns have 10 products of two and 20 of three; pairs of waves take the room that is left."""
    assert Expansion(4, extra, 0).width == width


def test_features_are_uncorrelated_for_standard_normal_columns():
    """No product says what another one says: the Gram matrix is diagonal, and each kind adds up to its variance."""
    x = np.clip(np.random.default_rng(1).normal(size=(200_000, 2)), -4, 4)
    gram = (features := Expansion(2, 7, 0).expand(x)).T @ features / len(x)
    scale = np.sqrt(np.diag(gram))
    np.testing.assert_allclose(gram / np.outer(scale, scale), np.eye(9), atol=0.03)
    np.testing.assert_allclose([gram[2:5, 2:5].trace(), gram[5:, 5:].trace()], [2.0, 1.0], rtol=0.05)


def test_waves_resemble_gaussian_kernels():
    """Their inner product is, on average over seeds, the sum of two Gaussian kernels, of length √d and √d/2."""
    width = 16
    x = np.random.default_rng(2).normal(size=(30, width))
    waves = [Expansion(width, 120, seed).expand(x)[:, width:] for seed in range(60)]
    squared = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    kernels = np.exp(-squared / (2 * width)) + np.exp(-squared / (2 * width / 4))
    gram = np.array([features @ features.T for features in waves])
    assert gram.shape == (60, 30, 30)
    assert np.abs(gram.mean(axis=0) - kernels).max() < 0.1
    np.testing.assert_allclose(np.diagonal(gram, axis1=1, axis2=2), 2.0)


def test_the_seed_fixes_the_features():
    """The same seed, the same waves; another one, others; a row's do not depend on its neighbours."""
    x = np.random.default_rng(3).normal(size=(5, 4))
    first = Expansion(4, 28, 1).expand(x)
    np.testing.assert_array_equal(Expansion(4, 28, 1).expand(x), first)
    np.testing.assert_array_equal(Expansion(4, 28, 1).expand(x[3:4]), first[3:4])
    assert np.abs(Expansion(4, 28, 2).expand(x) - first).max() > 0.01


def test_one_wild_value_carries_no_cube():
    """Beyond ±4 only the column itself grows."""
    wild, edge = Expansion(2, 40, 0).expand(np.array([[1e6, 0.5], [4.0, 0.5]]))
    np.testing.assert_array_equal(wild[2:], edge[2:])
    assert wild[0] == 1e6


@pytest.mark.parametrize(("width", "arms"), [(0, 1), (1, 2), (10, 10), (64, 10), (20, 100), (5, 1000), (400, 10)])
def test_the_posteriors_of_all_arms_stay_small(width, arms):
    """K·D² stays within a million, unless the context alone is wider; D within 300."""
    size = 1 + Expansion(width, room_for(width, arms), 0).width
    assert size == 1 + width or (arms * size**2 <= 1_000_000 and size <= 300)


def test_added_arms_do_not_change_the_features():
    """What suits the number of arms is settled when the policy is made, and kept in its bytes."""
    policy = FourierLinUCB(arms=Arms(("a", "b")), schema=Schema.numeric(3))
    many = policy.with_arms(Arms(tuple(f"k{i}" for i in range(40))))
    back = policies.from_bytes(many.to_bytes())
    assert back.params["features"] == policy.params["features"] == 296
    assert back.state["cross"].shape == (40, policy.state["cross"].shape[1])


def crossed(rounds: int) -> World:
    """Two arms; which is good depends on whether two of the context's columns have the same sign: no line tells it."""
    contexts = np.random.default_rng(9).normal(size=(rounds, 3))
    same = contexts[:, 0] * contexts[:, 1] > 0
    return World("crossed", contexts, np.where(same[:, None], [0.9, 0.1], [0.1, 0.9]))


def earned(name: str) -> float:
    """The mean reward over the first 1,500 rounds."""
    arms, schema = Arms(("a", "b")), Schema.numeric(3)
    made = simulate(lambda _: policies.create(name, arms=arms, schema=schema), crossed(1_500))
    return made.mean_reward


@pytest.mark.parametrize("name", KINDS)
def test_learns_what_no_line_can(name):
    """Curved policies earn over .75 of at most .9; a linear one hardly more than .5."""
    assert earned(name) > 0.75


def test_a_line_learns_nothing_there():
    """The world above is hard for a reason."""
    assert earned("linucb") < 0.6


def test_sums_of_curved_policies_are_sums_of_their_features():
    """The state is what a plain linear policy over the features as contexts would have."""
    rng = np.random.default_rng(4)
    n = 50
    zeros, ones, logged = np.zeros(n, dtype=np.int64), np.ones(n), np.full((n, 2), 0.5)
    contexts, arms, rewards = rng.normal(size=(n, 3)), rng.integers(0, 2, n), rng.random(n)
    curved = FourierLinUCB(arms=Arms(("a", "b")), schema=Schema.numeric(3), features=30)
    curved.learn(Batch(contexts, arms, rewards, logged, zeros, ones))
    features = Expansion(3, 30, 0).expand(contexts)
    plain = policies.create("linucb", arms=Arms(("a", "b")), schema=Schema.numeric(features.shape[1]))
    plain.learn(Batch(features, arms, rewards, logged, zeros, ones))
    for name, array in plain.state.items():
        np.testing.assert_array_equal(curved.state[name], array)
    np.testing.assert_array_equal(curved.distribution(contexts), plain.distribution(features))
