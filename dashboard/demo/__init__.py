"""``landit demo``: the real server, a real log, and visitors that a seeded world makes up and every page labels."""
