"""Which columns name payloads. Each app says so when it starts; what nothing names is collected."""

_names: dict[tuple[str, str], None] = {}


def register_name(table: str, column: str) -> None:
    """A bytea column of a tenant's table that holds addresses of payloads, under an index (tenant, column)."""
    _names[table, column] = None


def names() -> list[tuple[str, str]]:
    """Every (table, column) that names payloads."""
    return list(_names)


def unnamed(payload: str) -> str:
    """A SQL condition: no row names this payload (an alias of its table). Table names are our own, never input.

    The limit keeps the planner from joining whole tables where statistics are missing: each probe looks into an index.
    """
    probe = "(SELECT 1 FROM {} WHERE tenant_id = {}.tenant_id AND {} = {}.address LIMIT 1) IS NULL"
    return " AND ".join(probe.format(table, payload, column, payload) for table, column in _names)
