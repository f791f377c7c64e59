"""From an Arrow batch of a log to arrays, with every check that the numbers' meaning rests on."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
import pyarrow as pa

from bandit.features import Schema
from bandit.types import Batch, Bools, Floats, Ints
from experiments.errors import Invalid
from experiments.model import LARGEST
from experiments.replay.contexts import decode_contexts

SUM_TOLERANCE = 1e-5
"""How far a logged distribution may be from summing to one: float32 ones (Vowpal Wabbit's) are off by 7e-7."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A checked batch of n analysis rows over K variants."""

    numbers: Ints
    """(n,) row numbers in the source, from 1."""
    units: Ints
    """(n,) non-negative hashes of the units; a row without unit is its own."""
    times: Ints
    """(n,) µs since 1970 UTC, 0 where the log has none."""
    chosen: Ints
    """(n,) index of the variant."""
    positions: Ints
    """(n,) slot of the page, from 0."""
    rewards: Floats
    probabilities: Floats | None
    """(n,) logged probability of the chosen variant, in (0, 1]; None where the log has none."""
    distributions: Floats | None
    """(n, K) logged probability of every variant; None where the log has none."""
    contexts: Floats
    """(n, d) encoded contexts; (n, 0) where the pass asked for none."""

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, part: slice) -> Rows:
        return Rows(
            numbers=self.numbers[part],
            units=self.units[part],
            times=self.times[part],
            chosen=self.chosen[part],
            positions=self.positions[part],
            rewards=self.rewards[part],
            probabilities=None if self.probabilities is None else self.probabilities[part],
            distributions=None if self.distributions is None else self.distributions[part],
            contexts=self.contexts[part],
        )

    def lesson(self, variants: int) -> Batch:
        """The rows as a policy learns them.

        Where only the chosen variant's probability is known, what is left of one is spread evenly over the others:
        no policy reads more of the vector than the entry of the chosen one.
        """
        distributions = self.distributions
        if distributions is None:
            probabilities = np.full(len(self), 1.0 / variants) if self.probabilities is None else self.probabilities
            distributions = _spread(probabilities, self.chosen, variants)
        return Batch(
            contexts=self.contexts,
            arms=self.chosen,
            rewards=self.rewards,
            distributions=distributions,
            times=self.times,
            weights=np.ones(len(self)),
        )


def decode(
    batch: pa.RecordBatch, *, variants: tuple[str, ...], chosen_known: bool, all_known: bool, schema: Schema | None
) -> Rows:
    """The arrays of a batch of a log.

    Raises
    ------
    Invalid
        A row's variant is unknown, its reward is missing or not finite, its probability is missing or outside (0, 1],
        or its distribution does not sum to one or disagrees with the probability. The message names the row.
    """
    numbers: Ints = batch.column("row").to_numpy()
    rewards: Floats = batch.column("reward").to_numpy(zero_copy_only=False)
    _refuse(numbers, ~(np.abs(rewards) <= LARGEST), rewards, f"its reward must be a finite number, at most {LARGEST:g}")
    chosen = batch.column("variant").fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    _refuse(numbers, chosen < 0, chosen, f"its variant is missing or none of the log's {len(variants)}")
    probabilities = _probabilities(batch, numbers) if chosen_known else None
    distributions = _distributions(batch, numbers, len(variants)) if all_known else None
    if probabilities is not None and distributions is not None:
        said = distributions[np.arange(len(chosen)), chosen]
        wrong = np.abs(said - probabilities) > SUM_TOLERANCE
        _refuse(numbers, wrong, probabilities, "its probability must be the chosen variant's in its distribution")
    return Rows(
        numbers=numbers,
        units=_units(batch, numbers),
        times=batch.column("time").fill_null(0).to_numpy(zero_copy_only=False),
        chosen=chosen,
        positions=batch.column("position").to_numpy().astype(np.int64),
        rewards=rewards,
        probabilities=probabilities,
        distributions=distributions,
        contexts=np.empty((len(chosen), 0)) if schema is None else decode_contexts(batch.column("context"), schema),
    )


def _probabilities(batch: pa.RecordBatch, numbers: Ints) -> Floats:
    probabilities: Floats = batch.column("probability").to_numpy(zero_copy_only=False)
    # A missing one is NaN here and fails the comparison: it never becomes 1.
    wrong = ~((probabilities > 0) & (probabilities <= 1))
    _refuse(numbers, wrong, probabilities, "its probability must be in (0, 1]")
    return probabilities


def _distributions(batch: pa.RecordBatch, numbers: Ints, variants: int) -> Floats:
    column = batch.column("distribution")
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    _refuse(numbers, lengths != variants, lengths, f"its distribution must have {variants} entries")
    vectors: Floats = np.asarray(column.flatten().to_numpy(zero_copy_only=False), dtype=np.float64)
    vectors = vectors.reshape(-1, variants)
    negative = ~np.all(vectors >= 0, axis=1)
    _refuse(numbers, negative, np.nanmin(vectors, axis=1), "its distribution must not be negative or missing")
    totals = vectors.sum(axis=1)
    _refuse(numbers, np.abs(totals - 1) > SUM_TOLERANCE, totals, "its distribution must sum to 1")
    return vectors


def _units(batch: pa.RecordBatch, numbers: Ints) -> Ints:
    column = batch.column("unit")
    if column.null_count == len(column):
        return numbers
    # Python's own hash of text changes with every process.
    hashes = [
        number if unit is None else crc32(unit.encode())
        for number, unit in zip(numbers.tolist(), column.to_pylist(), strict=True)
    ]
    return np.array(hashes, dtype=np.int64)


def _refuse(numbers: Ints, wrong: Bools, found: Floats | Ints, rule: str) -> None:
    if np.any(wrong):
        first = int(np.argmax(wrong))
        count = int(np.count_nonzero(wrong))
        also = f" ({count} such rows in its batch)" if count > 1 else ""
        raise Invalid(f"Row {numbers[first]} of the log: {rule}, found {found[first]}{also}.", hint="Correct the log.")


def _spread(probabilities: Floats, chosen: Ints, variants: int) -> Floats:
    others = (1.0 - probabilities) / max(variants - 1, 1)
    spread = np.repeat(others[:, None], variants, axis=1)
    spread[np.arange(len(chosen)), chosen] = probabilities
    return spread
