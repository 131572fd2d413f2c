"""Tags: the practice's labels, and which prospects wear them."""
