"""The store: every SQL statement of the project. See README.md for its rooms."""

from experiments.store.schema import migrate
from experiments.store.store import Store
from experiments.store.values import (
    AnalysisRow,
    AnalysisState,
    DecisionDetail,
    ExperimentVersion,
    Fate,
    Health,
    LoggedDecision,
    OpenRow,
    PolicyVersion,
    RewardFate,
    Step,
    TrafficBucket,
    VariantSums,
)

__all__ = [
    "AnalysisRow",
    "AnalysisState",
    "DecisionDetail",
    "ExperimentVersion",
    "Fate",
    "Health",
    "LoggedDecision",
    "OpenRow",
    "PolicyVersion",
    "RewardFate",
    "Step",
    "Store",
    "TrafficBucket",
    "VariantSums",
    "migrate",
]
