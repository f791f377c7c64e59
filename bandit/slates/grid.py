"""One variant a slot: a policy for each place of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bandit.policy import Policy
from bandit.slates.feedback import Feedback
from bandit.slates.slate import Slate
from bandit.slates.types import SlateBatch
from bandit.types import Batch, Bools, Floats
from bandit.validation import require


class Grid(Slate):
    """Fills each place by a policy of its own: what works there is learned there.

    Place s gets arm k with the probability of policy s among the arms that are allowed there; which those are is said
    with each question, so that a headline and a footer need not share any. Places are independent of one another,
    unless ``repeats`` is False: then an arm that stands at an earlier place is left out of the later ones. A place for
    which that leaves nothing takes any arm allowed there: a page never stays empty.

    Under ``each`` (the default) every place learns from its own reward; under ``cascade`` only from pages on which
    nothing was taken before it.

    It misleads where what stands at one place changes what another is worth: each place then learns its mean over what
    the others show. It learns S times as much as a :class:`~bandit.slates.ranking.Ranking`, and needs as many more
    pages. Reference: Swaminathan et al., *Off-policy evaluation for slate recommendation*, NIPS 2017, section 2 (the
    additive model of a page).

    Parameters
    ----------
    policies
        S of them, over the same arms in the same order; all may be of different families.
    repeats
        Whether an arm may stand at several places.
    feedback
        How visitors read the page.

    Raises
    ------
    InvalidInput
        For policies over different arms, or none.

    >>> from bandit.policies import create
    >>> from bandit.types import Arms
    >>> page = Grid([create("fixed", arms=Arms(("a", "b", "c")))] * 2, repeats=False)
    >>> drawn = page.draw([[0.1, 0.1]], allowed=[[True, True, False], [True, True, True]])
    >>> drawn.arms.tolist(), drawn.distributions.tolist()
    ([[0, 1]], [[[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]])
    """

    kind = "grid"

    def __init__(self, policies: Sequence[Policy], *, repeats: bool = True, feedback: Feedback = Feedback.EACH) -> None:
        require(len(policies) > 0, "a page must have places, found none")
        super().__init__(tuple(policies), places=len(policies), feedback=feedback)
        self.repeats = repeats

    def marginals(
        self, contexts: npt.ArrayLike | None = None, allowed: npt.ArrayLike | None = None, *, rows: int = 1
    ) -> Floats:
        """Return (n, S, K) the probability of every arm at each place; independent places need no recursion."""
        if not self.repeats:
            return super().marginals(contexts, allowed, rows=rows)
        n = rows if contexts is None else len(np.asarray(contexts))
        return self.conditionals(np.zeros((n, self.places), dtype=np.int64), contexts, allowed)

    def _policy(self, place: int) -> Policy:
        return self.policies[place]

    def _left(self, allowed: Bools, used: Bools) -> Bools:
        if self.repeats:
            return allowed
        left = allowed & ~used
        return left | (allowed & ~left.any(axis=1, keepdims=True))

    def _rows(self, batch: SlateBatch, seen: Floats) -> list[Batch]:
        plain = np.ones(self.places)
        return [batch.placements(seen, plain, slice(place, place + 1)) for place in range(self.places)]

    def _settings(self) -> dict[str, Any]:
        return {"repeats": self.repeats, "feedback": self.feedback.value}

    @classmethod
    def _made(cls, policies: tuple[Policy, ...], settings: dict[str, Any]) -> Self:
        return cls(policies, repeats=settings["repeats"], feedback=Feedback(settings["feedback"]))
