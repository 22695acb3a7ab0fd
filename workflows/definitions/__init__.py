"""Definitions: read, validated and compared without a database."""
