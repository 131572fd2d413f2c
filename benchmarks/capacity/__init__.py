"""What a practice needs, what a machine carries, and a morning of 5,000 practices: measured, and written as a page."""
