"""Fixtures of deliveries: runs whose deliver steps can be planned and performed without waiting for workers."""
