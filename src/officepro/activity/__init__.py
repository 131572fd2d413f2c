"""What was done through the API, and who read which person's record."""
