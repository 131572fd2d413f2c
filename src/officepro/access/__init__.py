"""Authentication and authorization: API keys, access tokens, scopes, guards, rate limits, idempotency."""
