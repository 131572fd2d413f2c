"""Products: what vendors sell through the practices, shared by all practices."""
