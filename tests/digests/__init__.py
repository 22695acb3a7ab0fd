"""Digests: collecting, closing, leaving, races."""
