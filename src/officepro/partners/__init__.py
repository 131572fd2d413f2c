"""Partners: the companies that call the API, and the API keys that an admin issues to them."""
