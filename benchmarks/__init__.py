"""How fast, and beside whom: `make bench`. Each figure is a share of a yardstick of the same minutes."""
