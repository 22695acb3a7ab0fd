"""Tenants: who owns a row, who may speak for them, and the scope that every transaction runs in."""
