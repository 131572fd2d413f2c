"""My information: the caller's partner and API key."""
