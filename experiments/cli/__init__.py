"""The commands that need no web."""
