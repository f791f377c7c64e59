"""The contract of every policy: two verbs, and a state that is plain data.

``distribution`` changes nothing, ``learn`` changes only the state, and nothing is remembered of a choice in between,
because every reward is late. What a subclass writes is its *law*, the distribution before exploration, and how a
batch changes its state; checks, exploration and bytes are written once, here.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from bandit import exploration as exploring
from bandit.checks import allowed_of, batch_of, contexts_of, require_finite, split_rows
from bandit.delays import split
from bandit.exploration import Dropped
from bandit.features import Schema
from bandit.forgetting import CLOCK, Forgetting, scale
from bandit.parameters import Parameter, complete
from bandit.serialization import Arrays, pack
from bandit.types import Arms, Batch, Bools, Floats
from bandit.validation import InvalidInput, require


class NotMergeable(InvalidInput):
    """The states of these two policies cannot be added."""


class Policy(ABC):
    """Chooses among arms.

    Parameters
    ----------
    schema
        What the columns of a context are; none by default.
    arms
        The K arms, in the order of every vector.
    exploration
        ε in [0, 1]. What is answered is p = (1 - ε)·law + ε·q, q uniform over the allowed arms, so that every allowed
        arm keeps ε/K at least.
    params
        Values of :attr:`parameters` that differ from their defaults.

    Raises
    ------
    InvalidInput
        For an unknown parameter, or one out of its range.
    """

    name: ClassVar[str]
    contextual: ClassVar[bool]
    """Whether the law depends on the context."""
    mergeable: ClassVar[bool]
    """Whether the state is a sum, so that :meth:`merge` of parts is the whole."""
    stepwise: ClassVar[bool]
    """Whether learning row by row gives the bytes that learning all at once gives."""
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, *, arms: Arms, schema: Schema | None = None, exploration: float = 0.0, **params: Any) -> None:
        require(0 <= exploration <= 1, f"exploration must lie in [0, 1], found {exploration!r}")
        self.arms = arms
        self.schema = Schema() if schema is None else schema
        self.exploration = float(exploration)
        self.dropped: Dropped | None = None
        """Arms that were proved beaten (:mod:`bandit.exploration`); None while all contend."""
        self.params = self._settled(complete(self.parameters, params))
        self._set_state(self._cold())

    # -- what a family writes -----------------------------------------------------------------------------------

    @abstractmethod
    def _cold(self) -> Arrays:
        """Return the state of a policy that has learned nothing."""

    @abstractmethod
    def _law(self, contexts: Floats, allowed: Bools | None) -> Floats:
        """Return the (n, K) distributions before exploration, exactly 0 where not allowed (None: all are)."""

    def _law_one(self, context: Floats, allowed: Bools | None) -> Floats:
        """Return :meth:`_law` for one visitor, (K,) in an array of its own; families that can answer faster do."""
        return np.asarray(self._law(context[None, :], None if allowed is None else allowed[None, :])[0])

    @abstractmethod
    def _absorb(self, batch: Batch) -> None:
        """Change the state by a batch that passed every check and is not empty."""

    @abstractmethod
    def with_arms(self, arms: Arms) -> Policy:
        """Return the same knowledge over another set of arms: matched by key, added ones cold, removed ones dropped."""

    def _settled(self, params: dict[str, Any]) -> dict[str, Any]:
        """Replace what asks for what suits by a number, once for the life of the policy; by default there is none."""
        return params

    def check_rewards(self, rewards: Floats) -> None:  # noqa: B027 - most families take any finite reward
        """Refuse rewards that this family cannot take."""

    def _take(self, batch: Batch) -> None:
        """Change the state by a batch, after what every family of a kind does before it."""
        self._absorb(batch)

    def _derive(self) -> None:  # noqa: B027 - most families answer from the state itself
        """Rebuild whatever is computed from the state; called whenever the state was replaced."""

    # -- what everybody calls -----------------------------------------------------------------------------------

    def distribution(self, contexts: npt.ArrayLike | None = None, allowed: npt.ArrayLike | None = None) -> Floats:
        """Return the (n, K) probabilities of the arms: 0 where not allowed, rows sum to one within 1e-9.

        Parameters
        ----------
        contexts
            (n, d) encoded contexts, d = ``schema.width``; may be left out, or (n, 0), where none is read.
        allowed
            (K,) or (n, K) booleans; all arms by default.

        Raises
        ------
        InvalidInput
            For wrong shapes, NaN, infinity, and a row without an allowed arm.
        """
        if allowed is None:
            return self._explored(self._contexts(contexts, 1), None)
        rows = None if contexts is None else len(np.asarray(contexts))
        mask = allowed_of(allowed, rows, len(self.arms))
        if rows is None:
            rows = 1 if np.ndim(allowed) < 2 else len(np.asarray(allowed))
        return self._explored(self._contexts(contexts, rows), mask)

    def distribution_one(self, context: Floats, allowed: Bools | None = None) -> Floats:
        """Return the (K,) answer for one visitor: the same bits as ``distribution(context[None, :], allowed)[0]``.

        Nothing is checked: this is what a server calls, thousands of times a second, with what
        :meth:`bandit.features.Schema.encode_one` made. From what is not finite nothing sensible follows.

        Parameters
        ----------
        context
            (d,) encoded context, d = ``schema.width``: finite, contiguous float64.
        allowed
            (K,) booleans, at least one of them True; all arms by default.
        """
        if self.dropped is not None:
            return np.asarray(self._explored(context[None, :], None if allowed is None else allowed[None, :])[0])
        law = self._law_one(context, allowed)
        share: Floats | float
        if allowed is None:
            share = self.exploration / len(self.arms)
        else:
            share = allowed * (self.exploration / np.count_nonzero(allowed))
        if self.exploration > 0:
            law *= 1 - self.exploration
            law += share
        return law

    def learn(self, batch: Batch) -> None:
        """Learn from rewarded decisions, in row order; an empty batch changes nothing.

        Raises
        ------
        InvalidInput
            Before anything has changed, for wrong shapes, NaN, infinity, or a logged probability that is not positive.
        """
        batch_of(batch, arms=len(self.arms), width=self.schema.width, contextual=self.contextual)
        if len(batch) > 0:
            self.check_rewards(batch.rewards)
            self._take(batch)

    def learn_good(self, batch: Batch) -> dict[str, int]:
        """Learn the rows that can be learned, whole, and return how many others were refused, by reason.

        Raises
        ------
        InvalidInput
            Before anything has changed, for wrong shapes.
        """
        arms, width = len(self.arms), self.schema.width
        good, refused = split_rows(batch, arms=arms, width=width, contextual=self.contextual, check=self.check_rewards)
        self.learn(good)
        return refused

    def merge(self, other: Policy) -> Self:
        """Add what ``other`` learned, and return this policy.

        Raises
        ------
        NotMergeable
            Where the state is no sum, or belongs to another kind of policy.
        """
        raise NotMergeable(
            f"{self.name} cannot be merged with {other.name}: its state is not a sum; learn in one place"
        )

    def to_bytes(self) -> bytes:
        """Return the policy as bytes, which :func:`bandit.policies.from_bytes` reads back."""
        header = {
            "policy": self.name,
            "schema": self.schema.to_json(),
            "keys": list(self.arms.keys),
            "weights": list(self.arms.weights),
            "attributes": [dict(attributes) for attributes in self.arms.attributes],
            "exploration": self.exploration,
            "params": self.params,
        }
        if self.dropped is not None:
            header["dropped"] = {"keys": list(self.dropped.keys), "keep": self.dropped.keep}
        return pack(header, self.state)

    @classmethod
    def restore(cls, header: dict[str, Any], arrays: Arrays) -> Self:
        """Return the policy that wrote ``header`` and ``arrays``.

        Raises
        ------
        InvalidInput
            Where they do not fit one another.
        """
        try:
            arms = Arms(tuple(header["keys"]), tuple(header["weights"]), tuple(header["attributes"]))
            policy = cls(
                arms=arms,
                schema=Schema.from_json(header["schema"]),
                exploration=header["exploration"],
                **header["params"],
            )
            dropped = header.get("dropped")
            policy.dropped = None if dropped is None else Dropped(tuple(dropped["keys"]), dropped["keep"])
        except (KeyError, TypeError) as error:
            raise InvalidInput(f"a policy's header must be complete, found {sorted(header)}: {error}") from error
        policy._accept(arrays)
        return policy

    # -- shared by the families ---------------------------------------------------------------------------------

    def _accept(self, arrays: Arrays) -> None:
        """Take ``arrays`` for state if they have the names, types and shapes of the cold one, and are finite."""
        found = {name: (array.dtype, array.shape) for name, array in arrays.items()}
        needed = {name: (array.dtype, array.shape) for name, array in self.state.items()}
        require(found == needed, f"the state of {self.name} must be {needed}, found {found}")
        for name, array in arrays.items():
            require_finite(name, array)
        self._set_state(arrays)

    def _set_state(self, state: Arrays) -> None:
        self.state = state
        self._derive()

    def _over(self, arms: Arms, state: Arrays) -> Self:
        """Return a policy that differs from this one in its arms and state."""
        policy = copy.copy(self)
        policy.arms = arms
        policy._set_state(state)
        return policy

    def _contexts(self, contexts: npt.ArrayLike | None, rows: int) -> Floats:
        return contexts_of(contexts, self.schema.width, rows=rows, contextual=self.contextual)

    def _explored(self, contexts: Floats, allowed: Bools | None) -> Floats:
        """Return the answer: the law over the contenders, exploration, and what the dropped keep."""
        dropped = None if self.dropped is None else self.dropped.among(self.arms.keys)
        if self.dropped is None or dropped is None or not dropped.any():
            return exploring.mix(self._law(contexts, allowed), allowed, self.exploration)
        everything = np.ones((len(contexts), len(self.arms)), dtype=np.bool_) if allowed is None else allowed
        among = exploring.contenders(everything, dropped)
        shares = exploring.mix(self._law(contexts, among), among, self.exploration)
        return exploring.with_floor(shares, everything, among, self.dropped.keep)


class SumPolicy(Policy):
    """A policy whose state is sums over rows, one entry an arm on the first axis: parts add up to the whole.

    A family that lists :data:`bandit.forgetting.FORGETTING` among its parameters fades by them, which is done here:
    its ``_absorb`` adds weighted rows, and no more. What then holds of steps and merging is said there.
    """

    mergeable = True
    stepwise = True

    @cached_property
    def forgetting(self) -> Forgetting:
        """How what was learned fades."""
        return Forgetting(self.params)

    def discount(self, factor: float) -> None:
        """Let everything that was learned count ``factor``, in [0, 1], times as much from now on."""
        require(0 <= factor <= 1, f"factor must lie in [0, 1], found {factor!r}")
        scale(self.state, factor)
        self._derive()

    def merge(self, other: Policy) -> Self:
        """Add the sums of ``other``, and return this policy; both fade to the later one's time first.

        Raises
        ------
        NotMergeable
            For another kind of policy, and where a half-life counts decisions: nobody knows whose came first.
        """
        alike = (
            type(other) is type(self)
            and other.arms.keys == self.arms.keys
            and other.schema == self.schema
            and other.params == self.params
        )
        if not alike:
            raise NotMergeable(
                f"{self.name} merges with the same policy over the same arms, schema and parameters, "
                f"found {other.name} over {list(other.arms.keys)} with {other.params}"
            )
        if not self.forgetting.mergeable:
            raise NotMergeable(f"{self.name} with a half_life in decisions cannot be merged: give half_life_hours")
        self._set_state(self.forgetting.added(self.state, other.state))
        return self

    def with_provisional(self, batch: Batch, fractions: Floats, *, default: float = 0.0) -> Self:
        """Return a copy, to answer but not to learn on, that knows open rows, too, as :mod:`bandit.delays` says.

        ``batch`` has them in the order of their times, each with the reward seen so far; ``fractions`` (n,) in [0, 1]
        is the share of the final reward that is seen by the age of each; ``default`` is the reward where none came.
        """
        batch_of(batch, arms=len(self.arms), width=self.schema.width, contextual=self.contextual)
        state = {name: array.copy() for name, array in self.state.items()}
        if len(batch) == 0:
            return self._over(self.arms, state)
        self.check_rewards(batch.rewards)
        parts = split(self.forgetting.fade(state, batch), fractions, default)
        added, taken = (self._sums(part) for part in parts)
        changed = {name: array + added[name] - taken[name] for name, array in state.items() if name != CLOCK}
        return self._over(self.arms, state | changed)

    def _sums(self, batch: Batch) -> Arrays:
        """Return the sums of a batch alone."""
        policy = self._over(self.arms, self._cold())
        if len(batch) > 0:
            policy._absorb(batch)
        return policy.state

    def with_arms(self, arms: Arms) -> Self:
        """Return the same sums over another set of arms."""
        before = {key: i for i, key in enumerate(self.arms.keys)}
        kept = [(i, before[key]) for i, key in enumerate(arms.keys) if key in before]
        to, source = [i for i, _ in kept], [j for _, j in kept]
        state: Arrays = {}
        for name, array in self.state.items():
            if name != CLOCK:
                state[name] = np.zeros((len(arms), *array.shape[1:]), dtype=array.dtype)
                state[name][to] = array[source]
        return self._over(arms, state)

    def _set_state(self, state: Arrays) -> None:
        """Take ``state``; where it does not tell the time, the time stays what it was."""
        if self.forgetting.timed and CLOCK not in state:
            before = self.state[CLOCK].copy() if hasattr(self, "state") else np.zeros(1, dtype=np.int64)
            state = state | {CLOCK: before}
        super()._set_state(state)

    def _take(self, batch: Batch) -> None:
        self._absorb(self.forgetting.fade(self.state, batch))
        if self.forgetting.active:
            self._derive()  # every arm faded, not only those of the batch


class ContextFree(SumPolicy):
    """A policy with one distribution a set of allowed arms, computed once a state and kept."""

    contextual = False
    _KEPT: ClassVar[int] = 256
    """How many allowed sets are remembered; a site has a handful."""

    @abstractmethod
    def _weigh(self, arms: Bools) -> Floats:
        """Return the distribution over the arms marked True, in their order."""

    def _derive(self) -> None:
        self._answers: dict[bytes, Floats] = {}

    def _law_one(self, context: Floats, allowed: Bools | None) -> Floats:  # noqa: ARG002 - none is read
        return self._answer(allowed).copy()

    def _law(self, contexts: Floats, allowed: Bools | None) -> Floats:
        if allowed is None:
            return np.tile(self._answer(None), (len(contexts), 1))
        masks, rows = np.unique(allowed, axis=0, return_inverse=True)
        return np.stack([self._answer(mask) for mask in masks])[rows.reshape(-1)]

    def _answer(self, mask: Bools | None) -> Floats:
        key = b"" if mask is None else mask.tobytes()
        answer = self._answers.get(key)
        if answer is None:
            answer = np.zeros(len(self.arms))
            chosen = np.ones(len(self.arms), dtype=np.bool_) if mask is None else mask
            answer[chosen] = self._weigh(chosen)
            if len(self._answers) >= self._KEPT:
                self._answers = {}
            self._answers[key] = answer
        return answer
