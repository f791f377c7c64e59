"""What every policy promises. One class, run over all of them; a subclass gives the fixture ``kind``."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit import policies
from bandit.features import Schema
from bandit.policy import NotMergeable, Policy
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput

WIDTH = 3
KEYS = ("a", "b", "c", "d")
INPUTS = st.integers(0, 2**32 - 1)
MODEST = {"fixed": 0.0, "top_two_thompson": 0.1}
"""What some earn above the uniform policy, by design: one learns nothing, one sends half to the best's rivals."""
UNITLESS = {
    "thompson_count": "a count has no unit",
    "vw": "the steps of stochastic gradients depend on how large rewards are",
    "neural": "so do those of a network",
    "auto": "rewards in [0, 1] have logistic models, others have not",
    "ensemble": "so have some of its members",
}
"""By the beginning of their names: who does not promise that the unit of the reward is no matter, and why."""
ORDERED = {
    "fourier": "each column has random directions of its own",
    "neural": "each column has random weights of its own",
    "auto": "some of its members have random directions",
    "ensemble": "some of its members have random directions",
}
"""By the beginning of their names: whose answers depend on which column stands where, and why."""
few = settings(max_examples=10, deadline=None, derandomize=True)


def make(kind: type[Policy], keys: tuple[str, ...] = KEYS, *, exploration: float = 0.2, width: int = WIDTH) -> Policy:
    """A cold policy over ``keys``."""
    return policies.create(kind.name, arms=Arms(keys), schema=Schema.numeric(width), exploration=exploration)


def rows(n: int, *, arms: int = len(KEYS), seed: int = 0, width: int = WIDTH) -> Batch:
    """A batch of ``n`` decisions, uniformly logged, with rewards of 0 or 1, frozen against being written to."""
    rng = np.random.default_rng(seed)
    batch = Batch(
        contexts=rng.normal(size=(n, width)),
        arms=np.arange(n, dtype=np.int64) % arms,
        rewards=(rng.random(n) < 0.4).astype(np.float64),
        distributions=np.full((n, arms), 1 / arms),
        times=np.arange(n, dtype=np.int64),
        weights=rng.choice([1.0, 2.0], n),
    )
    for name in Batch.__slots__:
        getattr(batch, name).setflags(write=False)
    return batch


def part(batch: Batch, chosen: slice) -> Batch:
    """Some rows of a batch."""
    return Batch(*(getattr(batch, name)[chosen] for name in Batch.__slots__))


def changed(batch: Batch, **fields: object) -> Batch:
    """The batch with some fields replaced."""
    return Batch(**({name: getattr(batch, name) for name in Batch.__slots__} | fields))  # type: ignore[arg-type]


def excused(kind: type[Policy], reasons: dict[str, str]) -> bool:
    """Whether a policy's name begins with one of those that do not promise something."""
    return any(kind.name.startswith(name) for name in reasons)


def in_unit(kind: type[Policy], unit: float) -> dict[str, float]:
    """The parameters of a policy that are measured in rewards, where rewards are so many times as large."""
    powers = {"reward": 1, "reward²": 2, "1/reward": -1}
    return {p.name: p.default * unit ** powers[p.unit] for p in kind.parameters if p.unit in powers}


def soiled(batch: Batch, seed: int) -> tuple[Batch, np.ndarray]:
    """A batch with one fault in every third row or so, and which rows are without."""
    rng = np.random.default_rng(seed)
    spoilt = changed(batch, **{name: getattr(batch, name).copy() for name in Batch.__slots__})
    faults = [
        ("rewards", [np.nan, np.inf, -np.inf, 1e300]),
        ("weights", [np.nan, -1.0, np.inf, 1e300]),
        ("contexts", [np.nan, -np.inf, 1e300]),
        ("distributions", [np.nan, -0.1, 1.5, np.inf]),
        ("arms", [-1, batch.distributions.shape[1], 10**9]),
    ]
    bad = rng.random(len(batch)) < 0.3
    for row in np.flatnonzero(bad):
        name, values = faults[int(rng.integers(len(faults)))]
        if name == "contexts" and batch.contexts.shape[1] == 0:
            name, values = faults[0]
        column = getattr(spoilt, name)[row : row + 1].reshape(-1)
        column[int(rng.integers(len(column)))] = rng.choice(values)
    return spoilt, ~bad


def assert_distribution(p: np.ndarray, allowed: np.ndarray, exploration: float) -> None:
    """Rows sum to one, nothing is given to what is not allowed, and the floor holds."""
    assert p.dtype == np.float64
    assert np.isfinite(p).all()
    assert (p[~allowed] == 0).all()
    assert np.abs(p.sum(axis=1) - 1).max() <= 1e-9
    floor = allowed * exploration / allowed.sum(axis=1, keepdims=True)
    assert (p >= floor * (1 - 1e-12)).all()


class PolicyContract:
    """Each method is one promise."""

    @few
    @given(seed=INPUTS, arms=st.integers(1, 7), n=st.integers(1, 5), exploration=st.sampled_from([0.0, 0.1, 1.0]))
    def test_answers_distributions(self, kind, seed, arms, n, exploration):
        """For any arms, context, allowed set and state the answer is a distribution with its floor."""
        rng = np.random.default_rng(seed)
        policy = make(kind, tuple(f"k{i}" for i in range(arms)), exploration=exploration)
        policy.learn(rows(int(rng.integers(0, 20)), arms=arms, seed=seed))
        contexts = rng.normal(size=(n, WIDTH)) * 10.0 ** rng.integers(-3, 6)
        allowed = rng.random((n, arms)) < 0.6
        allowed[np.arange(n), rng.integers(arms, size=n)] = True
        assert_distribution(policy.distribution(contexts), np.ones((n, arms), dtype=bool), exploration)
        assert_distribution(policy.distribution(contexts, allowed), allowed, exploration)

    def test_one_allowed_set_serves_all_rows(self, kind):
        """A (K,) mask means the same as that mask in every row."""
        policy = make(kind)
        policy.learn(rows(40))
        contexts, mask = rows(3).contexts, np.array([True, False, True, True])
        np.testing.assert_array_equal(
            policy.distribution(contexts, mask), policy.distribution(contexts, np.tile(mask, (3, 1)))
        )

    def test_many_contexts_are_answered_as_one_by_one(self, kind):
        """A row's answer does not depend on its neighbours."""
        policy = make(kind)
        policy.learn(rows(40))
        contexts = rows(5, seed=1).contexts
        single = np.concatenate([policy.distribution(context[None, :]) for context in contexts])
        np.testing.assert_array_equal(policy.distribution(contexts), single)

    @pytest.mark.parametrize("exploration", [0.0, 0.3])
    def test_one_visitor_is_answered_as_in_a_batch(self, kind, exploration):
        """The short way gives the very bits of the long one, whatever is allowed, and an array of its own."""
        policy = make(kind, exploration=exploration)
        policy.learn(rows(40))
        for context in rows(6, seed=1).contexts:
            for mask in (None, np.array([True, False, True, True]), np.array([False, False, True, False])):
                answer = policy.distribution_one(context.copy(), mask)
                np.testing.assert_array_equal(answer, policy.distribution(context[None, :], mask)[0])
                answer[:] = -1.0
                assert policy.distribution_one(context.copy(), mask).min() >= 0

    @settings(few, max_examples=5)
    @given(order=st.permutations(range(len(KEYS))))
    def test_order_of_arms_only_permutes_the_answer(self, kind, order):
        """Arms are known by their keys, not by where they stand."""
        policy = make(kind)
        policy.learn(rows(60))
        contexts = rows(4, seed=1).contexts
        moved = policy.with_arms(Arms(tuple(KEYS[i] for i in order)))
        expected = policy.distribution(contexts)[:, order]
        np.testing.assert_allclose(moved.distribution(contexts), expected, atol=1e-6)

    def test_one_arm(self, kind):
        """A single arm gets everything."""
        policy = make(kind, ("only",))
        policy.learn(rows(5, arms=1))
        np.testing.assert_array_equal(policy.distribution(rows(2).contexts), [[1.0], [1.0]])

    def test_a_thousand_arms(self, kind):
        """A thousand arms are answered as two are."""
        policy = make(kind, tuple(f"k{i}" for i in range(1000)), width=1)
        policy.learn(rows(12, arms=1000, width=1))
        answer = policy.distribution(np.ones((1, 1)))
        assert_distribution(answer, np.ones((1, 1000), dtype=bool), 0.2)

    def test_no_context_at_all(self, kind):
        """With an empty schema there is one answer, and nothing need be given."""
        policy = make(kind, width=0)
        policy.learn(rows(12, width=0))
        np.testing.assert_array_equal(policy.distribution(), policy.distribution(np.zeros((1, 0))))

    def test_choosing_changes_nothing(self, kind):
        """The bytes are the same before and after answering."""
        policy = make(kind)
        policy.learn(rows(20))
        before = policy.to_bytes()
        policy.distribution(rows(20).contexts, np.array([True, True, False, True]))
        assert policy.to_bytes() == before

    def test_inputs_are_not_modified(self, kind):
        """Arrays come back as they were; learning from frozen ones works."""
        batch, policy = rows(20), make(kind)
        copies = [getattr(batch, name).copy() for name in Batch.__slots__]
        policy.learn(batch)
        answer = policy.distribution(batch.contexts)
        answer[:] = -1.0
        assert policy.distribution(batch.contexts).min() >= 0
        for name, copy in zip(Batch.__slots__, copies, strict=True):
            np.testing.assert_array_equal(getattr(batch, name), copy)

    def test_arms_come_and_go(self, kind):
        """Adding an arm and dropping it again leaves what was known of the others."""
        policy = make(kind)
        policy.learn(rows(60))
        contexts = rows(3, seed=1).contexts
        wider = policy.with_arms(Arms(("new", *KEYS)))
        assert_distribution(wider.distribution(contexts), np.ones((3, 5), dtype=bool), 0.2)
        np.testing.assert_allclose(
            wider.with_arms(Arms(KEYS)).distribution(contexts), policy.distribution(contexts), atol=1e-12
        )
        wider.learn(rows(10, arms=5))
        assert_distribution(policy.with_arms(Arms(KEYS[:2])).distribution(contexts), np.ones((3, 2), dtype=bool), 0.2)

    @pytest.mark.parametrize(
        "fields",
        [
            {"rewards": np.array([0.0, np.nan])},
            {"rewards": np.array([0.0, np.inf])},
            {"contexts": np.array([[0.0, 0.0, 0.0], [np.nan, 0.0, 0.0]])},
            {"contexts": np.zeros((2, WIDTH + 1))},
            {"contexts": np.zeros((1, WIDTH))},
            {"arms": np.array([0, len(KEYS)])},
            {"arms": np.array([0, -1])},
            {"weights": np.array([1.0, -1.0])},
            {"weights": np.array([1.0, np.nan])},
            {"rewards": np.zeros(3)},
            {"distributions": np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])},
            {"distributions": np.full((2, 4), np.nan)},
            {"distributions": np.full((2, 4), 0.9)},
            {"distributions": np.full((2, 3), 0.25)},
        ],
        ids=lambda fields: next(iter(fields)),
    )
    def test_bad_batches_change_nothing(self, kind, fields):
        """What cannot be learned from is refused before anything has changed."""
        policy = make(kind)
        before = policy.to_bytes()
        with pytest.raises(InvalidInput):
            policy.learn(changed(part(rows(4), slice(2)), **fields))
        assert policy.to_bytes() == before

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_bad_contexts_are_refused(self, kind, bad):
        """NaN and infinity are refused at the door, wide and narrow contexts too."""
        policy = make(kind)
        with pytest.raises(InvalidInput, match="contexts must be finite"):
            policy.distribution(np.array([[0.0, bad, 0.0]]))
        with pytest.raises(InvalidInput, match="shape"):
            policy.distribution(np.zeros((1, WIDTH + 1)))
        with pytest.raises(InvalidInput, match="at least one arm"):
            policy.distribution(np.zeros((1, WIDTH)), np.zeros(len(KEYS), dtype=bool))

    def test_an_empty_batch_changes_nothing(self, kind):
        """Nothing is learned from nothing."""
        policy = make(kind)
        policy.learn(rows(20))
        before = policy.to_bytes()
        policy.learn(rows(0))
        assert policy.to_bytes() == before

    def test_state_does_not_grow_with_decisions(self, kind):
        """Forty rows and eight hundred need the same bytes."""
        policy = make(kind)
        policy.learn(rows(40))
        size = len(policy.to_bytes())
        policy.learn(rows(760))
        assert len(policy.to_bytes()) == size

    def test_goes_on_from_its_bytes(self, kind):
        """A policy that was saved and read goes on as one that was not, bit for bit."""
        policy = make(kind)
        policy.learn(rows(50))
        copy = policies.from_bytes(policy.to_bytes())
        contexts = rows(5, seed=1).contexts
        np.testing.assert_array_equal(copy.distribution(contexts), policy.distribution(contexts))
        for each in (policy, copy):
            each.learn(rows(30, seed=2))
        assert copy.to_bytes() == policy.to_bytes()
        np.testing.assert_array_equal(copy.distribution(contexts), policy.distribution(contexts))

    def test_steps_do_not_matter_where_promised(self, kind):
        """One by one, or in one batch: the same bytes."""
        whole, single = make(kind), make(kind)
        whole.learn(rows(15))
        for i in range(15):
            single.learn(part(rows(15), slice(i, i + 1)))
        assert not kind.stepwise or whole.to_bytes() == single.to_bytes()

    def test_parts_add_up_where_the_state_is_a_sum(self, kind):
        """Merging what two learned is what one learns from both; elsewhere it is refused."""
        whole, first, second = make(kind), make(kind), make(kind)
        batch = rows(60)
        whole.learn(batch)
        first.learn(part(batch, slice(0, 20)))
        second.learn(part(batch, slice(20, 60)))
        if not kind.mergeable:
            with pytest.raises(NotMergeable, match="not a sum"):
                first.merge(second)
            return
        assert first.merge(second) is first
        for name, array in whole.state.items():
            np.testing.assert_allclose(first.state[name], array, rtol=1e-12, atol=1e-12)
        contexts = rows(5, seed=1).contexts
        np.testing.assert_allclose(first.distribution(contexts), whole.distribution(contexts), atol=1e-9)
        with pytest.raises(NotMergeable, match="same policy over the same arms"):
            first.merge(make(kind, KEYS[:2]))

    def test_parts_add_up_exactly_where_sums_are_whole(self, kind):
        """Whole numbers lose nothing: merging in any order gives the state of learning at once, bit for bit."""
        if not kind.mergeable or kind.name.startswith("fourier"):  # cosines are no whole numbers
            return
        batch = rows(60)
        batch = changed(batch, contexts=np.round(batch.contexts * 2))
        whole, first, second = make(kind), make(kind), make(kind)
        whole.learn(batch)
        first.learn(part(batch, slice(0, 20)))
        second.learn(part(batch, slice(20, 60)))
        second.merge(first)
        for name, array in whole.state.items():
            if (array == np.round(array)).all():
                np.testing.assert_array_equal(second.state[name], array, err_msg=name)
            np.testing.assert_allclose(second.state[name], array, rtol=1e-12, atol=1e-12, err_msg=name)

    def test_rows_of_a_sum_may_come_in_any_order(self, kind):
        """Where the state is a sum, who came first does not matter."""
        if not kind.mergeable:
            return
        policy, mixed, batch = make(kind), make(kind), rows(60)
        policy.learn(batch)
        mixed.learn(
            Batch(*(getattr(batch, name)[np.random.default_rng(3).permutation(60)] for name in Batch.__slots__))
        )
        contexts = rows(5, seed=1).contexts
        np.testing.assert_allclose(mixed.distribution(contexts), policy.distribution(contexts), atol=1e-9)

    def test_the_unit_of_the_reward_does_not_matter(self, kind):
        """In quarters, with what is measured in rewards told in quarters, too: the same answers."""
        if excused(kind, UNITLESS):
            return
        policy, batch, contexts = make(kind), rows(60), rows(5, seed=1).contexts
        larger = policies.create(
            kind.name, arms=Arms(KEYS), schema=Schema.numeric(WIDTH), exploration=0.2, **in_unit(kind, 4.0)
        )
        policy.learn(batch)
        try:
            larger.learn(changed(batch, rewards=4 * batch.rewards))
        except InvalidInput as refusal:
            assert "must lie in [0, 1]" in str(refusal)  # noqa: PT017 - the others are refused by their unit
            return
        np.testing.assert_allclose(larger.distribution(contexts), policy.distribution(contexts), atol=1e-6)

    def test_columns_may_stand_in_any_order(self, kind):
        """A context is what its columns say, wherever they stand."""
        if excused(kind, ORDERED):
            return
        order, batch, contexts = [2, 0, 1], rows(60), rows(5, seed=1).contexts
        policy, turned = make(kind), make(kind)
        turned = policies.create(
            kind.name,
            arms=Arms(KEYS),
            schema=Schema([policy.schema.attributes[i] for i in order]),
            exploration=0.2,
        )
        policy.learn(batch)
        turned.learn(changed(batch, contexts=batch.contexts[:, order]))
        np.testing.assert_allclose(
            turned.distribution(contexts[:, order]),
            policy.distribution(contexts),
            atol=1e-3 if "vw" in kind.name else 1e-6,
        )

    def test_features_appear_and_disappear(self, kind):
        """A column that was always zero begins to vary, and one that varied ends: learning and answering go on."""
        policy = make(kind)
        for seed, columns in enumerate([[1, 1, 0], [1, 1, 1], [0, 1, 1], [0, 0, 0]]):
            batch = rows(20, seed=seed)
            policy.learn(changed(batch, contexts=batch.contexts * columns))
            for asked in (columns, [1, 1, 1]):
                answer = policy.distribution(batch.contexts[:3] * asked)
                assert_distribution(answer, np.ones((3, len(KEYS)), dtype=bool), 0.2)

    def test_bad_rows_are_refused_one_by_one(self, kind):
        """They are counted by reason, the others are learned as if they had come alone, and all stays finite."""
        policy, clean = make(kind), make(kind)
        for step in range(4):
            batch, good = soiled(rows(30, seed=step), step)
            before = policy.to_bytes()
            with pytest.raises(InvalidInput):
                policy.learn(batch)
            assert policy.to_bytes() == before
            refused = policy.learn_good(batch)
            assert sum(refused.values()) == np.count_nonzero(~good)
            assert all(refused)
            clean.learn(Batch(*(getattr(batch, name)[good] for name in Batch.__slots__)))
        assert policy.to_bytes() == clean.to_bytes()
        for name, array in policy.state.items():
            assert np.isfinite(array).all(), name
        answer = policy.distribution(rows(3).contexts)
        assert_distribution(answer, np.ones((3, len(KEYS)), dtype=bool), 0.2)

    def test_damaged_bytes_are_refused(self, kind):
        """Not a bit may differ, and nothing may be missing or left over."""
        blob = make(kind).to_bytes()
        damaged = [b"", blob[:10], blob[:-1], blob + b"\0", b"x" + blob[1:]]
        for at in np.linspace(0, len(blob) - 1, 23).astype(int):
            damaged.append(blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :])
        for bad in damaged:
            with pytest.raises(InvalidInput):
                policies.from_bytes(bad)

    def test_parameters_are_checked(self, kind):
        """An unknown parameter, or one outside its range, is named."""
        arms = Arms(KEYS)
        with pytest.raises(InvalidInput, match="colour"):
            policies.create(kind.name, arms=arms, colour=1)
        for parameter in kind.parameters:
            assert parameter.check(parameter.default) == parameter.default
            assert parameter.help
            for bad in (parameter.minimum - 1, parameter.maximum + 1, float("nan"), "1", True, None):
                with pytest.raises(InvalidInput, match=parameter.name):
                    policies.create(kind.name, arms=arms, **{parameter.name: bad})
        with pytest.raises(InvalidInput, match="exploration"):
            policies.create(kind.name, arms=arms, exploration=1.5)

    def test_is_no_worse_than_chance(self, kind):
        """From 600 uniform rows of an easy world it earns more than the uniform policy."""
        rng = np.random.default_rng(7)
        n, arms = 600, 3
        rates = np.array([[0.1, 0.2, 0.9], [0.1, 0.4, 0.9]])
        group = rng.integers(0, 2, n)
        batch = changed(rows(n, arms=arms, width=1), contexts=group[:, None].astype(np.float64), weights=np.ones(n))
        batch = changed(batch, rewards=(rng.random(n) < rates[group, batch.arms]).astype(np.float64))
        policy = make(kind, KEYS[:3], exploration=0.0, width=1)
        policy.learn(batch)
        earned = (policy.distribution(np.array([[0.0], [1.0]])) * rates).sum(axis=1).mean()
        assert earned >= rates.mean() + MODEST.get(kind.name, 0.2) - 1e-12
