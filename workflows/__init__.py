"""Workflows: definitions, runs, waits and the engine that moves them; the trace and the explanation of every move."""
