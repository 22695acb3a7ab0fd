"""Logs carry the ids of what they are about, and no values."""

import json
import logging
import smtplib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import structlog
from celery import Task, current_app
from celery.app.trace import trace_task
from django.core.handlers.exception import convert_exception_to_response
from django.db import DatabaseError, connection
from django.forms import DecimalField
from django.test import Client, RequestFactory

from chimeway_py import task_log
from chimeway_py.errors import Conflict
from chimeway_py.rendering.environment import sandbox
from chimeway_py.request_log import RequestLogMiddleware
from chimeway_py.safe_log import log_uncaught
from tests.admin.conftest import Furnished, furnish
from tests.leaks import CANARY
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


def refused_by_mail_server() -> None:
    raise smtplib.SMTPRecipientsRefused({f"{CANARY}@example.com": (550, CANARY.encode())})


def truncated() -> None:
    raise ValueError(f"not a number: {CANARY}{'x' * 5000}")  # Celery and others cut long texts short


def caused() -> None:
    try:
        {}[CANARY]
    except KeyError as error:
        raise RuntimeError("something") from error


def grouped() -> None:
    raise ExceptionGroup("several", [ValueError(CANARY), OSError(111, CANARY)])


BREAKS: dict[str, tuple[Callable[[], Any], str]] = {
    "a key of a payload": (lambda: {}[CANARY], "builtins.KeyError"),
    "a value of a payload": (lambda: int(CANARY), "builtins.ValueError"),
    "a long one": (truncated, "builtins.ValueError"),
    "a cause": (caused, "builtins.KeyError"),
    "a group": (grouped, "builtins.ConnectionRefusedError ECONNREFUSED"),
    "JSON": (lambda: json.loads(f'{{"{CANARY}"'), "json.decoder.JSONDecodeError"),
    "bytes": (lambda: str(CANARY.encode() + b"\xff", "utf-8"), "builtins.UnicodeDecodeError"),
    "a template": (lambda: sandbox(False).from_string(f"{{% nothing {CANARY} %}}"), "liquid"),
    "an address that we call": (lambda: httpx2.get(f"http://127.0.0.1:1/{CANARY}"), "httpx2"),
    "an address that is none": (lambda: httpx2.get(f"nothing://{CANARY}"), "httpx2.UnsupportedProtocol"),
    "the mail server": (refused_by_mail_server, "smtplib.SMTPRecipientsRefused"),
    "a field of a form": (lambda: DecimalField().to_python(CANARY), "django.core.exceptions.ValidationError"),
    "a file": (lambda: open(f"/nowhere/{CANARY}"), "builtins.FileNotFoundError ENOENT"),  # noqa: SIM115
    "ours": (lambda: refuse(CANARY), "chimeway_py.errors.Conflict conflict"),
}


def refuse(why: str) -> None:
    raise Conflict(why)


@pytest.mark.parametrize(("breaks", "named"), BREAKS.values(), ids=BREAKS)
def test_no_line_holds_the_text_of_an_error(lines: Any, breaks: Callable[[], Any], named: str):
    """However it is logged: by us, by Django for a request, by Celery for a task, by a library that formats it."""
    broken = Task()
    broken.name, broken.run = "broken", breaks
    broken.bind(current_app._get_current_object())
    library = logging.getLogger("celery.library")
    answer = convert_exception_to_response(lambda request: breaks())
    RequestLogMiddleware(answer)(RequestFactory().get(f"/v1/runs/{CANARY}"))
    trace_task(broken, "an-id", [], {}, {"id": "an-id", "is_eager": False}, app=current_app)
    try:
        breaks()
    except Exception as error:
        structlog.get_logger("test").exception("went_wrong", error=error, said=f"it said {error}")
        library.error("Timer %s error: %r", 5, error, exc_info=True)
        library.warning("cannot go on: %s, %s", str(error), error)
        library.warning(f"Invalid request: {error!r}")
        library.error(error)

    said = lines()
    assert CANARY not in json.dumps(said)
    traced = [line for line in said if "exception" in line]
    assert len(traced) == 5, [line["event"] for line in said]
    for line in traced:
        assert named in line["exception"]
        assert "test_logs.py" in line["exception"]
    assert any(line["event"].startswith("Timer 5 error") for line in said)


def test_an_error_that_nobody_catches_is_logged_without_its_text(lines: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(threading, "excepthook", None)
    monkeypatch.setattr(sys, "unraisablehook", None)
    log_uncaught()
    thread = threading.Thread(target=lambda: {}[CANARY])
    thread.start()
    thread.join(10)

    (line,) = lines()
    assert (line["event"], CANARY in json.dumps(line)) == ("not_caught", False)
    assert "builtins.KeyError" in line["exception"]
