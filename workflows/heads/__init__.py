"""Heads of traces: signed every hour, kept elsewhere, and held against the database later."""
