"""Replays: new runs from ended ones."""
