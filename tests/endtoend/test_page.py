from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from experiments.access import UserRole
from experiments.clock import system_clock
from experiments.store import Store

EMAIL, TOKEN = "reader@example.com", "one-time-token-of-the-reader"
READ = """rows => rows.map(row => {
    const cells = [...row.querySelectorAll('[data-number]')];
    const text = cell => cell.firstChild.textContent.trim();
    return [row.dataset.variant, Object.fromEntries(cells.map(cell => [cell.dataset.number, text(cell)]))];
})"""


def read_pages(url: str, keys: list[str]) -> dict[str, tuple[dict[str, dict[str, str]], str]]:
    """Sign in with the one-time link and read each results page: its numbers by variant, and its whole text."""
    found = os.environ.get("LANDIT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert found, "no browser: install chromium, or name one in LANDIT_CHROMIUM"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(base_url=url)
        page.goto(f"/signin/{TOKEN}")
        for field in ("password", "repeated"):
            page.fill(f"[name={field}]", "a long enough password")
        page.get_by_role("button", name="Set password").click()
        page.get_by_role("link", name="Hero section").wait_for()
        read: dict[str, Any] = {}
        for key in keys:
            page.goto(f"/experiments/{key}")
            read[key] = dict(page.locator("tr[data-variant]").evaluate_all(READ)), page.inner_text("body")
        browser.close()
        return read


@pytest.fixture(scope="session")
def pages(run, store: Store) -> dict[str, tuple[dict[str, dict[str, str]], str]]:
    """Both results pages as a browser shows them."""
    store.add_user(EMAIL, role=UserRole.VIEWER)
    store.create_login_link(EMAIL, sha256(TOKEN.encode()).digest(), system_clock() + 60_000_000)
    with ThreadPoolExecutor(1) as elsewhere:  # Playwright wants a thread that no other instance lives in
        return elsewhere.submit(read_pages, run.url, [scenario.key for scenario in run.worlds]).result()


def test_the_page_shows_the_report(run, experiment, pages) -> None:
    """The numbers in the browser are those of ``report.json``, and the page says that its visitors were simulated."""
    shown, text = pages[experiment.key]
    report = json.loads(run.get(f"/experiments/{experiment.key}/report.json")[1])
    assert shown.keys() == {variant["key"] for variant in report["variants"]}
    for variant in report["variants"]:
        cells = shown[variant["key"]]
        for name in ("visitors", "conversions"):
            assert int("".join(filter(str.isdigit, cells[name]))) == variant[name]
        for name in ("rate", "share"):
            assert float(cells[name].rstrip("%")) == pytest.approx(100 * variant[name], abs=0.051)
    assert "not shown: traffic was moved by a bandit" in text
    assert "simulated" in text.lower()
