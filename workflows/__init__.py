"""Definitions, runs, waits and the trace: what a journey is, and where each one stands."""
