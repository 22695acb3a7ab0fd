"""Cursors are kept for the next statement, and no longer than their connection."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from tenants.scope import scope_of
from tenants.sql import fetch


def test_a_cursor_is_used_again() -> None:
    with scope_of([]):
        fetch("SELECT 1", [])
        first = connection.connection.__dict__["chimeway_idle_cursors"][-1]
        assert fetch("SELECT 2", []) == [(2,)]

        assert connection.connection.__dict__["chimeway_idle_cursors"][-1] is first


def test_a_closed_connection_is_let_go() -> None:
    def used_and_closed() -> "weakref.ref[object]":
        with scope_of([]):
            fetch("SELECT 1", [])
        driver = weakref.ref(connection.connection)
        connection.close()
        return driver

    with ThreadPoolExecutor(1) as thread:
        driver = thread.submit(used_and_closed).result()
    gc.collect()

    assert driver() is None
