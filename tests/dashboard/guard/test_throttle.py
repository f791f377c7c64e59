"""Failures are counted by account and address, and time heals them."""

from __future__ import annotations

from typing import Any

from dashboard.guard.throttle import ACCOUNT, ADDRESS, Throttle


def test_an_address_is_slowed_down_over_many_accounts(clock: Any) -> None:
    """A list of accounts is tried no faster than one."""
    throttle = Throttle(clock)
    for number in range(ADDRESS.failures):
        assert throttle.wait(account=f"{number}", address="10.0.0.1") == 0
        throttle.failed(account=f"{number}", address="10.0.0.1")
    assert throttle.wait(account="another", address="10.0.0.1") == 30
    assert throttle.wait(account="another", address="10.0.0.2") == 0


def test_a_day_of_guessing_gets_few_tries(clock: Any) -> None:
    """At the greatest pace that is allowed, an account sees fewer than 3,000 wrong passwords a day."""
    throttle, tries, end = Throttle(clock), 0, clock() + 86_400_000_000
    while clock() < end:
        wait = throttle.wait(account="ann", address=f"10.0.{tries // 250}.{tries % 250}")
        if wait:
            clock.sleep(wait)
            continue
        throttle.failed(account="ann", address=f"10.0.{tries // 250}.{tries % 250}")
        tries += 1
    assert tries < 3_000


def test_workers_share_the_limit(clock: Any) -> None:
    """Each of five processes allows a fifth."""
    throttle = Throttle(clock, workers=5)
    for _ in range(ACCOUNT.failures // 5):
        assert throttle.wait(account="ann", address="a") == 0
        throttle.failed(account="ann", address="a")
    assert throttle.wait(account="ann", address="a") > 0


def test_failures_are_forgotten(clock: Any) -> None:
    """After the window, or after the owner signed in."""
    throttle = Throttle(clock)
    for _ in range(ACCOUNT.failures):
        throttle.failed(account="ann", address="a")
    assert throttle.wait(account="ann", address="b") > 0
    throttle.succeeded(account="ann")
    assert throttle.wait(account="ann", address="b") == 0
    clock.sleep(3601)
    assert throttle.wait(account="ann", address="a") == 0


def test_memory_is_bounded(clock: Any) -> None:
    """Inventing accounts does not fill it."""
    throttle = Throttle(clock)
    throttle.MOST_KEYS = 50
    for number in range(200):
        throttle.failed(account=f"{number}", address=f"{number}")
    assert len(throttle._failures) <= 50
