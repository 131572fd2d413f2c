"""Who calls, and what they may touch: keys, tokens, scopes, guards, limits."""
