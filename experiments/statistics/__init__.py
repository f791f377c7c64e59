"""Sums in, inference out: no SQL, no rows, no I/O.

================ ================================================================================================
question         room
================ ================================================================================================
what is summed   ``moments``, ``covariates`` (CUPED, ratios of two metrics), ``strata``; ``effect`` compares them
what is proved   ``sequential`` for a split that nothing moved, ``adaptive`` for a bandit's traffic: both at every look
of many          ``multiplicity``, ``segments``
what is believed ``belief``: never a proof
is it healthy    ``ratio`` for fixed splits, ``propensity`` for a bandit's log
how long         ``planning``
for comparison   ``frequentist`` (one look at a finished split), ``boundaries`` (no asymptotics), ``compatible``
================ ================================================================================================
"""
