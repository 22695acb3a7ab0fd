"""REST for signals and their sources."""
