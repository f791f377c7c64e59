"""How many rows, how long, how small a difference: what an experiment will need, before it starts or while it runs.

``fixed`` plans a test that is read once, ``watched`` the sequences that are looked at all the time.
"""
