"""A ranked list: one policy, places that follow one another, and no arm twice."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from bandit.policy import Policy
from bandit.slates.feedback import Feedback, discounted
from bandit.slates.slate import Slate
from bandit.slates.types import SlateBatch
from bandit.types import Batch, Bools, Floats
from bandit.validation import require


class Ranking(Slate):
    """Ranks arms for S places by one policy, which is asked again for each place about what is left.

    Place 1 gets arm k with the policy's probability among the allowed arms, place s with its probability among the
    allowed arms that stand at none of the places before it. Every arm that is left keeps ε/K_left of each place, with
    K_left their number and ε the policy's exploration. For policies whose shares keep their proportions when an arm is
    taken away (fixed, softmax) the list follows the Plackett-Luce law; Thompson sampling gives each place the arm's
    probability of being the best of what is left, LinUCB the next highest bound.

    What is learned of an arm is its attraction, wherever it stood: under ``cascade`` the probability of being taken
    once looked at; under ``each`` its reward at the place that is looked at least, with ``examination`` γ_s the
    probability that place s is looked at (:mod:`bandit.slates.feedback`). The best list is then the order of
    attraction.

    It misleads where arms change what their neighbours are worth, and with ``each`` where γ is wrong. Reference:
    Kveton, Szepesvári, Wen and Ashkan, ICML 2015, algorithm 1 (CascadeUCB1 is this over an upper confidence bound).

    Parameters
    ----------
    policy
        Its law fills each place.
    places
        S, at most the number of arms.
    feedback
        How visitors read the list.
    examination
        γ, S probabilities in (0, 1]; all 1 when left out. For ``each`` alone: a cascade says itself what was seen.

    Raises
    ------
    InvalidInput
        For more places than arms, or an examination that does not fit.

    >>> from bandit.policies import create
    >>> from bandit.types import Arms
    >>> page = Ranking(create("fixed", arms=Arms(("a", "b", "c"), weights=(2.0, 1.0, 1.0))), places=2)
    >>> drawn = page.draw([[0.3, 0.9]])
    >>> drawn.arms.tolist(), drawn.distributions.tolist()
    ([[0, 2]], [[[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]]])
    >>> page.marginals()[0].round(4).tolist()
    [[0.5, 0.25, 0.25], [0.3333, 0.3333, 0.3333]]
    """

    kind = "ranking"

    def __init__(
        self,
        policy: Policy,
        *,
        places: int,
        feedback: Feedback = Feedback.CASCADE,
        examination: tuple[float, ...] = (),
    ) -> None:
        super().__init__((policy,), places=places, feedback=feedback)
        require(places <= len(policy.arms), f"places must be at most the {len(policy.arms)} arms, found {places}")
        own = self.feedback is Feedback.EACH
        require(own or not examination, "examination is for the feedback 'each': a cascade says what was looked at")
        self.examination = tuple(float(gamma) for gamma in examination) or (1.0,) * places
        require(len(self.examination) == places, f"examination must have {places} entries, found {list(examination)}")
        self._weight, self._scale = discounted(self.examination)

    def _policy(self, place: int) -> Policy:  # noqa: ARG002 - one for all
        return self.policies[0]

    def _left(self, allowed: Bools, used: Bools) -> Bools:
        return allowed & ~used

    def _check_allowed(self, allowed: Bools) -> None:
        enough = allowed.sum(axis=2) > np.arange(self.places)
        require(bool(enough.all()), f"allowed must leave enough arms for {self.places} places, found too few")

    def _rows(self, batch: SlateBatch, seen: Floats) -> list[Batch]:
        return [batch.placements(seen * self._weight, self._scale, slice(None))]

    def _settings(self) -> dict[str, Any]:
        given = list(self.examination) if self.feedback is Feedback.EACH else []
        return {"places": self.places, "feedback": self.feedback.value, "examination": given}

    @classmethod
    def _made(cls, policies: tuple[Policy, ...], settings: dict[str, Any]) -> Self:
        (policy,) = policies
        return cls(
            policy,
            places=settings["places"],
            feedback=Feedback(settings["feedback"]),
            examination=tuple(settings["examination"]),
        )
