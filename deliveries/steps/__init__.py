"""The step kinds that deliveries add to workflows."""
