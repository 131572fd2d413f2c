"""Tags: the practice's labels, and their assignment to prospects."""
