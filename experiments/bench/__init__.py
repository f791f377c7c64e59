"""How fast the domain is: ``offline`` evaluates logs, ``report`` says what their sums mean."""
