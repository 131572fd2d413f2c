"""Access requests: applications for an API key, and the admin's decisions."""
