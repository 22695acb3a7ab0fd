"""Broadcasts: a run for each of many recipients, named in a list, in a file, or by a segment."""
