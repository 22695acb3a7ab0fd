"""Counting what the service asks of PostgreSQL, whether it goes through the ORM, the driver or the wire."""

from typing import Any

import psycopg
import pytest

from tenants.wire import Wire


def note_statements(monkeypatch: pytest.MonkeyPatch, into: list[str]) -> None:
    """Write down the text of every statement from now on."""
    execute, put = psycopg.Cursor.execute, Wire.put

    def executed(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        into.append(str(query))
        return execute(self, query, *args, **options)

    def sent(self: Wire, text: str, parameters: Any) -> Any:
        into.append(text)
        return put(self, text, parameters)

    monkeypatch.setattr(psycopg.Cursor, "execute", executed)
    monkeypatch.setattr(Wire, "put", sent)
