"""The tables, as SQLAlchemy maps them: names, types, keys, indexes, and no behaviour.

Every time is integer microseconds since 1970 UTC. Every key is an integer or 128 bits whose order is that of time.
A decision, once in, is never updated; what becomes of it stands in other tables.

The log tables (decisions, pending, rewards, conflicting_rewards) carry no foreign keys: the shipper checks every
record against the experiment's version before it writes, and a check by row would lock the experiment's row on
PostgreSQL for each of them. Their keys begin with the experiment, so that one experiment's log is one range, and can be
one partition or one shard.
"""

from __future__ import annotations

from experiments.tables.base import Base, Id128
from experiments.tables.definitions import Experiments, ExperimentVersions, Metrics, Variants
from experiments.tables.learning import (
    AnalysisRows,
    AnalysisStates,
    PolicyBlobs,
    PolicyVersions,
    Proofs,
    RewardDelays,
    Sums,
)
from experiments.tables.log import ConflictingRewards, Counters, Decisions, Pending, Rewards, Traffic
from experiments.tables.operation import APIKeys, AuditLog, Journals, Leases, LoginLinks, Quarantine, Settings, Users

__all__ = [
    "APIKeys",
    "AnalysisRows",
    "AnalysisStates",
    "AuditLog",
    "Base",
    "ConflictingRewards",
    "Counters",
    "Decisions",
    "ExperimentVersions",
    "Experiments",
    "Id128",
    "Journals",
    "Leases",
    "LoginLinks",
    "Metrics",
    "Pending",
    "PolicyBlobs",
    "PolicyVersions",
    "Proofs",
    "Quarantine",
    "RewardDelays",
    "Rewards",
    "Settings",
    "Sums",
    "Traffic",
    "Users",
    "Variants",
]
