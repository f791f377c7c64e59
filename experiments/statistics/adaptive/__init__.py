"""What stays true while a bandit moves the traffic: doubly robust sums, and limits that hold at every look.

``sums`` holds the sums (``kernel`` adds rows to them), ``plugins`` forecasts outcomes from earlier rows, ``forms``
turns sums into the variance of any comparison, ``inference`` into limits, ``inversion`` into limits of lifts and
ratios; ``bounded`` is the audit line, which needs no large numbers.
"""
