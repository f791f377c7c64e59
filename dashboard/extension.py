"""What the views of one process share: settings, clock, the store, the throttle."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from flask import current_app

from dashboard.guard.throttle import Throttle
from dashboard.settings import Settings
from experiments.model import Micros
from experiments.secret import Secret
from experiments.store import Store

EXTENSION = "landit"


class Landit:
    """One per application, under ``app.extensions["landit"]``."""

    def __init__(self, settings: Settings, secret: Secret, *, clock: Callable[[], Micros]) -> None:
        self.settings = settings
        self.secret = secret
        self.clock = clock
        self.throttle = Throttle(clock, workers=settings.workers)
        self._store: Store | None = None
        self._opening = Lock()

    @property
    def store(self) -> Store:
        """The store, opened by whoever asks first; StoreError where it cannot be."""
        with self._opening:
            if self._store is None:
                self._store = Store.open(self.settings.store, clock=self.clock)
            return self._store

    def close(self) -> None:
        """Give the database connections back."""
        with self._opening:
            if self._store is not None:
                self._store.close()
                self._store = None


def landit() -> Landit:
    """Return what the running application shares."""
    shared: Landit = current_app.extensions[EXTENSION]
    return shared


def store() -> Store:
    """Return the store of the running application."""
    return landit().store
