"""Partners: the companies that call us, and the keys that an admin issues to them."""
