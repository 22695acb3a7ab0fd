"""Suppressions: which addresses are left alone, since when and why, and how that ends."""
