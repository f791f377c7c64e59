"""Differences of a fixed split within the values of one segment, put together again: post-stratified.

A lucky split of the values between two variants is no luck any more, and differences between the values are no noise.
The values are known before the exposure and declared before the start, so nothing is chosen by what came of it. A value
with too few rows of either variant for its own mean to be trusted is counted with the largest; values only ever leave
that common one, as rows come, so that the estimate is not switched to and fro.

It misleads nobody, and gains nothing, where the values are alike. Means that are shown of variants are the plain ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.statistics import sequential
from experiments.statistics.effect import Effect
from experiments.statistics.moments import Moments
from experiments.statistics.strata import stratified_effect

Cell = tuple[Moments, Moments]


@dataclass(frozen=True, slots=True)
class Strata:
    """The sums of each variant, by the values of one attribute.

    Parameters
    ----------
    attribute
        By which rows are told apart.
    values
        Of each of its values, the sums of each variant.
    """

    attribute: str
    values: tuple[Mapping[str, Moments], ...]

    def effect(self, control: str, treatment: str) -> Effect | None:
        """Return the post-stratified effect; None while fewer than two values have enough rows of both variants."""
        cells = _merged([(value[control], value[treatment]) for value in self.values])
        found = stratified_effect(cells) if len(cells) > 1 else None
        return found if isinstance(found, Effect) else None


def _merged(cells: Sequence[Cell]) -> list[Cell]:
    """The cells that stand by themselves, the largest first; it takes in all others."""
    enough = [cell for cell in cells if all(sequential.missing_rows(moments) is None for moments in cell)]
    if len(enough) < 2:
        return []
    enough.sort(key=lambda cell: cell[0].rows + cell[1].rows, reverse=True)
    control, treatment = enough[0]
    for cell in cells:
        if not any(cell is other for other in enough):
            control, treatment = control + cell[0], treatment + cell[1]
    return [(control, treatment), *enough[1:]]
