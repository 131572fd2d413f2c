"""Products: what vendors sell through the practices, global to all of them."""
