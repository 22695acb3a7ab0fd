"""REST for definitions and runs."""
