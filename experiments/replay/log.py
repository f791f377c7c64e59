"""A log: decisions with rewards from anywhere, as one stream of Arrow batches of the same columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

import pyarrow as pa

from bandit.features import Schema
from bandit.types import Arms, Context
from experiments.replay.rows import Rows, decode

BATCH_ROWS = 8192
"""Rows of a batch: large enough for numpy, and 5 MB of distributions where there are 80 variants."""


class Recorded(Enum):
    """What a log says of how its variants were chosen."""

    NOTHING = "nothing"
    CHOSEN = "the probability of the chosen variant"
    EVERY = "the probability of every variant"


Scan: TypeAlias = Callable[[bool], Iterator[pa.RecordBatch]]
"""Starts a new pass over the analysis rows; with False, contexts may be left out (they cost most)."""


@dataclass(frozen=True, kw_only=True)
class Log:
    """Decisions with rewards, in the order in which they were made; only analysis rows, and streaming.

    A pass holds one batch in memory, so a log may be larger than it. ``batches`` starts a new pass.
    """

    name: str
    """As the user wrote it: ``obd:DIR``, ``store:KEY``..."""
    variants: tuple[str, ...]
    metric: str
    """The metric that ``reward`` is a value of."""
    recorded: Recorded
    schema: Schema
    """How its contexts become vectors."""
    scan: Scan
    positions: int = 1
    units_repeat: bool = False
    """Whether one unit may stand in several rows, so that errors must be clustered."""
    reward_range: tuple[float, float] | None = None
    """Least and greatest possible reward, where the log knows."""
    described: Mapping[str, Context] = field(default_factory=dict)
    """What variants say of themselves, by their key, where the log knows."""

    @property
    def arms(self) -> Arms:
        """What ``bandit`` needs to know of the variants."""
        return Arms(keys=self.variants, attributes=tuple(self.described.get(key, {}) for key in self.variants))

    def batches(self, *, contexts: bool = True) -> Iterator[pa.RecordBatch]:
        """A pass over its rows, as Arrow batches of :data:`experiments.replay.columns.SCHEMA`."""
        return self.scan(contexts)

    def rows(self, *, contexts: bool = False, skip: int = 0) -> Iterator[Rows]:
        """A pass over its rows, checked, as arrays.

        Parameters
        ----------
        contexts
            Whether ``Rows.contexts`` are filled.
        skip
            Rows at the head to leave out.

        Raises
        ------
        Invalid
            A row says something impossible; the message names the row.
        """
        for batch in self.scan(contexts):
            kept = batch.slice(min(skip, batch.num_rows))
            skip -= batch.num_rows - kept.num_rows
            if kept.num_rows:
                yield self.decode(kept, contexts=contexts)

    def decode(self, batch: pa.RecordBatch, *, contexts: bool = False) -> Rows:
        """The checked arrays of one of its batches; as :meth:`rows`."""
        return decode(
            batch,
            variants=self.variants,
            chosen_known=self.recorded is not Recorded.NOTHING,
            all_known=self.recorded is Recorded.EVERY,
            schema=self.schema if contexts else None,
        )

    def count(self) -> int:
        """How many rows it has; one pass."""
        return sum(batch.num_rows for batch in self.scan(False))
