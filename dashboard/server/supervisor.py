"""The supervisor: forks children, forks each again when it dies, and takes all of them with it when it ends."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

POLL_SECONDS = 0.05
HEALTHY_SECONDS = 2.0
"""A child that lived this long is started again at once, one that did not a little later each time."""
DELAYS = (0.0, 0.1, 0.5, 1.0, 2.0)

Role: TypeAlias = Callable[[int], None]
"""What a child does, given the read end of the pipe that ends when the supervisor does."""

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Child:
    """One place in the family, and the process that fills it now."""

    name: str
    role: Role
    pid: int | None = None
    started: float = 0.0
    early_deaths: int = 0
    due: float = 0.0
    """When it may be started again."""


class Supervisor:
    """Keeps children alive, and ends them where its ``with`` block does.

    Parameters
    ----------
    roles
        Names and what they do, in the order in which they start and stop: whoever has the name that comes first is
        gone before the next is told to go.
    stop_seconds
        What the children of one name have to end by themselves when told to.
    after_fork
        Called in each child first: it gives back what only the supervisor may hold.
    """

    def __init__(
        self, roles: Sequence[tuple[str, Role]], *, stop_seconds: float, after_fork: Callable[[], None] = lambda: None
    ) -> None:
        self._children = [_Child(name, role) for name, role in roles]
        self._stop_seconds = stop_seconds
        self._after_fork = after_fork
        self._pipe, self._writer = os.pipe()  # nobody ever writes: that the write end closes is the message

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the children."""
        for name in dict.fromkeys(child.name for child in self._children):
            self._end([child for child in self._children if child.name == name])
        os.close(self._writer)
        os.close(self._pipe)

    def start(self, name: str) -> None:
        """Start the children of one name ahead of the others; :meth:`run` looks after them."""
        for child in self._children:
            if child.name == name:
                self._tend(child)

    def run(self, stop: threading.Event, *, between: Callable[[], None] = lambda: None) -> None:
        """Keep the children alive until ``stop`` is set.

        It has to be the main thread, the only one: a fork copies no other, and children die with the thread that
        forked them. ``between`` is called whenever everybody has been looked after.
        """
        while not stop.is_set():
            for child in self._children:
                self._tend(child)
            between()
            stop.wait(POLL_SECONDS)

    def _tend(self, child: _Child) -> None:
        now = time.monotonic()
        if child.pid is not None and (ended := _reap(child.pid)) is not None:
            child.pid = None
            child.early_deaths = 0 if now - child.started >= HEALTHY_SECONDS else child.early_deaths + 1
            child.due = now + DELAYS[min(child.early_deaths, len(DELAYS) - 1)]
            _log.warning("the %s ended with %d; it is started again", child.name, ended)
        if child.pid is None and now >= child.due:
            child.started = now
            child.pid = self._fork(child.role)

    def _fork(self, role: Role) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            os.close(self._writer)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            self._after_fork()
            role(self._pipe)
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)  # never back into the supervisor's own frames

    def _end(self, children: list[_Child]) -> None:
        deadline = time.monotonic() + self._stop_seconds
        for number in (signal.SIGTERM, signal.SIGKILL):
            living = [child.pid for child in children if child.pid is not None]
            for pid in living:
                os.kill(pid, number)
            while living and (number == signal.SIGKILL or time.monotonic() < deadline):
                living = [pid for pid in living if _reap(pid) is None]
                time.sleep(0.01)
            for child in children:
                child.pid = child.pid if child.pid in living else None


def _reap(pid: int) -> int | None:
    """Return the exit code of a child that has ended (negative: the signal), None while it lives."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None
