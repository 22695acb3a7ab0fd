"""Set-based SQL, as the store uses it: see `tenants.sql`."""

from tenants.sql import Columns, Parameters, arrays, execute, fetch, given, insert, stream, update

__all__ = ["Columns", "Parameters", "arrays", "execute", "fetch", "given", "insert", "stream", "update"]
