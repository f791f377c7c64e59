"""The keeper of a host: ships journals, matures rows, learns, publishes."""
