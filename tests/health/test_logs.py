"""Logs carry the ids of what they are about, and no values."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from django.db import DatabaseError, connection
from django.test import Client

from chimeway_py import task_log
from tests.admin.conftest import Furnished, furnish
from workflows.tasks import run_engine


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What the service logs, as its own formatter writes it."""
    from django.conf import settings

    class Kept(logging.Handler):
        def __init__(self) -> None:
            super().__init__()
            self.written: list[str] = []

        def emit(self, record: logging.LogRecord) -> None:
            self.written.append(self.format(record))

    kept = Kept()
    made = dict(settings.LOGGING["formatters"]["json"])
    kept.setFormatter(made.pop("()")(**made))
    root = logging.getLogger()
    level = root.level
    root.addHandler(kept)
    root.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in kept.written]
    root.removeHandler(kept)
    root.setLevel(level)


def finished(lines: Callable[[], list[dict[str, Any]]]) -> dict[str, Any]:
    return next(line for line in lines() if line["event"] == "request_finished")


def test_a_request_about_a_run(lines: Any, client_of: Callable[..., Client]):
    mine: Furnished = furnish("mine")

    client_of(mine.tenant).get(f"/v1/runs/{mine.run.public_id}?subject=anna@example.com")

    line = finished(lines)
    assert line["run_id"] == str(mine.run.public_id)
    assert line["tenant_id"] == mine.tenant.pk
    assert line["request"] == "GET /v1/runs/<uuid:public_id>"
    assert line["request_id"]
    assert "anna" not in json.dumps(lines())


def test_a_signal_that_was_accepted(lines: Any, client_of: Callable[..., Any]):
    mine = furnish("mine")

    receipt = client_of(mine.tenant).post("/v1/signals", {"name": "paid", "subject": "anna", "data": {"x": "payload"}})

    assert finished(lines)["signal_id"] == receipt.json()["id"]
    assert "payload" not in json.dumps(lines())


def test_probes_are_not_logged(lines: Any):
    Client().get("/healthz")

    assert lines() == []


def test_a_task_carries_its_name_and_tenant(lines: Any):
    task_log.bind_task(task_id="t-1", task=run_engine, args=(7,))
    structlog.get_logger("test").warning("something")
    task_log.unbind_task()
    structlog.get_logger("test").warning("something else")

    during, after = lines()
    assert (during["task"], during["task_id"], during["tenant_id"]) == ("workflows.tasks.run_engine", "t-1", 7)
    assert "task" not in after


@pytest.mark.parametrize("path", ["/v1/inbox/anna@example.com?limit=no", "/v1/inbox/änna@example.com", "/nowhere/anna"])
def test_no_line_holds_a_subject_of_the_path(lines: Any, client_of: Callable[..., Client], path: str):
    mine = furnish("mine")

    client_of(mine.tenant).get(path)

    assert "nna" not in json.dumps(lines(), ensure_ascii=False)
    assert finished(lines)["request"] in {"GET /v1/inbox/<path:subject>", "GET (no such address)"}


def test_a_database_error_is_logged_without_the_values_that_it_quotes(lines: Any):
    log = structlog.get_logger("test")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT cast('canary' || %s AS integer)", ["-4711"])
    except DatabaseError as error:
        log.exception("went_wrong")
        logging.getLogger("celery").error("raised %r\n%s", error, error, exc_info=error)  # as Celery does

    assert "canary" not in json.dumps(lines())
    for line in lines():
        assert "psycopg.errors.InvalidTextRepresentation 22P02" in line["exception"]
        assert "test_logs.py" in line["exception"]


def test_any_other_error_is_logged_with_its_traceback(lines: Any):
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        structlog.get_logger("test").exception("went_wrong")

    assert "ZeroDivisionError: division by zero" in lines()[0]["exception"]
