"""Benchmarks (`make bench`). Each figure is a share of a baseline that is measured in the same minutes."""
