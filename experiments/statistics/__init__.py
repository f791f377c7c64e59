"""Sums in, inference out: no SQL, no rows, no I/O.

``moments`` holds the sums, ``sequential`` what stays true while it is watched, ``belief`` what the posterior says,
``ratio`` whether the split is the one that was asked for.
"""
