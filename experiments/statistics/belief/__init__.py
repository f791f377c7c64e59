"""What posteriors say: a belief, never a proof. None of it is adjusted for looking often.

``best`` has the chance to be best and the expected loss of each variant, ``lift`` the distribution of a lift or of a
difference, ``effect`` the normal posterior of one effect.
"""

from experiments.statistics.belief.best import (
    MIN_NUMERIC_ROWS,
    Belief,
    belief,
    belief_binary,
    belief_normal,
    floored,
    top_two,
)
from experiments.statistics.belief.effect import EffectBelief, Prior, effect_belief
from experiments.statistics.belief.lift import Posterior, beta_difference, beta_lift, normal_lift

__all__ = [
    "MIN_NUMERIC_ROWS",
    "Belief",
    "EffectBelief",
    "Posterior",
    "Prior",
    "belief",
    "belief_binary",
    "belief_normal",
    "beta_difference",
    "beta_lift",
    "effect_belief",
    "floored",
    "normal_lift",
    "top_two",
]
