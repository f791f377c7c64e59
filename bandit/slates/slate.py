"""A page with several places: what the two kinds of page share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from bandit import policies as stored
from bandit.checks import batch_of, contexts_of
from bandit.policy import NotMergeable, Policy
from bandit.serialization import pack, unpack
from bandit.slates import walk
from bandit.slates.feedback import Feedback, cascade
from bandit.slates.types import SlateBatch, Slates
from bandit.types import Arms, Batch, Bools, Floats, Ints
from bandit.validation import InvalidInput, require


class Slate(ABC):
    """Fills the S places of a page with K arms, by policies that know nothing of places.

    Like a policy it has two verbs: :meth:`draw` changes nothing, :meth:`learn` changes the policies only. Every arm is
    drawn from a vector that is known and returned, so that the propensity of each placement is exact.
    """

    kind: ClassVar[str]

    def __init__(self, policies: tuple[Policy, ...], *, places: int, feedback: Feedback) -> None:
        require(places > 0, f"a page must have places, found {places}")
        first = policies[0]
        alike = all(p.arms.keys == first.arms.keys and p.schema == first.schema for p in policies)
        require(alike, "the policies of a page must have the same arms in the same order, and the same schema")
        self.policies = policies
        self.places = places
        self.feedback = Feedback(feedback)

    # -- what a kind of page writes -----------------------------------------------------------------------------

    @abstractmethod
    def _policy(self, place: int) -> Policy:
        """Return the policy that fills a place."""

    @abstractmethod
    def _left(self, allowed: Bools, used: Bools) -> Bools:
        """Return (n, K) what may stand at a place, from what is allowed there and what the places before it used."""

    @abstractmethod
    def _rows(self, batch: SlateBatch, seen: Floats) -> list[Batch]:
        """Return what each policy learns from pages of which ``seen`` says what was looked at."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Return what the constructor was given beside the policies, as JSON values."""

    def _check_allowed(self, allowed: Bools) -> None:  # noqa: B027 - a page that may repeat arms takes any
        """Refuse (n, S, K) allowed arms that cannot fill the page."""

    # -- what everybody calls -----------------------------------------------------------------------------------

    @property
    def arms(self) -> Arms:
        """The K arms, in the order of every vector."""
        return self.policies[0].arms

    def draw(
        self, uniforms: npt.ArrayLike, contexts: npt.ArrayLike | None = None, allowed: npt.ArrayLike | None = None
    ) -> Slates:
        """Return pages drawn by the ``uniforms``, with the vectors that they were drawn from.

        Parameters
        ----------
        uniforms
            (n, S) numbers in [0, 1), one a placement: the same ones give the same pages.
        contexts
            (n, d) encoded contexts; may be left out where none is read.
        allowed
            (K,), (S, K) or (n, S, K) booleans; all arms everywhere by default.

        Raises
        ------
        InvalidInput
            For wrong shapes, uniforms outside of [0, 1), NaN, infinity, and arms that cannot fill the page.
        """
        u = np.asarray(uniforms, dtype=np.float64)
        require(u.ndim == 2 and u.shape[1] == self.places, f"uniforms must be (n, {self.places}), found {u.shape}")
        require(bool(((u >= 0) & (u < 1)).all()), "uniforms must lie in [0, 1)")
        return Slates(*walk.draw(u, self._chooser(len(u), contexts, allowed), size=len(self.arms)))

    def conditionals(
        self, arms: npt.ArrayLike, contexts: npt.ArrayLike | None = None, allowed: npt.ArrayLike | None = None
    ) -> Floats:
        """Return (n, S, K) the distribution at each place, given the (n, S) ``arms`` at the places before it."""
        chosen: Ints = np.asarray(arms)
        good = chosen.ndim == 2 and chosen.shape[1] == self.places and chosen.dtype.kind in "iu"
        require(good, f"arms must be (n, {self.places}) whole numbers, found {chosen.dtype} {chosen.shape}")
        known = bool(((chosen >= 0) & (chosen < len(self.arms))).all())
        require(known, f"arms must lie in [0, {len(self.arms) - 1}]")
        return walk.conditionals(chosen, self._chooser(len(chosen), contexts, allowed), size=len(self.arms))

    def marginals(
        self, contexts: npt.ArrayLike | None = None, allowed: npt.ArrayLike | None = None, *, rows: int = 1
    ) -> Floats:
        """Return (n, S, K) the probability of every arm at each place, exactly; ``rows`` is n without contexts.

        Raises
        ------
        InvalidInput
            More than :data:`bandit.slates.walk.SETS` sets of arms would have to be visited.
        """
        n = rows if contexts is None else len(np.asarray(contexts))
        return walk.marginals(n, self.places, self._chooser(n, contexts, allowed), size=len(self.arms))

    def learn(self, batch: SlateBatch) -> None:
        """Learn from rewarded pages, in their order; nothing is learned of what was not looked at.

        Raises
        ------
        InvalidInput
            Before anything has changed, for whatever a policy would refuse.
        """
        batch.check(places=self.places, arms=len(self.arms))
        if len(batch) == 0:
            return
        require(bool(np.isfinite(batch.rewards).all()), "rewards must be finite")
        seen = cascade(batch.rewards) if self.feedback is Feedback.CASCADE else np.ones(batch.rewards.shape)
        rows = self._rows(batch, seen)
        for policy, part in zip(self.policies, rows, strict=True):
            batch_of(part, arms=len(self.arms), width=policy.schema.width, contextual=policy.contextual)
            if len(part) > 0:
                policy.check_rewards(part.rewards)
        for policy, part in zip(self.policies, rows, strict=True):
            policy.learn(part)

    def merge(self, other: Slate) -> Self:
        """Add what ``other`` learned, policy by policy, and return this page.

        Raises
        ------
        NotMergeable
            Where it is another kind of page, or a policy cannot be merged; nothing has changed then.
        """
        if type(other) is not type(self) or other._settings() != self._settings():
            raise NotMergeable(f"a {self.kind} merges with one that is set alike, found {other.kind}")
        copies = [stored.from_bytes(policy.to_bytes()) for policy in self.policies]
        self.policies = tuple(mine.merge(its) for mine, its in zip(copies, other.policies, strict=True))
        return self

    def with_arms(self, arms: Arms) -> Self:
        """Return the same page over another set of arms: matched by key, added ones cold, removed ones dropped."""
        return self._over(tuple(policy.with_arms(arms) for policy in self.policies))

    def to_bytes(self) -> bytes:
        """Return the page as bytes, which :func:`bandit.slates.from_bytes` reads back."""
        blobs = {str(i): np.frombuffer(policy.to_bytes(), dtype=np.uint8) for i, policy in enumerate(self.policies)}
        return pack({"slate": self.kind, "settings": self._settings()}, blobs)

    # -- shared -------------------------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def _made(cls, policies: tuple[Policy, ...], settings: dict[str, Any]) -> Self:
        """Return a page from what :meth:`_settings` gave."""

    def _over(self, policies: tuple[Policy, ...]) -> Self:
        return self._made(policies, self._settings())

    def _chooser(self, rows: int, contexts: npt.ArrayLike | None, allowed: npt.ArrayLike | None) -> walk.Chooser:
        mask = self._allowed(rows, allowed)
        self._check_allowed(mask)

        if rows == 1:
            return self._chooser_one(contexts, mask)

        def chooser(place: int, used: Bools) -> Floats:
            return self._policy(place).distribution(contexts, self._left(mask[:, place], used))

        return chooser

    def _chooser_one(self, contexts: npt.ArrayLike | None, mask: Bools) -> walk.Chooser:
        """Ask for one visitor as a server does: the same bits, without what many rows need."""
        width = self.policies[0].schema.width
        contextual = any(policy.contextual for policy in self.policies)
        checked = contexts_of(contexts, width, rows=1, contextual=contextual)
        require(len(checked) == 1, f"contexts must have one row a page, found {len(checked)} for 1")
        context = np.ascontiguousarray(checked[0])

        def chooser(place: int, used: Bools) -> Floats:
            left = np.ascontiguousarray(self._left(mask[:, place], used)[0])
            return self._policy(place).distribution_one(context, left)[None, :]

        return chooser

    def _allowed(self, rows: int, allowed: npt.ArrayLike | None) -> Bools:
        shape = (rows, self.places, len(self.arms))
        if allowed is None:
            return np.ones(shape, dtype=np.bool_)
        mask = np.asarray(allowed)
        require(mask.dtype == np.bool_, f"allowed must be boolean, found {mask.dtype}")
        good = mask.shape in (shape[2:], shape[1:], shape)
        require(good, f"allowed must have shape {shape[2:]}, {shape[1:]} or {shape}, found {mask.shape}")
        require(bool(mask.any(axis=-1).all()), "allowed must leave at least one arm at every place")
        return np.broadcast_to(mask, shape)


def read(blob: bytes, kinds: dict[str, type[Slate]]) -> Slate:
    """Return the page of one of ``kinds`` whose bytes these are.

    Raises
    ------
    InvalidInput
        For bytes that are damaged, or that no page wrote.
    """
    header, blobs = unpack(blob)
    kind = header.get("slate")
    if kind not in kinds:
        raise InvalidInput(f"a page's header must name one of {', '.join(kinds)}, found {kind!r}")
    policies = tuple(stored.from_bytes(array.tobytes()) for array in blobs.values())
    try:
        return kinds[kind]._made(policies, header["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"a page's header must be complete, found {header}: {error}") from error
