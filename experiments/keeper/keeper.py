"""The keeper of a host: ship, and where it leads mature and learn, then publish; twice a second, for ever.

The database may go away at any time: workers go on writing journals, the keeper tries again, and nothing is lost.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from threading import Event
from time import monotonic

from experiments.clock import system_clock
from experiments.errors import StoreError, Unavailable
from experiments.keeper.leader import Leader
from experiments.keeper.publisher import Publisher
from experiments.keeper.shipper import Shipper
from experiments.model import Micros
from experiments.store import Store

TICK_SECONDS = 0.5
SHIP_SECONDS = 0.5
"""What shipping may take of a tick: a backlog must not keep new policies from the workers."""
LEASE_SECONDS = 6.0
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)

_log = logging.getLogger(__name__)


class Keeper:
    """Keeps one data directory.

    Parameters
    ----------
    store_url
        The store; opened at the first tick, and again after it was lost.
    data
        The data directory, with ``journal`` and ``published``.
    fingerprint
        Of the secret: a store that belongs to another one is refused.
    clock
        The time in µs since 1970 UTC, the same as the workers'.
    ship_grace
        Seconds after which a silent journal no longer holds learning up.
    """

    def __init__(
        self,
        store_url: str,
        data: Path,
        *,
        fingerprint: str | None = None,
        clock: Callable[[], Micros] = system_clock,
        ship_grace: float = 60,
    ) -> None:
        self._url = store_url
        self._data = data
        self._fingerprint = fingerprint
        self._clock = clock
        self._ship_grace = ship_grace
        self._holder = _holder(data)
        self._failures = 0
        self._work: _Work | None = None

    def tick(self) -> bool:
        """Do once whatever is due; returns whether more could be done at once.

        Raises
        ------
        Unavailable, StoreError
            The database cannot be used now.
        """
        if self._work is None:
            self._work = _Work(self._opened(), self._data, self._clock, self._holder)
        return self._work.tick(ship_grace=self._ship_grace)

    def run(self, stop: Event) -> None:
        """Tick until ``stop`` is set, and once more; failures are logged once and tried again, later and later."""
        while not stop.is_set():
            stop.wait(self._attempt())
        self._attempt()  # the workers are gone by now, their journals final

    def _attempt(self) -> float:
        """Tick once; returns the seconds to wait before the next time."""
        began = monotonic()
        try:
            busy = self.tick()
        except Exception as error:  # whatever it is, a keeper that ends teaches nothing any more
            self._report(error)
            self._failures += 1
            return RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS)) - 1]
        if self._failures:
            _log.info("the keeper works again")
            self._failures = 0
        return 0.0 if busy else max(0.0, TICK_SECONDS - (monotonic() - began))

    def close(self) -> None:
        """Give leadership, locks and connections back."""
        if self._work is not None:
            self._work.close()
            self._work = None

    def _opened(self) -> Store:
        store = Store.open(self._url, clock=self._clock)
        if self._fingerprint is not None:
            store.claim_secret(self._fingerprint)
        return store

    def _report(self, error: Exception) -> None:
        if not isinstance(error, Unavailable | StoreError | OSError):
            _log.exception("the keeper failed and tries again")
        elif not self._failures:
            _log.warning("the keeper waits for the store, journals grow meanwhile: %s", error)


class _Work:
    """What a keeper holds while its store is open."""

    def __init__(self, store: Store, data: Path, clock: Callable[[], Micros], holder: str) -> None:
        self._store = store
        self._clock = clock
        self._holder = holder
        self._shipper = Shipper(store, data / "journal", clock=clock, host=holder)
        self._publisher = Publisher(store, data / "published")
        self._leader: Leader | None = None
        self._renew_at = 0.0

    def tick(self, *, ship_grace: float) -> bool:
        shipped = self._shipper.ship(seconds=SHIP_SECONDS)
        if shipped is None:
            return False
        busy = not shipped.complete
        leader = self._lead()
        if leader is not None:
            busy |= leader.work(self._store.watermark(shipped.time, ship_grace=ship_grace))
        self._publisher.publish()
        return busy

    def close(self) -> None:
        try:
            self._shipper.leave()
            self._store.release(self._holder)
        except (Unavailable, StoreError) as error:
            _log.warning("the lease could not be given back; it ends by itself: %s", error)
        self._shipper.close()
        self._store.close()

    def _lead(self) -> Leader | None:
        """Take or renew the lease when a third of it has passed; what was in memory belongs to the old epoch."""
        if monotonic() < self._renew_at:
            return self._leader
        epoch = self._store.lease(self._holder, seconds=LEASE_SECONDS)
        self._renew_at = monotonic() + LEASE_SECONDS / 3
        if epoch is None:
            self._leader = None
        elif self._leader is None or self._leader.epoch != epoch:
            self._leader = Leader(self._store, epoch=epoch, clock=self._clock)
        return self._leader


def _holder(data: Path) -> str:
    """The name under which this data directory leads, made once: after a restart the lease is still its own.

    Two keepers never use it together, because only one holds the directory's shipper lock.
    """
    path = data / "keeper-id"
    if not path.exists():
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(secrets.token_hex(8))
    return path.read_text()
