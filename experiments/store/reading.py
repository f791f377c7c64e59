"""Reading: sums, traffic and health, as reports need them."""

from __future__ import annotations

from sqlalchemy import and_, exists, func, or_, select

from experiments.store.decisions import may_count
from experiments.store.engine import Room
from experiments.store.values import Health, TrafficBucket, VariantSums
from experiments.tables import Counters, Decisions, Metrics, Quarantine, Rewards, Sums, Traffic, Variants


class Reading(Room):
    """What is kept up to date while shipping and learning: none of it reads the log."""

    def sums(self, experiment_id: int) -> list[VariantSums]:
        """Read the running sums of every phase, variant and metric that has rows."""
        variant = and_(Variants.experiment_id == Sums.experiment_id, Variants.slot == Sums.slot)
        metric = and_(Metrics.experiment_id == Sums.experiment_id, Metrics.number == Sums.metric)
        columns = (
            *(Sums.phase, Variants.key.label("variant"), Metrics.key.label("metric")),
            *(Sums.rows, Sums.total, Sums.squares, Sums.nonzero),
        )
        query = select(*columns).join(Variants, variant).join(Metrics, metric)
        query = query.where(Sums.experiment_id == experiment_id).order_by(Sums.phase, Sums.slot, Sums.metric)
        with self._database.reading() as connection:
            return [VariantSums(*row) for row in connection.execute(query)]

    def traffic(self, experiment_id: int) -> list[TrafficBucket]:
        """Read how the traffic was split, minute by minute; repeats and previews are left out."""
        variant = and_(Variants.experiment_id == Traffic.experiment_id, Variants.slot == Traffic.slot)
        query = (
            select(Traffic.time, Variants.key, Traffic.decisions, Traffic.propensity_sum)
            .join(Variants, variant)
            .where(Traffic.experiment_id == experiment_id)
            .order_by(Traffic.time, Traffic.slot)
        )
        with self._database.reading() as connection:
            return [TrafficBucket(*row) for row in connection.execute(query)]

    def health(self, experiment_id: int) -> Health:
        """Read what became of everything that was shipped."""
        counters = select(Counters.name, Counters.value).where(Counters.experiment_id == experiment_id)
        attached = or_(
            Decisions.id == Rewards.decision_id,
            and_(Decisions.unit == Rewards.unit, Decisions.time <= Rewards.time, may_count(Decisions)),
        )
        found = exists().where(Decisions.experiment_id == experiment_id, attached)
        unmatched = select(func.count()).select_from(Rewards)
        unmatched = unmatched.where(Rewards.experiment_id == experiment_id, Rewards.early, ~found)
        with self._database.reading() as connection:
            counts = {row.name: row.value for row in connection.execute(counters)}
            return Health(
                **counts,
                unmatched=connection.scalar(unmatched) or 0,
                quarantined=connection.scalar(select(func.count()).select_from(Quarantine)) or 0,
            )
