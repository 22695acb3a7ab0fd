"""The statements that cost PostgreSQL most, as `pg_stat_statements` counts them over a whole benchmark."""

from typing import Any

from chimeway_py.embedded.postgres import Postgres

_TOP = """
SELECT calls, round(total_exec_time)::bigint, round(mean_exec_time::numeric, 3)::float, rows,
       shared_blks_hit + shared_blks_read, shared_blks_dirtied, wal_bytes::bigint,
       regexp_replace(query, '\\s+', ' ', 'g')
  FROM pg_stat_statements WHERE calls > 0 ORDER BY total_exec_time DESC LIMIT %s
"""
_NAMES = ("calls", "total_ms", "mean_ms", "rows", "blocks_seen", "blocks_dirtied", "wal_bytes", "statement")
LONGEST = 300


def costly_statements(postgres: Postgres, most: int) -> list[dict[str, Any]]:
    """The costliest first. The server must have been started with the module."""
    with postgres.connect() as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        found = connection.execute(_TOP, [most]).fetchall()
    rows = [dict(zip(_NAMES, row, strict=True)) for row in found]
    return [{**row, "statement": row["statement"][:LONGEST]} for row in rows]
