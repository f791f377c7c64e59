"""Which segment value a row belongs to: the declared values of a category, yes and no, stretches of a number.

Every row has one value of every declared segment; what is missing, undeclared or of another type is at home in 'other',
so that the values of a segment make up all rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bandit.features import Attribute, AttributeType
from bandit.features.attributes import is_number, plain_numbers
from bandit.types import Context, Floats, Ints
from experiments.model import Definition

OTHER = "other"
YES, NO = "yes", "no"
MANY_VARIANTS = 50
"""Above this many variants a segment's contrasts would need more rows than there will be."""
CELLS = 100_000
"""Metrics times segment values times the square of the variants: what the sums of segments may take, some 10 MB."""


@dataclass(frozen=True, slots=True)
class Split:
    """One declared segment: the labels of its values, the last of them ``other``, and how a value finds its own."""

    attribute: str
    type: AttributeType
    labels: tuple[str, ...]
    cuts: tuple[float, ...] = ()

    def places(self, contexts: Sequence[Context]) -> Ints:
        """Return (n,) the place of each context's value among the labels.

        >>> split_of(Attribute("age", AttributeType.NUMBER), cuts=(18, 35)).places([{"age": 18}, {}]).tolist()
        [1, 3]
        """
        other = len(self.labels) - 1
        values = [context.get(self.attribute) for context in contexts]
        match self.type:
            case AttributeType.BOOLEAN:
                found = [0 if value is True else 1 if value is False else other for value in values]
            case AttributeType.NUMBER:
                return self._stretches(values, other)
            case _:
                homes = {label: place for place, label in enumerate(self.labels)}
                found = [homes.get(value, other) if type(value) is str else other for value in values]
        return np.array(found, dtype=np.int64)

    def _stretches(self, values: list[Any], other: int) -> Ints:
        numbers = numbers_of(values)
        found = np.searchsorted(self.cuts, numbers, side="right")
        return np.where(np.isnan(numbers), other, found).astype(np.int64)


def numbers_of(values: list[Any]) -> Floats:
    """Return (n,) values as numbers, NaN for those that are none.

    >>> numbers_of([1, None, "2", True, 3.5]).tolist()
    [1.0, nan, nan, nan, 3.5]
    """
    numbers = plain_numbers(values)
    if numbers is not None:
        return numbers
    return np.array([value if is_number(value) else np.nan for value in values], dtype=np.float64)


def split_of(attribute: Attribute, *, cuts: Sequence[float] = ()) -> Split:
    """Return how an attribute splits rows.

    >>> split_of(Attribute("age", AttributeType.NUMBER), cuts=(18, 35)).labels
    ('under 18', '18 to 35', '35 and more', 'other')
    """
    kind = AttributeType(attribute.type)
    match kind:
        case AttributeType.NUMBER:
            labels = _stretch_labels([f"{cut:g}" for cut in cuts])
        case AttributeType.BOOLEAN:
            labels = (YES, NO)
        case _:
            labels = tuple(value for value in dict.fromkeys(attribute.values) if value != OTHER)
    return Split(attribute.name, kind, (*labels, OTHER), tuple(float(cut) for cut in cuts))


def splits_of(definition: Definition) -> tuple[Split, ...]:
    """Return the splits that sums are kept for: none where :func:`why_no_segments` says so."""
    return () if why_no_segments(definition) else _declared(definition)


def why_no_segments(definition: Definition) -> str:
    """Say why there are no numbers per segment; empty where there are."""
    splits, variants = _declared(definition), len(definition.variants)
    if not splits:
        return "no segments are declared"
    if variants > MANY_VARIANTS:
        return f"with more than {MANY_VARIANTS} variants no segment would ever have enough rows, there are {variants}"
    cells = len(definition.metrics) * sum(len(split.labels) for split in splits) * (variants + 2) ** 2
    if cells > CELLS:
        return "there are too many variants, metrics and segment values to keep sums of each: declare fewer"
    return ""


def _declared(definition: Definition) -> tuple[Split, ...]:
    attributes = {attribute.name: attribute for attribute in definition.context}
    known = [segment for segment in definition.segments if segment.attribute in attributes]
    return tuple(split_of(attributes[segment.attribute], cuts=segment.cuts) for segment in known)


def _stretch_labels(cuts: Sequence[str]) -> tuple[str, ...]:
    if not cuts:
        return ("any",)
    inner = [f"{low} to {high}" for low, high in itertools.pairwise(cuts)]
    return (f"under {cuts[0]}", *inner, f"{cuts[-1]} and more")
