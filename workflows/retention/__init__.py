"""Retention: what a tenant keeps and for how long, and how it is taken away without breaking what stays."""
