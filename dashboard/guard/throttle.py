"""Slow guessing down: failures are counted by account and by address, and time heals them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock

from experiments.model import Micros

SECOND: Micros = 1_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """After ``failures`` in ``window`` µs, each further attempt waits until the last failure is ``delay`` µs old."""

    failures: int
    window: Micros
    delay: Micros


ACCOUNT = Limit(failures=10, window=15 * 60 * SECOND, delay=30 * SECOND)
ADDRESS = Limit(failures=100, window=3600 * SECOND, delay=30 * SECOND)


@dataclass
class Throttle:
    """Failures of this process. Nobody is locked out: an attempt is delayed by at most the limit's ``delay``.

    Parameters
    ----------
    clock
        Microseconds since 1970 UTC.
    workers
        Processes that share an address; each allows its part of every limit.
    """

    clock: Callable[[], Micros]
    workers: int = 1
    _failures: dict[tuple[str, str], deque[Micros]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    MOST_KEYS = 10_000

    def wait(self, *, account: str, address: str) -> int:
        """Whole seconds until this account may be tried from this address; 0 for now."""
        now = self.clock()
        with self._lock:
            waits = [self._wait(key, limit, now) for key, limit in _keys(account, address)]
        return -(-max(waits) // SECOND)

    def failed(self, *, account: str, address: str) -> None:
        """Count a wrong password."""
        now = self.clock()
        with self._lock:
            for key, limit in _keys(account, address):
                self._recent(key, limit, now).append(now)
            self._forget_oldest()

    def succeeded(self, *, account: str) -> None:
        """Forget the failures of an account whose owner signed in."""
        with self._lock:
            self._failures.pop(("account", account), None)

    def _wait(self, key: tuple[str, str], limit: Limit, now: Micros) -> Micros:
        if key not in self._failures:
            return 0
        times = self._recent(key, limit, now)
        allowed = max(1, limit.failures // self.workers)
        return max(0, times[-1] + limit.delay - now) if len(times) >= allowed else 0

    def _recent(self, key: tuple[str, str], limit: Limit, now: Micros) -> deque[Micros]:
        times = self._failures.setdefault(key, deque(maxlen=limit.failures))
        while times and times[0] <= now - limit.window:
            times.popleft()
        return times

    def _forget_oldest(self) -> None:
        # A dict keeps the order of insertion: the first key has been known for longest.
        while len(self._failures) > self.MOST_KEYS:
            del self._failures[next(iter(self._failures))]


def _keys(account: str, address: str) -> Iterable[tuple[tuple[str, str], Limit]]:
    return ((("account", account), ACCOUNT), (("address", address), ADDRESS))
