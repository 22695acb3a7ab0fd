"""What may be logged of errors and requests: PostgreSQL quotes row values in errors, and addresses hold subjects."""

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import psycopg
import structlog
from django.http import HttpRequest
from django.urls import Resolver404, resolve

NOWHERE = "(no such address)"


def format_error(
    logger: logging.Logger | None, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """A structlog processor: `exception` is the traceback; of a database error only classes, SQLSTATE and places."""
    error = _error_of(event.get("exc_info"))
    if error is None or not _is_of_database(error):
        return structlog.processors.format_exc_info(logger, method, event)
    del event["exc_info"]
    event["exception"] = "\n".join(line for one in _chain(error) for line in _told(one))
    for one in _chain(error):  # some loggers put the text of the error into their message
        for quoted in (str(one), repr(one)):
            event["event"] = str(event["event"]).replace(quoted, _name(one)) if quoted else event["event"]
    return event


def hide_path(logger: logging.Logger, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A structlog processor: what Django logs of a request names the route instead of the path."""
    request = getattr(event.get("_record"), "request", None)
    if isinstance(request, HttpRequest):
        event["event"] = f"{str(event['event']).partition(':')[0]}: {route_of(request)}"
    return event


def route_of(request: HttpRequest) -> str:
    """The pattern that the path of a request matches, such as /v1/runs/<uuid:public_id>; never a subject or a key."""
    try:
        match = getattr(request, "resolver_match", None) or resolve(request.path_info)
    except Resolver404:
        return NOWHERE
    return f"/{match.route}"


def _error_of(given: Any) -> BaseException | None:
    """The error that `exc_info` of a log line stands for."""
    if isinstance(given, tuple):
        return given[1]  # type: ignore[no-any-return]
    if given is True:
        return sys.exc_info()[1]
    return given if isinstance(given, BaseException) else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what caused it, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_of_database(error: BaseException) -> bool:
    return any(isinstance(one, psycopg.Error) for one in _chain(error))


def _told(error: BaseException) -> Iterator[str]:
    yield _name(error)
    for frame in traceback.extract_tb(error.__traceback__):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'


def _name(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__module__}.{type(error).__qualname__}{f' {state}' if state else ''}"
