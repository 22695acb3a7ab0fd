"""What is stored: rows and bytes of tables and their indexes, and of each run among them."""

from collections.abc import Sequence

from benchmarks.meter import Observer
from benchmarks.report import Row

ENGINE_TABLES = ("workflows_run", "workflows_transition", "workflows_wait", "workflows_listener")
SIGNAL_TABLES = ("signals_app_signal", "signals_app_signalkey", "workflows_signalverdict")
# Rows are what VACUUM ANALYZE has just counted: counting ten million anew takes long.
_STORED = """
SELECT relname, greatest(reltuples, 0)::bigint, pg_table_size(oid)::bigint, pg_indexes_size(oid)::bigint
  FROM pg_class WHERE oid = ANY(%s::regclass[]) ORDER BY array_position(%s::text[], relname::text)
"""
_RUNS = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'workflows_run'::regclass"


def stored(observer: Observer, tables: Sequence[str], runs: int | None = None) -> list[Row]:
    """One row for each table and one for all: for each row, and for each run that there is, or of so many."""
    runs = runs or max(1, observer.one(_RUNS))
    found = [
        _row(name, rows, table, indexes, runs)
        for name, rows, table, indexes in observer.rows(_STORED, list(tables), list(tables))
    ]
    table, indexes = (sum(row[part] for row in found) for part in ("table_mb", "index_mb"))
    whole = {"table": "all", "rows": sum(row["rows"] for row in found), "table_mb": table, "index_mb": indexes}
    return [*found, {**whole, "bytes_per_run": sum(row["bytes_per_run"] for row in found)}]


def _row(name: str, rows: int, table: int, indexes: int, runs: int) -> Row:
    each = max(1, rows)
    return {
        "table": name,
        "rows": rows,
        "table_mb": round(table / 2**20, 1),
        "index_mb": round(indexes / 2**20, 1),
        "table_bytes_per_row": round(table / each),
        "index_bytes_per_row": round(indexes / each),
        "bytes_per_run": round((table + indexes) / runs),
    }
