"""Requests in, decisions out: all that stands between a body and an answer."""
