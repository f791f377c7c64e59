"""Rows of a traffic that wanders, and the definition of the sums, written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from experiments.statistics.adaptive.sums import AdaptiveSums


def make_rows(n: int, *, arms: int = 3, channels: int = 1, seed: int = 0, zeros: bool = False) -> tuple[Any, ...]:
    """Chosen variants, outcomes, probabilities and forecasts of n rows."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(arms, 4.0), size=n) * 0.8 + 0.2 / arms
    if zeros:
        p[n // 3 : n // 2, 0] = 0
        p[(2 * n) // 3 :, arms - 1] = 0
        p /= p.sum(axis=1, keepdims=True)
    chosen = np.minimum((p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1), arms - 1)
    chosen = np.where(p[np.arange(n), chosen] > 0, chosen, p.argmax(axis=1))
    rates = np.linspace(0.2, 0.5, arms)
    outcomes = (rng.random((n, channels)) < rates[chosen][:, None]) * rng.uniform(0.5, 1.5, (n, channels))
    if channels == 2:
        outcomes[:, 1] += 0.5 * (rng.random(n) < 0.5)
    return chosen, outcomes, p, rng.uniform(0.1, 0.4, (n, channels, arms))


@pytest.fixture
def rows() -> Any:
    """How to make rows."""
    return make_rows


@pytest.fixture
def filled() -> Any:
    """Sums of n rows."""

    def fill(n: int, **keywords: Any) -> AdaptiveSums:
        batch = make_rows(n, **keywords)
        sums = AdaptiveSums.cold(batch[2].shape[1], batch[1].shape[1])
        sums.add(*batch)
        return sums

    return fill


@pytest.fixture
def brute() -> Any:
    """The scores G (T, n, C), eligibility (T, n) and probabilities e (T, n, K) of every target, row by row."""

    def scores(chosen: Any, outcomes: Any, p: Any, predictions: Any) -> tuple[Any, ...]:
        n, arms = p.shape
        law = np.zeros((arms + 2, n, arms))
        for k in range(arms):
            law[k, p[:, k] > 0, k] = 1
        law[arms] = (p > 0) / (p > 0).sum(axis=1, keepdims=True)
        law[arms + 1] = p
        every = np.arange(n)
        left = outcomes - predictions[every, :, chosen]
        weight = law[:, every, chosen] / p[every, chosen]
        g = np.einsum("ina,nca->inc", law, predictions) + weight[..., None] * left
        return g, law.sum(axis=2) > 0, law

    return scores
