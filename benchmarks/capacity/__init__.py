"""Capacity benchmark: cost of a request, size of a row, a morning of 5,000 practices; writes docs/capacity.md."""
