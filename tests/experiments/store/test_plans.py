"""Nothing that runs twice a second reads the log from end to end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from experiments.records import RepeatRecord
from experiments.store import Store

LOGS = "decisions|pending|rewards|analysis_rows|first|other"
WHOLE = re.compile(rf"SCAN ({LOGS})\b|SEARCH ({LOGS}) USING .*\(experiment_id=\?\)|SEARCH .*TEMP B-TREE FOR ORDER BY")
ALLOWED = (
    "ORDER BY analysis_rows.seq DESC",  # the last row, from the end of the key
    "rewards.early",  # the partial index holds only what came before its decision
)


@pytest.fixture
def statements(sqlite_url: str, site_type: type[Any]) -> Iterator[tuple[Any, list[tuple[str, Any]]]]:
    """A site on SQLite, and every statement with the parameters that it runs."""
    store = Store.open(sqlite_url, clock=lambda: 0)
    site, seen = site_type(store), []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        seen.append((statement, parameters[0] if many else parameters))

    event.listen(store._database.engine, "before_cursor_execute", note)
    yield site, seen
    event.remove(store._database.engine, "before_cursor_execute", note)
    store.close()


def test_no_statement_reads_the_whole_log(statements: tuple[Any, list[tuple[str, Any]]]) -> None:
    """Shipping, maturing and committing look everything up along an index."""
    site, seen = statements
    site.ship(*(site.decision(i, who=i, request_id=str(i)) for i in range(50)), site.reward(1, at=1))
    site.ship(site.reward(2, at=1), site.reward(who=3, at=1), RepeatRecord(decision=f"{1:032x}", time=1))
    site.learn(limit=20)
    plans = {}
    with site.store._database.reading() as connection:
        driver = connection.connection.driver_connection
        for statement, parameters in list(seen):
            if statement.startswith(("SELECT", "DELETE", "UPDATE")):
                plan = [row[-1] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
                plans[statement] = plan
    assert len(plans) > 20
    bad = {
        statement: line
        for statement, plan in plans.items()
        for line in plan
        if WHOLE.search(line) and not any(words in statement for words in ALLOWED)
    }
    assert bad == {}
    last = next(plan for statement, plan in plans.items() if ALLOWED[0] in statement)
    assert last == ["SEARCH analysis_rows USING PRIMARY KEY (experiment_id=?)"]
