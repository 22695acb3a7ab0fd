"""Set-based SQL, as the store uses it: see `tenants.sql`."""

from tenants.packing import Packed
from tenants.sql import (
    Columns,
    Parameters,
    Question,
    Rows,
    arrays,
    ask,
    execute,
    fetch,
    fetch_each,
    given,
    insert,
    pipelined,
    stream,
    update,
)

__all__ = [
    "Columns",
    "Packed",
    "Parameters",
    "Question",
    "Rows",
    "arrays",
    "ask",
    "execute",
    "fetch",
    "fetch_each",
    "given",
    "insert",
    "pipelined",
    "stream",
    "update",
]
