"""Reading: sums, traffic and health, as reports need them."""

from __future__ import annotations

from sqlalchemy import BigInteger, and_, cast, exists, func, or_, select

from experiments.model import Micros
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

    def traffic(self, experiment_id: int, *, step: Micros = 1, since: Micros = 0) -> list[TrafficBucket]:
        """Read how the traffic was split; repeats and previews are left out.

        Parameters
        ----------
        experiment_id
            Whose traffic.
        step
            Buckets that begin in the same step are added up; by default each is returned as it is kept.
        since
            Buckets that begin before this time are left out.
        """
        begin = (Traffic.time // step * step).label("begin_time")
        variants = select(Variants.slot, Variants.key).where(Variants.experiment_id == experiment_id)
        # On PostgreSQL the sum of whole numbers is a numeric, which a report cannot hold.
        decisions = cast(func.sum(Traffic.decisions), BigInteger)
        query = (
            select(begin, Traffic.slot, decisions, func.sum(Traffic.propensity_sum))
            .where(Traffic.experiment_id == experiment_id, Traffic.time >= since)
            .group_by(begin, Traffic.slot)
            .order_by(begin, Traffic.slot)
        )
        with self._database.reading() as connection:
            keys = {row.slot: row.key for row in connection.execute(variants)}
            rows = connection.execute(query)
            return [TrafficBucket(time, keys[slot], count, propensity) for time, slot, count, propensity in rows]

    def traffic_span(self, experiment_id: int) -> tuple[Micros, Micros] | None:
        """When the first and the last bucket of an experiment's traffic begin; None as long as there is none."""
        # Two subqueries: both ends are looked up in the key, where one query would read all that is between them.
        ends = [
            select(end(Traffic.time)).where(Traffic.experiment_id == experiment_id).scalar_subquery()
            for end in (func.min, func.max)
        ]
        with self._database.reading() as connection:
            first, last = connection.execute(select(*ends)).one()
            return None if first is None else (first, last)

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
