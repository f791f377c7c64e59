"""What is drawn for a page with several places, and what is learned from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bandit.types import Batch, Floats, Ints
from bandit.validation import InvalidInput, require


@dataclass(frozen=True, slots=True)
class Slates:
    """Pages that were drawn.

    Parameters
    ----------
    arms
        (n, S) index of the arm at each place, the first place first.
    distributions
        (n, S, K) probability of every arm at each place, *given* the arms at the places before it: what each arm was
        drawn from. This is what a log has to keep.
    """

    arms: Ints
    distributions: Floats

    @property
    def propensities(self) -> Floats:
        """(n, S) probability of the arm at each place, given those before it."""
        return np.take_along_axis(self.distributions, self.arms[:, :, None], axis=2)[:, :, 0]

    @property
    def probabilities(self) -> Floats:
        """(n,) probability of the page as a whole: the product over its places."""
        return np.asarray(self.propensities.prod(axis=1))


@dataclass(frozen=True, slots=True)
class SlateBatch:
    """Rewarded pages in the order in which they are to be learned.

    Parameters
    ----------
    contexts
        (n, d) encoded contexts, d = ``schema.width``.
    arms
        (n, S) index of the arm at each place.
    rewards
        (n, S) reward of each place, in the metric's unit: 1 where it was clicked, 0 where not. One reward of the whole
        page is given to every place: then each place learns what it adds, the others being drawn as they are.
    distributions
        (n, S, K) logged probability of every arm at each place, given those before it.
    times
        (n,) microseconds since 1970 UTC.
    weights
        (n,) importance of each page, 1 for a plain one.
    """

    contexts: Floats
    arms: Ints
    rewards: Floats
    distributions: Floats
    times: Ints
    weights: Floats

    def __len__(self) -> int:
        return len(self.arms)

    def check(self, *, places: int, arms: int) -> None:
        """Refuse what has not the shapes of ``places`` and ``arms``; values are checked with the rows.

        Raises
        ------
        InvalidInput
            With the shape that was found.
        """
        n = len(self)
        wanted = {
            "arms": (n, places),
            "rewards": (n, places),
            "distributions": (n, places, arms),
            "times": (n,),
            "weights": (n,),
        }
        for name, shape in wanted.items():
            found = getattr(self, name).shape
            if found != shape:
                raise InvalidInput(f"{name} must have shape {shape}, found {found}")
        found = self.contexts.shape
        require(len(found) == 2 and found[0] == n, f"contexts must have shape ({n}, d), found {found}")

    def placements(self, seen: Floats, scale: Floats, places: slice) -> Batch:
        """Return the placements of some places as rows of a policy: page by page, from the first place on.

        Parameters
        ----------
        seen
            (n, S) how much each placement counts; rows of 0 are left out.
        scale
            (S,) by which the rewards of each place are multiplied.
        places
            Which places.
        """
        count = seen[:, places]
        page, place = np.nonzero(count > 0)
        return Batch(
            contexts=self.contexts[page],
            arms=self.arms[:, places][page, place],
            rewards=(self.rewards * scale)[:, places][page, place],
            distributions=self.distributions[:, places][page, place],
            times=self.times[page],
            weights=self.weights[page] * count[page, place],
        )
