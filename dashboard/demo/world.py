"""The simulated world: visitors with contexts, and the true rate at which each of them answers each variant.

Everything is written down here, so that what an experiment finds can be compared with the truth. Nothing in the
product reads it: visitors come over HTTP like any others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod

import numpy as np

Answers = Mapping[str, str]
"""A visitor's context: attribute to value."""


@dataclass(frozen=True)
class World:
    """A population, and the probability that one of it converts.

    rate(variant | context) = base[variant] + Σ over attributes of shifts[(attribute, value)][variant], a missing one
    being zero: linear in the context, as the contextual policies of the demo assume.

    Parameters
    ----------
    base
        Variant key to the rate of a visitor without any shift.
    population
        Attribute to its values and their shares, which add up to one; attributes are independent.
    shifts
        (attribute, value) to what it adds to the rate of each variant.

    Examples
    --------
    >>> world = World(base={"a": 0.1, "b": 0.1}, population={"device": {"mobile": 0.5, "desktop": 0.5}},
    ...               shifts={("device", "mobile"): {"b": 0.2}})
    >>> {key: round(rate, 3) for key, rate in world.mean_rates().items()}
    {'a': 0.1, 'b': 0.2}
    >>> round(world.best_by_context(), 3)
    0.2
    """

    base: Mapping[str, float]
    population: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    shifts: Mapping[tuple[str, str], Mapping[str, float]] = field(default_factory=dict)

    def rate(self, variant: str, context: Answers) -> float:
        """The probability that a visitor with this context converts on this variant."""
        return self.base[variant] + sum(self.shifts.get(item, {}).get(variant, 0.0) for item in context.items())

    def visitors(self, rng: np.random.Generator) -> Iterator[dict[str, str]]:
        """Contexts of visitors as they come, without end."""
        names = {attribute: (list(shares), list(shares.values())) for attribute, shares in self.population.items()}
        while True:
            yield {attribute: str(rng.choice(values, p=p)) for attribute, (values, p) in names.items()}

    def contexts(self) -> Iterator[tuple[dict[str, str], float]]:
        """Every possible context with its share of the population."""
        attributes = list(self.population)
        for values in product(*self.population.values()):
            context = dict(zip(attributes, values, strict=True))
            yield context, prod(self.population[attribute][value] for attribute, value in context.items())

    def mean_rates(self) -> dict[str, float]:
        """The true rate of each variant over the whole population."""
        return {
            variant: sum(share * self.rate(variant, context) for context, share in self.contexts())
            for variant in self.base
        }

    def best_single(self) -> tuple[str, float]:
        """The variant that is best for everybody together, and its true rate."""
        rates = self.mean_rates()
        best = max(rates, key=rates.__getitem__)
        return best, rates[best]

    def best_by_context(self) -> float:
        """The true rate of giving every visitor the variant that is best for them."""
        return sum(share * self._best(context) for context, share in self.contexts())

    def expected(self, choices: Sequence[tuple[str, Answers]]) -> float:
        """The mean true rate of variants as they were chosen: a policy's value without the luck of the rewards."""
        return float(np.mean([self.rate(variant, context) for variant, context in choices]))

    def _best(self, context: Answers) -> float:
        return max(self.rate(variant, context) for variant in self.base)
