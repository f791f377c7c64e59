"""What another policy would have earned, from a log: row terms → sums that add → estimates with intervals."""

from bandit.offpolicy.estimators import Estimate, Estimator, difference, estimate, logged
from bandit.offpolicy.models import Predictor, RewardModel, Situations, reward_model
from bandit.offpolicy.sums import Sums
from bandit.offpolicy.terms import Term, row_terms, unsupported

__all__ = [
    "Estimate",
    "Estimator",
    "Predictor",
    "RewardModel",
    "Situations",
    "Sums",
    "Term",
    "difference",
    "estimate",
    "logged",
    "reward_model",
    "row_terms",
    "unsupported",
]
