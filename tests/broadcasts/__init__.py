"""Broadcasts: from a file, a list or a segment to runs."""
