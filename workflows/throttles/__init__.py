"""Throttles: who passes a step within a window, counted under a lock."""
