"""Tests for one look at a finished, fixed split, and for comparison with other tools. They do not survive peeking.

``means`` has the t and z tests and Fieller's limits of any effect, ``proportions`` what is special to zeros and ones.
"""

from experiments.statistics.frequentist.means import FixedTest, Side, fieller_limits, t_test, welch, welch_lift, z_test

__all__ = ["FixedTest", "Side", "fieller_limits", "t_test", "welch", "welch_lift", "z_test"]
