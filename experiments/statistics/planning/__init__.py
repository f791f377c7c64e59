"""How many rows, how long, how small a difference: what an experiment will need, before it starts or while it runs.

``fixed`` plans a test that is read once, ``watched`` the sequences that are looked at all the time, ``moving`` bandits,
by simulation (``batches`` adds their rows); ``question``, ``solving`` and ``plan`` make one plan of them for page and
command line; ``proof`` says how far a running experiment is from its proof.
"""
