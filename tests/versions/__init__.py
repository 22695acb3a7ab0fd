"""Versions in flight: the kill switch of a definition, and runs that are moved to another version."""
