"""My information: who a caller is, as its partner and as its key."""
