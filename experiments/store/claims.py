"""Claims: the rewards that may count for given analysis rows, wherever they are attached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, and_, func, select, union
from sqlalchemy.orm import aliased

from experiments.model import Micros, UnitKind
from experiments.store.decisions import COUNTED
from experiments.store.engine import AnyRow, AnySelect
from experiments.store.fold import Claim
from experiments.tables import Decisions, Metrics, Rewards

Head = aliased(Decisions, name="head")
"""The decisions that are rows, or would be."""
_Other = aliased(Decisions, name="other")
Scope = Callable[[AnySelect], AnySelect]


def read_claims(connection: Connection, unit: UnitKind, scope: Scope) -> dict[str, list[Claim]]:
    """Read the claims on each decision that ``scope`` selects, by its id."""
    found: dict[str, list[Claim]] = defaultdict(list)
    for row in connection.execute(claims_query(unit, scope)):
        found[row.head].append(_claim(row))
    return found


def belongs(claim: Claim, *, until: Micros | None) -> bool:
    """Whether a unit's reward is this row's, and not that of the decision at ``until``."""
    return not claim.by_unit or until is None or claim.time < until


def claims_query(unit: UnitKind, scope: Scope) -> Any:
    """Rewards of the decision, of its repeats, of its unit, and (visitors) of the unit's later decisions.

    Four joins, each along an index: one join with ``OR`` would read the whole log.
    """
    rewards = Rewards.experiment_id == Head.experiment_id
    other = _Other.experiment_id == Head.experiment_id
    repeats = and_(other, _Other.repeat_of == Head.id)
    parts = [
        _rewards(Head.id).join(Rewards, and_(rewards, Rewards.decision_id == Head.id)),
        _rewards(Head.id).join(_Other, repeats).join(Rewards, and_(rewards, Rewards.decision_id == _Other.id)),
        _rewards(Head.id).join(Rewards, and_(rewards, Rewards.unit == Head.unit, Rewards.time >= Head.time)),
    ]
    if unit is UnitKind.VISITOR:
        later = and_(other, _Other.unit == Head.unit, _Other.reason.in_(COUNTED), _Other.id != Head.id)
        original = func.coalesce(_Other.repeat_of, _Other.id)
        parts.append(
            _rewards(original).join(_Other, later).join(Rewards, and_(rewards, Rewards.decision_id == _Other.id))
        )
    named = and_(Metrics.experiment_id == Rewards.experiment_id, Metrics.number == Rewards.metric)
    return union(*(scope(part.join(Metrics, named)) for part in parts))


def _rewards(decision: Any) -> AnySelect:
    columns: tuple[Any, ...] = (
        *(Head.id.label("head"), decision.label("decision"), Metrics.key.label("metric"), Rewards.unit),
        *(Rewards.id, Rewards.key, Rewards.value, Rewards.time, Rewards.late, Rewards.duplicates),
    )
    return select(*columns).select_from(Head)


def _claim(row: AnyRow) -> Claim:
    return Claim(
        id=row.id,
        decision=row.decision,
        by_unit=row.unit is not None,
        metric=row.metric,
        key=row.key,
        value=row.value,
        time=row.time,
        late=row.late,
        duplicates=row.duplicates,
    )
