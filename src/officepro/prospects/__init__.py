"""Prospects: the people of a practice, from the first inquiry on."""
