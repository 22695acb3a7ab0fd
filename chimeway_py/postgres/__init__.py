"""Django's backend for PostgreSQL, whose callers do not all wait when it is away."""
