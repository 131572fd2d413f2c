"""Practices to try things out with: the demo practice, by rule from a fixed seed, and big data for measurements."""
