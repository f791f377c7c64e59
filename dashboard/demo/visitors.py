"""Simulated visitors: they arrive over HTTP, see a variant, think for a moment, and convert, look around or leave."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from dashboard.demo.client import Client
from dashboard.demo.scenarios import METRIC, Scenario
from experiments.errors import LanditError

THINKING_SECONDS = 1.0
"""Mean time from arrival to conversion; five times it at most, well inside the reward window."""
PAUSE_SECONDS = 0.5


@dataclass
class Tally:
    """What has happened so far: in all, and by experiment."""

    visitors: int = 0
    conversions: int = 0
    refused: int = 0
    last_refusal: str = ""


class Crowd:
    """Sends visitors to a server at a steady rate, to each experiment in turn, until it is told to stop.

    Parameters
    ----------
    connect
        Makes a client with a connection of its own.
    scenarios
        The experiments and their worlds.
    seed
        Of contexts, conversions and thinking times.
    rate
        Visitors a second; infinity sends them as fast as they are answered.
    limit
        How many visitors in all, or None for no end.
    name
        The beginning of every visitor's id, different in every run.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        scenarios: Sequence[Scenario],
        *,
        seed: int,
        rate: float,
        name: str,
        limit: int | None = None,
    ) -> None:
        self.tally = Tally()
        self._client = connect()
        self._rng = np.random.default_rng(seed)
        self._scenarios = scenarios
        self._contexts = [scenario.world.visitors(self._rng) for scenario in scenarios]
        self._rate, self._limit, self._name = rate, limit, name
        self._thinking: list[tuple[float, int, str, dict[str, float]]] = []
        """(when, number, token, rewards) of those who will bring any, the next first."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="visitors", daemon=True)

    def start(self) -> None:
        """Let the visitors come."""
        self._thread.start()

    def stop(self) -> None:
        """Let nobody else come, and wait until the last request is answered."""
        self._stop.set()
        self._thread.join()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until all visitors have come and gone; say whether they have."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        begin = time.monotonic()
        for number in count():
            if self._stop.is_set() or number == self._limit:
                break
            due = begin + number / self._rate
            self._rest(until=due)
            try:
                self._arrive(number)
            except (LanditError, OSError) as error:
                self._refused(error)
                begin += PAUSE_SECONDS  # nobody hurries to make up for a pause
        while self._thinking and not self._stop.is_set():
            self._rest(until=self._thinking[0][0] + 0.001)
        self._client.close()

    def _arrive(self, number: int) -> None:
        index = number % len(self._scenarios)
        scenario, context = self._scenarios[index], next(self._contexts[index])
        answer = self._client.choose(scenario.key, unit=f"{self._name}-{number}", context=context)
        self.tally.visitors += 1
        if answer["decision"] is None:  # paused or stopped: there is nothing to learn from
            return
        rewards = scenario.rewards(answer["variant"], context, self._rng)
        if rewards:
            thought = min(self._rng.exponential(THINKING_SECONDS), 5 * THINKING_SECONDS)
            heapq.heappush(self._thinking, (time.monotonic() + thought, number, answer["decision"], rewards))

    def _rest(self, *, until: float) -> None:
        """Send the rewards that fall due before ``until``, and sleep in between."""
        while not self._stop.is_set():
            now = time.monotonic()
            if self._thinking and self._thinking[0][0] <= min(now, until):
                self._convert(*heapq.heappop(self._thinking)[2:])
            elif now >= until:
                return
            else:
                following = min(until, self._thinking[0][0]) if self._thinking else until
                self._stop.wait(max(following - now, 0.0))

    def _convert(self, decision: str, rewards: Mapping[str, float]) -> None:
        try:
            for metric, value in rewards.items():
                self._client.reward(decision, metric=metric, value=value)
            self.tally.conversions += METRIC in rewards
        except (LanditError, OSError) as error:
            self._refused(error)

    def _refused(self, error: Exception) -> None:
        self.tally.refused += 1
        self.tally.last_refusal = str(error)
        self._stop.wait(PAUSE_SECONDS)
