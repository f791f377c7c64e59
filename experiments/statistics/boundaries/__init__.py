"""Boundaries that hold at all times without asymptotics, of sums, of bounded values and of weighted rewards.

``mixtures`` and ``stitching`` are curves over intrinsic time that a sum crosses with probability α at most; ``bounded``
has confidence sequences of the mean of values in [0, 1], ``weighted`` those of importance-weighted rewards, ``betting``
the tightest and slowest ones. They are what other lines are checked by: what pages show is elsewhere.
"""
