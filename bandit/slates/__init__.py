"""Pages with several places: a ranked list (:class:`Ranking`) or one variant a slot (:class:`Grid`), by any policy.

page = Ranking(create("thompson", arms=arms, exploration=0.05), places=3)
drawn = page.draw(rng.random((n, 3)))                  # arms, and the exact vector behind each placement
page.learn(SlateBatch(contexts, drawn.arms, rewards, drawn.distributions, times, weights))
"""

from bandit.slates.feedback import Feedback
from bandit.slates.grid import Grid
from bandit.slates.ranking import Ranking
from bandit.slates.slate import Slate, read
from bandit.slates.types import SlateBatch, Slates
from bandit.slates.value import Assumption, PageValue, ips

__all__ = [
    "Assumption",
    "Feedback",
    "Grid",
    "PageValue",
    "Ranking",
    "Slate",
    "SlateBatch",
    "Slates",
    "from_bytes",
    "ips",
]


def from_bytes(blob: bytes) -> Slate:
    """Return the page whose :meth:`Slate.to_bytes` this is.

    Raises
    ------
    InvalidInput
        For bytes that are damaged, or that no page wrote.

    >>> from bandit.policies import create
    >>> from bandit.types import Arms
    >>> from_bytes(Ranking(create("fixed", arms=Arms(("a", "b"))), places=2).to_bytes()).places
    2
    """
    return read(blob, {"ranking": Ranking, "grid": Grid})
