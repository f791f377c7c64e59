"""Numbers that say of themselves what is usual: their center and scale are learned from the first visitors, once.

What a policy learned belongs to the columns that it was learned from, so nothing moves under it: until enough visitors
were seen, the declared center and scale hold; then the learned ones are recorded as a version of the experiment, in a
phase of its own, and the policy learns all rows again from the first. From then on they stay, and relearning reads
them from that version.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bandit.features import Standardizer
from bandit.types import Context
from experiments.model import Definition, Experiment

ENOUGH = 200
"""Visitors of whom a number must be known: its mean is then within .14 of its spread in 95 of 100 cases."""
ROWS = 1_000
"""Rows that are read for it, the latest ones."""


def learned(experiment: Experiment, contexts: Sequence[Context]) -> dict[str, tuple[float, float]]:
    """Return the experiment's standards with those that ``contexts`` are enough to add."""
    standardizer = Standardizer(experiment.schema)
    standardizer.add(contexts)
    frozen = standardizer.freeze().standards
    ready = [standardizer.names[i] for i in np.flatnonzero(standardizer.counts >= ENOUGH)]
    return {name: frozen[name] for name in ready} | experiment.standards


def still_standard(old: Experiment, new: Definition) -> dict[str, tuple[float, float]]:
    """Return the standards that stay when a person saves ``new``: of numbers that are declared as they were."""
    before = {attribute.name: attribute for attribute in old.definition.context}
    kept = {attribute.name for attribute in new.context if before.get(attribute.name) == attribute}
    return {name: pair for name, pair in old.standards.items() if name in kept}
