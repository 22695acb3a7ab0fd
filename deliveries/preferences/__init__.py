"""Preferences: who may be told what over which channel, and who says so."""
