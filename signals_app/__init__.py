"""Signals: what upstream systems say happened. Verification, dedupe and intake; it knows nothing of runs."""
