"""HTTP: the hot path, the admin API, the marketer's pages, and the processes that serve them."""
