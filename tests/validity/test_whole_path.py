"""What a page shows of an experiment that lived through the whole path is what the simulations compute of its rows."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from experiments.statistics.adaptive.inference import contrasts, lifts, means
from experiments.statistics.adaptive.plugins import ArmMeans, feed
from experiments.statistics.adaptive.sums import AdaptiveSums
from experiments.statistics.sequential import ALPHA
from tests.validity.whole_path import Lived, live
from tests.validity.worlds import BY_NAME

RUNS = int(os.environ.get("LANDIT_WHOLE_PATHS", "3"))
"""Replications; ``make bench-statistics`` asks for 20."""
ARMS = 4


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> list[Lived]:
    """Some experiments of a thousand visitors each."""
    folders = [tmp_path_factory.mktemp("path") for _ in range(RUNS)]
    world = BY_NAME["drift and gap"]
    return [_live(folder, world, seed) for seed, folder in enumerate(folders)]


def _live(folder: Path, world, seed: int) -> Lived:
    return live(folder, world, exploration=0.2, batches=10, batch=100, seed=seed)


@pytest.fixture(scope="module")
def sums(lived: list[Lived]) -> AdaptiveSums:
    """The sums of all of them, side by side."""
    together = AdaptiveSums.cold(ARMS, lanes=(RUNS,))
    rows = {
        "chosen": np.stack([one.chosen for one in lived]),
        "outcomes": np.stack([one.outcomes for one in lived])[..., None],
        "p": np.stack([one.p for one in lived]),
    }
    feed(together, ArmMeans(ARMS, lanes=(RUNS,)), **rows, features=np.empty((*rows["chosen"].shape, 0)))
    return together


def test_every_visitor_is_in_the_sums(lived):
    """A thousand rows each, every one with a probability for every variant."""
    for one in lived:
        assert one.report.rows == one.report.analysed == len(one.chosen) == 1000
        assert (one.p > 0).all()


def test_estimates_and_limits_are_those_of_the_rows(lived, sums):
    """Of every variant, to 1e-9; a rate's limits are cut to 0 and 1."""
    found = means(sums)
    for lane, one in enumerate(lived):
        shown = [(v.estimate, v.low, v.high) for v in one.report.variants]
        limits = found.low[lane, :ARMS].clip(0, 1), found.high[lane, :ARMS].clip(0, 1)
        np.testing.assert_allclose(shown, np.stack([found.estimate[lane, :ARMS], *limits], axis=1), rtol=0, atol=1e-9)


def test_contrasts_are_those_of_the_rows(lived, sums):
    """Against the control, 5% shared between three: difference, lift and their limits."""
    found, relative = contrasts(sums, alpha=ALPHA / (ARMS - 1)), lifts(sums, alpha=ALPHA / (ARMS - 1))
    for lane, one in enumerate(lived):
        for k, variant in enumerate(one.report.variants[1:], start=1):
            shown = variant.contrast
            expected = [array[lane, k, 0] for array in (found.estimate, found.low, found.high)]
            np.testing.assert_allclose([shown.difference, shown.low, shown.high], expected, rtol=0, atol=1e-9)
            if shown.lift_low is not None:
                expected = [relative.low[lane, k, 0], relative.high[lane, k, 0]]
                np.testing.assert_allclose([shown.lift_low, shown.lift_high], expected, rtol=1e-9)


def test_what_was_served_is_that_of_the_rows(lived, sums):
    """The value of the served policy, and its gain over uniform traffic."""
    found = means(sums)
    for lane, one in enumerate(lived):
        served = one.report.served
        expected = [array[lane, -1] for array in (found.estimate, found.low, found.high)]
        np.testing.assert_allclose([served.estimate, served.low, served.high], expected, rtol=0, atol=1e-9)
