"""The application as a whole: nothing at import, and a database that is away is said so."""

from __future__ import annotations

from pathlib import Path

from dashboard.app import create_app
from dashboard.settings import Settings


def test_a_missing_database_is_unavailable_and_not_a_defect(tmp_path: Path) -> None:
    """The application starts without it; pages and API answer 503 with what to do."""
    client = create_app(Settings.read({}, data=tmp_path)).test_client()
    assert client.get("/signin").status_code == 200
    answer = client.get("/api/experiments", headers={"X-API-Key": "some"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.json["error"]["hint"]


def test_static_files_change_their_address_with_their_content(tmp_path: Path) -> None:
    """A page names its style sheet with a hash, and browsers may keep it for a year."""
    client = create_app(Settings.read({}, data=tmp_path)).test_client()
    address = client.get("/signin").text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert "?v=" in address
    assert "max-age=31536000" in client.get(address, buffered=True).headers["Cache-Control"]
