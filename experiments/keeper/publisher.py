"""The publisher: what workers need of the store, copied to the folder that they read."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from bandit import policies
from bandit.validation import InvalidInput
from experiments.errors import Invalid
from experiments.keeper.relearn import checksum
from experiments.model import Experiment, State
from experiments.published import Catalog, PublishedExperiment, load, publish
from experiments.store import PolicyVersion, Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Good:
    """A policy version that passed every check, and what the store said of it."""

    version: int
    checksum: str
    blob: bytes


class Publisher:
    """Publishes a host's folder. A policy that is damaged or answers nonsense stays out; the one before it stays in.

    Parameters
    ----------
    store
        Read, never written.
    folder
        The published folder.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._good: dict[int, _Good] = _published(folder)

    def publish(self) -> None:
        """Write the folder, if anything has changed."""
        experiments = [e for e in self._store.experiments() if e.state is not State.ARCHIVED]
        keys = tuple(filter(lambda key: key.revoked is None, self._store.keys()))
        publish(self._folder, Catalog(tuple(self._entry(experiment) for experiment in experiments), keys))

    def _entry(self, experiment: Experiment) -> PublishedExperiment:
        newest = self._store.latest_policy(experiment.id)
        if newest is not None:
            self._examine(experiment, newest)
        good = self._good.get(experiment.id)
        if good is None:
            return PublishedExperiment(experiment)
        return PublishedExperiment(experiment, good.blob, good.version)

    def _examine(self, experiment: Experiment, newest: PolicyVersion) -> None:
        """Take the newest version for good if it is; what was found good once is not examined again."""
        blob, expected = newest.in_force
        good = self._good.get(experiment.id)
        if good is not None and good.checksum == expected:
            self._good[experiment.id] = replace(good, version=newest.version)
        elif blob is not None:
            problem = _problem(blob, expected)
            if problem:
                _log.error("%s: policy version %d is not published: %s", experiment.key, newest.version, problem)
            else:
                self._good[experiment.id] = _Good(newest.version, expected, blob)


def _problem(blob: bytes, expected: str) -> str:
    """Say why a policy may not be served; empty if it may."""
    if checksum(blob) != expected:
        return "its checksum is wrong"
    try:
        policies.from_bytes(blob)
    except InvalidInput as error:
        return str(error)
    return ""


def _published(folder: Path) -> dict[int, _Good]:
    """What the folder holds from the last run: the fallback where the newest version turns out to be damaged."""
    try:
        catalog = load(folder)
    except (Invalid, OSError) as error:
        _log.warning("what was published before cannot be read: %s", error)
        return {}
    return {
        entry.experiment.id: _Good(entry.policy_version, checksum(entry.policy), entry.policy)
        for entry in (catalog.experiments if catalog else ())
        if entry.policy is not None
    }
