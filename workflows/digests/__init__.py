"""Digests: runs join one, one of them goes on with it, and the others are told."""
