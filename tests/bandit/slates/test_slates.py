"""Pages with several places: exact laws, what is learned of them, and their bytes."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit import policies
from bandit.features import Schema
from bandit.policy import NotMergeable, Policy
from bandit.slates import Feedback, Grid, Ranking, SlateBatch, from_bytes, walk
from bandit.slates.worlds import cascade_clicks, cascade_value, position_clicks
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput

KEYS = ("a", "b", "c", "d", "e")
WEIGHTS = (5.0, 3.0, 2.0, 1.0, 1.0)


def make(name: str = "thompson", *, keys=KEYS, exploration: float = 0.1, width: int = 0) -> Policy:
    """A cold policy."""
    weights = WEIGHTS if keys == KEYS else ()
    return policies.create(
        name, arms=Arms(keys, weights=weights), schema=Schema.numeric(width), exploration=exploration
    )


def pages(drawn, rewards, contexts=None) -> SlateBatch:
    """What was drawn, and what it earned."""
    n = len(rewards)
    empty = np.zeros((n, 0)) if contexts is None else contexts
    return SlateBatch(empty, drawn.arms, rewards, drawn.distributions, np.arange(n), np.ones(n))


def enumerated(page, *, size: int = len(KEYS), allowed=None) -> np.ndarray:
    """(S, K) marginals of a page without repetition, by adding up every page there is."""
    total = np.zeros((page.places, size))
    for arms in permutations(range(size), page.places):
        given = page.conditionals([arms], None, allowed)[0]
        probability = np.prod([given[s, k] for s, k in enumerate(arms)])
        for s, k in enumerate(arms):
            total[s, k] += probability
    return total


@pytest.mark.parametrize("places", [1, 2, 3, 5])
def test_a_ranking_follows_plackett_luce(places):
    """Shares that keep their proportions: each place is the weights of what is left, the marginals are exact."""
    page = Ranking(make("fixed", exploration=0.0), places=places)
    order = (2, 0, 4, 1, 3)[:places]
    given, left = page.conditionals([order])[0], np.array(WEIGHTS)
    for place, arm in enumerate(order):
        np.testing.assert_allclose(given[place], left / left.sum(), atol=1e-15)
        left[arm] = 0
    np.testing.assert_allclose(page.marginals()[0], enumerated(page), atol=1e-12)


@pytest.mark.parametrize("name", ["fixed", "thompson", "linucb", "linear_thompson"])
def test_marginals_are_the_sum_over_all_pages(name):
    """For any policy, learned or not, and whatever is allowed where."""
    policy = make(name, exploration=0.2)
    rng = np.random.default_rng(2)
    n = 40
    uniform = np.full((n, 5), 0.2)
    rewards = rng.integers(0, 2, n).astype(np.float64)
    policy.learn(Batch(np.zeros((n, 0)), rng.integers(0, 5, n), rewards, uniform, np.arange(n), np.ones(n)))
    allowed = np.array([[True, False, True, True, True], [True] * 5, [True, True, True, False, True]])
    page = Ranking(policy, places=3)
    found = page.marginals(None, allowed)
    np.testing.assert_allclose(found[0], enumerated(page, allowed=allowed), atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=2), 1, atol=1e-9)
    assert (found.sum(axis=1) <= 1 + 1e-9).all()
    grid = Grid([policy, make("fixed"), make("thompson")], repeats=False)
    np.testing.assert_allclose(grid.marginals(None, allowed)[0], enumerated(grid, allowed=allowed), atol=1e-9)


def test_draws_follow_the_law():
    """40,000 seeded pages: every placement within five standard errors of its marginal, and no arm twice."""
    page = Ranking(make("fixed"), places=3)
    n = 40_000
    drawn = page.draw(np.random.default_rng(4).random((n, 3)))
    p = page.marginals()[0]
    found = np.stack([np.bincount(drawn.arms[:, s], minlength=5) for s in range(3)]) / n
    assert (np.abs(found - p) <= 5 * np.sqrt(p * (1 - p) / n)).all()
    assert (np.diff(np.sort(drawn.arms, axis=1), axis=1) > 0).all()
    np.testing.assert_array_equal(drawn.distributions, page.conditionals(drawn.arms))
    np.testing.assert_allclose(drawn.probabilities, drawn.propensities.prod(axis=1))


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    name=st.sampled_from(["thompson", "linucb", "linear_thompson", "fixed"]),
    places=st.integers(1, 5),
    exploration=st.sampled_from([0.0, 0.1, 1.0]),
)
def test_every_placement_is_drawn_from_a_known_vector(seed, name, places, exploration):
    """Whatever is allowed: distributions with their floor, arms that are allowed, the same uniforms the same page."""
    rng = np.random.default_rng(seed)
    page = Ranking(make(name, exploration=exploration, width=2), places=places)
    contexts, uniforms = rng.normal(size=(6, 2)), rng.random((6, places))
    allowed = rng.random((6, 1, 5)) < 0.6
    allowed[:, :, :places] = True
    allowed = np.repeat(allowed, places, axis=1)
    drawn = page.draw(uniforms, contexts, allowed)
    p = drawn.distributions
    np.testing.assert_allclose(p.sum(axis=2), 1, atol=1e-9)
    assert (p[~allowed] == 0).all()
    assert (drawn.propensities > 0).all()
    left = allowed[:, 0].sum(axis=1)[:, None] - np.arange(places)
    assert (p > 0).sum(axis=2).max() <= 5
    if name != "fixed":
        floor = np.where(p > 0, p, 1).min(axis=2)
        assert (floor >= exploration / left - 1e-12).all()
    again = page.draw(uniforms, contexts, allowed)
    np.testing.assert_array_equal(again.arms, drawn.arms)
    np.testing.assert_array_equal(again.distributions, p)
    single = page.draw(uniforms[:1], contexts[:1], allowed[:1])
    np.testing.assert_array_equal(single.distributions, p[:1])


def test_a_cascade_teaches_what_was_looked_at():
    """Placements down to the first click, page by page: the same bytes as those rows give the policy itself."""
    page, alone = Ranking(make(), places=3), make()
    drawn = page.draw(np.random.default_rng(1).random((3, 3)))
    rewards = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    page.learn(pages(drawn, rewards))
    seen = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0)]
    row, place = np.array(seen).T
    alone.learn(
        Batch(
            np.zeros((6, 0)),
            drawn.arms[row, place],
            rewards[row, place],
            drawn.distributions[row, place],
            row,
            np.ones(6),
        )
    )
    assert page.policies[0].to_bytes() == alone.to_bytes()


def test_lower_places_count_by_how_much_they_are_looked_at():
    """Rewards at each place, always the same order: the means are those of the last place, whatever the place."""
    gamma, attraction = np.array([0.9, 0.5, 0.2]), np.array([0.2, 0.5, 0.8])
    page = Ranking(make("thompson", keys=("a", "b", "c")), places=3, feedback=Feedback.EACH, examination=tuple(gamma))
    n = 60_000
    order = np.tile([2, 0, 1], (n, 1))
    clicks = position_clicks(attraction, gamma, order, np.random.default_rng(5).random((n, 3)))
    page.learn(SlateBatch(np.zeros((n, 0)), order, clicks, page.conditionals(order), np.arange(n), np.ones(n)))
    state = page.policies[0].state
    mean = state["total"] / state["n"]
    errors = 0.2 * np.sqrt(attraction / (n * gamma[[1, 2, 0]]))
    assert (np.abs(mean - 0.2 * attraction) <= 5 * errors).all()
    np.testing.assert_allclose(state["total"], clicks.sum(axis=0)[[1, 2, 0]], rtol=1e-9)


ATTRACTION = np.array([0.05, 0.30, 0.10, 0.25, 0.15, 0.05, 0.20, 0.10])
EIGHT = tuple("abcdefgh")


@pytest.mark.parametrize("name", ["thompson", "linucb", "linear_thompson"])
def test_the_best_list_is_learned_from_a_cascade(name):
    """6,000 pages in batches of 100: the last thousand earn 97% of the best list, from 74% for a uniform one."""
    rng = np.random.default_rng(11)
    page = Ranking(make(name, keys=EIGHT, exploration=0.0), places=3)
    best = cascade_value(ATTRACTION, np.argsort(-ATTRACTION)[None, :3])[0]
    earned = []
    for _ in range(60):
        drawn = page.draw(rng.random((100, 3)))
        page.learn(pages(drawn, cascade_clicks(ATTRACTION, drawn.arms, rng.random((100, 3)))))
        earned.append(cascade_value(ATTRACTION, drawn.arms).mean())
    assert np.mean(earned[-10:]) >= 0.97 * best
    assert earned[0] <= 0.8 * best


def test_the_best_list_is_learned_from_each_place():
    """Clicks at places that are looked at less and less: the order of attraction is found."""
    rng = np.random.default_rng(12)
    gamma = np.array([0.9, 0.6, 0.3])
    page = Ranking(
        make(keys=EIGHT, exploration=0.0), places=3, feedback=Feedback.EACH, examination=tuple(gamma.tolist())
    )
    best = (gamma * np.sort(ATTRACTION)[::-1][:3]).sum()
    for _ in range(80):
        drawn = page.draw(rng.random((100, 3)))
        page.learn(pages(drawn, position_clicks(ATTRACTION, gamma, drawn.arms, rng.random((100, 3)))))
    earned = (gamma * ATTRACTION[page.draw(rng.random((1000, 3))).arms]).sum(axis=1).mean()
    assert earned >= 0.97 * best


def test_the_best_list_depends_on_the_visitor():
    """Two kinds of visitors with opposite tastes: the linear policy ranks for each of them."""
    rng = np.random.default_rng(13)
    tastes = np.stack([ATTRACTION, ATTRACTION[::-1]])
    page = Ranking(make("linucb", keys=EIGHT, exploration=0.0, width=1), places=3)
    for _ in range(80):
        kind = rng.integers(0, 2, 100)
        contexts = kind[:, None].astype(np.float64)
        drawn = page.draw(rng.random((100, 3)), contexts)
        clicks = cascade_clicks(tastes[kind], drawn.arms, rng.random((100, 3)))
        page.learn(pages(drawn, clicks, contexts))
    for kind in (0, 1):
        drawn = page.draw(rng.random((500, 3)), np.full((500, 1), float(kind)))
        best = cascade_value(tastes[kind], np.argsort(-tastes[kind])[None, :3])[0]
        assert cascade_value(tastes[kind], drawn.arms).mean() >= 0.97 * best


@pytest.mark.parametrize("repeats", [True, False])
def test_each_slot_learns_its_own(repeats):
    """What works at a slot is found there; without repetition the best assignment that is greedy from the top."""
    rng = np.random.default_rng(14)
    rates = np.array([[0.5, 0.1, 0.1], [0.6, 0.4, 0.1]])
    grid = Grid([make(keys=("a", "b", "c"), exploration=0.0) for _ in range(2)], repeats=repeats)
    for _ in range(60):
        drawn = grid.draw(rng.random((50, 2)))
        clicks = (rng.random((50, 2)) < rates[np.arange(2), drawn.arms]).astype(np.float64)
        grid.learn(pages(drawn, clicks))
    wanted = [0, 0] if repeats else [0, 1]
    drawn = grid.draw(rng.random((1000, 2)))
    assert (drawn.arms == wanted).all(axis=1).mean() >= 0.97


def test_a_slot_is_never_empty():
    """Where the places before it used all that a slot allows, it repeats one of them."""
    grid = Grid([make(), make()], repeats=False)
    allowed = np.array([[True, False, False, False, False], [True, False, False, False, False]])
    drawn = grid.draw([[0.5, 0.5]], None, allowed)
    assert drawn.arms.tolist() == [[0, 0]]
    np.testing.assert_array_equal(drawn.distributions, np.eye(5)[[[0, 0]]])
    with pytest.raises(InvalidInput, match="enough arms"):
        Ranking(make(), places=2).draw([[0.5, 0.5]], None, allowed)


@pytest.fixture(params=["ranking", "grid"])
def learned(request):
    """A page of either kind that has learned, and its pages."""
    page = _cold(request.param)
    page.learn(_some(request.param, seed=1))
    return page


def _cold(kind: str):
    if kind == "ranking":
        return Ranking(make(), places=3, feedback=Feedback.EACH, examination=(1.0, 0.5, 0.25))
    return Grid([make(), make("fixed"), make("linucb")], repeats=False, feedback=Feedback.CASCADE)


def _some(kind: str, *, seed: int) -> SlateBatch:
    """Rewarded pages that a cold page drew."""
    rng = np.random.default_rng(seed)
    drawn = _cold(kind).draw(rng.random((30, 3)))
    return pages(drawn, rng.integers(0, 2, (30, 3)).astype(np.float64))


def test_goes_on_from_its_bytes(learned):
    """A page that was saved and read goes on as one that was not, bit for bit."""
    copy = from_bytes(learned.to_bytes())
    for page in (learned, copy):
        page.learn(_some(learned.kind, seed=2))
    assert copy.to_bytes() == learned.to_bytes()
    assert type(copy) is type(learned)
    with pytest.raises(InvalidInput):
        from_bytes(learned.to_bytes()[:-1])
    with pytest.raises(InvalidInput, match="a page's header"):
        from_bytes(make().to_bytes())


def test_parts_add_up(learned):
    """Merging what two pages learned is what one learns from both; pages set otherwise are refused unchanged."""
    first, second = _cold(learned.kind), _cold(learned.kind)
    first.learn(_some(first.kind, seed=1))
    second.learn(_some(second.kind, seed=2))
    learned.learn(_some(second.kind, seed=2))
    before = first.to_bytes()
    with pytest.raises(NotMergeable):
        first.merge(Ranking(make(), places=2))
    assert first.to_bytes() == before
    assert first.merge(second) is first
    np.testing.assert_allclose(first.marginals(), learned.marginals(), atol=1e-9)


def test_arms_come_and_go(learned):
    """A new arm is cold, and the others keep what was learned."""
    wider = learned.with_arms(Arms(("new", *KEYS)))
    assert wider.marginals().shape == (1, 3, 6)
    back = wider.with_arms(Arms(KEYS, weights=WEIGHTS))
    np.testing.assert_allclose(back.marginals(), learned.marginals(), atol=1e-9)


@pytest.mark.parametrize(
    "fields",
    [
        {"rewards": np.full((30, 3), np.nan)},
        {"rewards": np.full((30, 3), 1.5)},
        {"rewards": np.zeros((30, 2))},
        {"arms": np.full((30, 3), 5)},
        {"distributions": np.zeros((30, 3, 5))},
        {"distributions": np.zeros((30, 3, 4))},
        {"contexts": np.zeros((29, 0))},
        {"weights": np.full(30, -1.0)},
        {"times": np.zeros(29, dtype=np.int64)},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_bad_pages_change_nothing(fields):
    """What cannot be learned from is refused before any of the policies has changed."""
    page = Grid([make("linucb"), make(), make()])
    batch = _some("grid", seed=3)
    values = {name: getattr(batch, name) for name in SlateBatch.__slots__} | fields
    before = page.to_bytes()
    with pytest.raises(InvalidInput):
        page.learn(SlateBatch(**values))
    assert page.to_bytes() == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Ranking(make(), places=6), "places must be at most"),
        (lambda: Ranking(make(), places=0), "must have places"),
        (lambda: Ranking(make(), places=2, examination=(1.0, 0.5)), "cascade"),
        (lambda: Ranking(make(), places=2, feedback=Feedback.EACH, examination=(1.0,)), "2 entries"),
        (lambda: Ranking(make(), places=2, feedback=Feedback.EACH, examination=(1.0, 0.0)), r"\(0, 1\]"),
        (lambda: Grid([]), "must have places"),
        (lambda: Grid([make(), make(keys=("a", "b"))]), "same arms"),
        (lambda: Ranking(make(), places=2).draw([[0.5]]), "uniforms must be"),
        (lambda: Ranking(make(), places=2).draw([[0.5, 1.0]]), "uniforms must lie"),
        (lambda: Ranking(make("linucb", width=1), places=2).draw([[0.5, 0.5]], [[0.0], [1.0]]), "one row a page"),
        (lambda: Ranking(make("linucb", width=1), places=2).draw([[0.5, 0.5]] * 2, [[0.0]]), "allowed must have"),
        (lambda: Ranking(make("linucb", width=1), places=2).draw([[0.5, 0.5]], [[np.nan]]), "finite"),
        (lambda: Ranking(make(), places=2).draw([[0.5, 0.5]], None, [True]), "allowed must have shape"),
        (lambda: Ranking(make(), places=2).draw([[0.5, 0.5]], None, [1, 1, 1, 1, 1]), "boolean"),
        (lambda: Ranking(make(), places=2).conditionals([[0, 5]]), "arms must lie"),
        (lambda: Ranking(make(), places=2).conditionals([[0.0, 1.0]]), "whole numbers"),
    ],
)
def test_wrong_questions_are_refused(wrong, message):
    """With what was found."""
    with pytest.raises(InvalidInput, match=message):
        wrong()


def test_marginals_say_where_they_end(monkeypatch):
    """The recursion refuses what it could not finish; a law of zeros and ones stays small at any size."""
    monkeypatch.setattr(walk, "SETS", 20)
    with pytest.raises(InvalidInput, match="more than 20 sets"):
        Ranking(make(), places=5).marginals()
    assert Ranking(make(), places=2).marginals(rows=3).shape == (3, 2, 5)


def test_a_placement_is_picked_only_where_it_has_probability():
    """At the very ends of [0, 1), and between arms of probability 0."""
    p = np.array([[0.0, 0.5, 0.0, 0.5, 0.0]])
    picked = [walk._pick(p, np.array([u]))[0] for u in (0.0, 0.4999, 0.5, np.nextafter(1.0, 0.0))]
    assert picked == [1, 1, 3, 3]
