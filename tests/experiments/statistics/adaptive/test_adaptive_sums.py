"""The doubly robust sums: what they are, and that nothing but the rows and their order matters."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.validation import InvalidInput
from experiments.statistics.adaptive.kernel import DECAY
from experiments.statistics.adaptive.sums import NAMES, AdaptiveSums


def same(one: AdaptiveSums, other: AdaptiveSums) -> bool:
    """Whether two sums are the same to the bit."""
    return all(np.array_equal(one.to_arrays()[name], other.to_arrays()[name]) for name in NAMES)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_sums_are_those_of_the_definition(rows: Any, brute: Any, channels: int) -> None:
    """Every sum equals the one written out over all rows, also where variants have no probability."""
    batch = rows(300, channels=channels, zeros=True)
    chosen, outcomes, p, predictions = batch
    sums = AdaptiveSums.cold(3, channels)
    sums.add(*batch)
    g, open_, law = brute(*batch)
    both = open_[:, None, :] & open_[None, :, :]
    np.testing.assert_array_equal(sums.rows, both.sum(axis=2))
    np.testing.assert_allclose(sums.total, np.einsum("inc,ijn->cij", g, both), atol=1e-9)
    np.testing.assert_allclose(sums.square, np.einsum("inc,ind,ijn->cdij", g, g, both), atol=1e-9)
    np.testing.assert_allclose(sums.cross, np.einsum("inc,jnd,ijn->cdij", g, g, both), atol=1e-9)
    inverse = np.divide(1, p, out=np.zeros_like(p), where=p > 0)
    left = outcomes - predictions[np.arange(300), :, chosen]
    weights = np.concatenate([np.ones((300, 1)), moving(left)], axis=1)
    np.testing.assert_allclose(sums.inverse, np.einsum("nw,nk,kjn->wkj", weights, inverse, both[:3]), atol=1e-9)
    squares = np.einsum("sna,na->sna", law[3:] ** 2, inverse)
    np.testing.assert_allclose(sums.mixed[:, :, :3], np.einsum("nw,sna,jn->wsaj", weights, squares, open_), atol=1e-9)
    np.testing.assert_allclose(sums.overlap[:, 0, :3], np.einsum("nw,na->wa", weights, law[3] * inverse), atol=1e-9)
    np.testing.assert_allclose(sums.overlap[:, 1, :3], np.einsum("nw,na->wa", weights, p > 0), atol=1e-9)
    np.testing.assert_allclose(sums.overlap[:, 2, :3], np.einsum("nw,na->wa", weights, law[3]), atol=1e-9)


def moving(left: Any) -> Any:
    """The moving mean of squared residuals before each row."""
    products = np.einsum("nc,nd->ncd", left, left).reshape(len(left), -1)
    result = np.zeros_like(products)
    for t in range(1, len(left)):
        weight = DECAY ** np.arange(t - 1, -1, -1)
        result[t] = weight @ products[:t] / weight.sum()
    return result


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 400), max_size=6), channels=st.sampled_from([1, 2]))
def test_portions_do_not_matter(cuts: list[int], channels: int) -> None:
    """However the rows are cut into calls, the sums are the same to the bit."""
    from_calls, whole = AdaptiveSums.cold(3, channels), AdaptiveSums.cold(3, channels)
    batch = some_rows(channels)
    whole.add(*batch)
    for low, high in pairwise([0, *sorted(cuts), 400]):
        from_calls.add(*(array[low:high] for array in batch))
    assert same(whole, from_calls)


def some_rows(channels: int) -> tuple[Any, ...]:
    """Rows that need no fixture."""
    rng = np.random.default_rng(1)
    chosen = rng.integers(0, 3, 400)
    p = rng.dirichlet(np.ones(3), 400)
    return chosen, rng.exponential(size=(400, channels)), p, rng.random((400, channels, 3))


def test_lanes_are_single_streams(rows: Any) -> None:
    """Each lane has the sums of its rows alone, and a view of it is the lane itself."""
    batches = [rows(200, seed=seed) for seed in range(3)]
    lanes = AdaptiveSums.cold(3, lanes=(3,))
    lanes.add(*(np.stack(arrays) for arrays in zip(*batches, strict=True)))
    singles = [AdaptiveSums.cold(3) for _ in batches]
    for single, batch in zip(singles, batches, strict=True):
        single.add(*batch)
    assert same(lanes, AdaptiveSums.stack(singles))
    lanes.lane(1).add(*rows(50, seed=9))
    singles[1].add(*rows(50, seed=9))
    assert same(lanes.lane(1), singles[1])
    assert same(lanes.lane(2), singles[2])


def test_the_scale_is_frozen_at_a_row(rows: Any) -> None:
    """At the first row with 100 rows and 20 rewards, whoever looks or not, and never again."""
    chosen, outcomes, p, predictions = rows(400)
    outcomes[:150] = 0
    sums, enough = AdaptiveSums.cold(3), 150 + int(np.searchsorted((outcomes[150:, 0] != 0).cumsum(), 20)) + 1
    sums.add(chosen[: enough - 1], outcomes[: enough - 1], p[: enough - 1], predictions[: enough - 1])
    assert sums.size[0] == 0
    sums.add(*(array[enough - 1 : enough] for array in (chosen, outcomes, p, predictions)))
    left = (outcomes[:, 0] - predictions[np.arange(400), 0, chosen])[:enough]
    assert sums.size[0] == 3
    assert sums.scale[0, 0] == pytest.approx(left.var())
    frozen = sums.scale.copy()
    sums.add(*(array[enough:] for array in (chosen, outcomes, p, predictions)))
    assert np.array_equal(sums.scale, frozen)


def test_arrays_come_back(filled: Any) -> None:
    """Stored arrays give the same sums, and damaged ones are refused."""
    sums = filled(200, channels=2)
    arrays = sums.to_arrays()
    assert same(AdaptiveSums.from_arrays(arrays), sums)
    with pytest.raises(InvalidInput, match="found none of"):
        AdaptiveSums.from_arrays({"rows": arrays["rows"]})
    with pytest.raises(InvalidInput, match="must have shape"):
        AdaptiveSums.from_arrays(arrays | {"inverse": arrays["inverse"][:1]})


def test_a_wrong_row_changes_nothing(rows: Any) -> None:
    """What cannot be true is refused before anything is added."""
    chosen, outcomes, p, predictions = rows(5)
    sums = AdaptiveSums.cold(3)
    wrong = [
        (chosen, np.full_like(outcomes, np.nan), p, predictions),
        (chosen, outcomes, p, np.full_like(predictions, np.inf)),
        (np.full(5, 3), outcomes, p, predictions),
        (np.zeros(5, int), outcomes, np.tile([0.0, 0.5, 0.5], (5, 1)), predictions),
        (chosen, outcomes, -p, predictions),
        (chosen, outcomes[:, 0], p, predictions),
        (chosen[:4], outcomes, p, predictions),
        (chosen, outcomes, p[:, :2], predictions),
    ]
    for batch in wrong:
        with pytest.raises(InvalidInput):
            sums.add(*batch)
    assert same(sums, AdaptiveSums.cold(3))
