"""Prospects: the people of a practice, from their first inquiry on."""
