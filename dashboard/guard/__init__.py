"""Who may do what: sessions, keys, passwords, and the headers that keep browsers honest."""
