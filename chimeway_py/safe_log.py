"""What may be logged of errors and requests. One rule: of an error that is not ours, its class and its places, no word.

Errors quote what they were about: PostgreSQL the values of a row, a KeyError a key, a mail server an address, HTTP
libraries an URL. Libraries put the text of an error into their messages, too; there it is replaced by its class.
"""

import copy
import errno
import logging
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import structlog
from django.http import HttpRequest
from django.urls import Resolver404, resolve

from chimeway_py.errors import ChimewayError

NOWHERE = "(no such address)"
LEFT_OUT = "…"


class SafeFormatter(structlog.stdlib.ProcessorFormatter):
    """structlog's formatter, which hears no text of an error from libraries either."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without the texts of errors."""
        return super().format(record if isinstance(record.msg, dict) else safe_record(record))


def safe_record(record: logging.LogRecord) -> logging.LogRecord:
    """What a library logs, without the text of the error that it tells of or that is being handled.

    A line with a traceback keeps the numbers among its arguments only: others may hold the text cut short.
    """
    given = record.args.values() if isinstance(record.args, Mapping) else record.args or ()
    told = _error_of(record.exc_info)
    errors = [*_chain(told), *_chain(sys.exc_info()[1])]
    errors += [one for arg in (record.msg, *given) if isinstance(arg, BaseException) for one in _chain(arg)]
    if not errors:
        return record
    safe = copy.copy(record)
    keeps_words = told is None or hasattr(record, "request")  # of a request, the path is hidden later

    def shown(value: Any) -> Any:
        if isinstance(value, BaseException):
            return _name(value)
        return _without(str(value), errors) if keeps_words and not isinstance(value, int | float) else _number(value)

    safe.msg = _name(record.msg) if isinstance(record.msg, BaseException) else _without(str(record.msg), errors)
    safe.args = (
        {name: shown(value) for name, value in record.args.items()}
        if isinstance(record.args, Mapping)
        else tuple(map(shown, given))
    )
    try:
        safe.getMessage()
    except (TypeError, ValueError, KeyError):
        safe.args = ()
    return safe


def format_error(
    logger: logging.Logger | None, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """A structlog processor: `exception` is the traceback without texts, and no other member holds one."""
    error = _error_of(event.pop("exc_info", None))
    errors = [*_chain(error)]
    for name, value in event.items():
        if isinstance(value, BaseException):
            event[name] = _name(value)
        elif isinstance(value, str) and errors:
            event[name] = _without(value, errors)
    if error is not None:
        event["exception"] = traceback_of(error)
    return event


def traceback_of(error: BaseException) -> str:
    """The classes, codes and places of an error and of what caused it."""
    return "\n".join(line for one in _chain(error) for line in _told(one))


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


def log_uncaught() -> None:
    """Let errors that nobody catches, in a thread or while something is thrown away, be logged as all others are."""
    threading.excepthook = lambda told: _uncaught(told.exc_value)
    sys.unraisablehook = lambda told: _uncaught(told.exc_value)


def _uncaught(error: BaseException | None) -> None:
    if not isinstance(error, SystemExit):
        structlog.get_logger(__name__).error("not_caught", exc_info=error)


def _error_of(given: Any) -> BaseException | None:
    """The error that `exc_info` of a log line stands for."""
    if isinstance(given, tuple):
        return given[1]  # type: ignore[no-any-return]
    if given is True:
        return sys.exc_info()[1]
    return given if isinstance(given, BaseException) else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what caused it, and so on; of a group each that is in it."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [*(one.exceptions if isinstance(one, BaseExceptionGroup) else ()), one.__cause__ or one.__context__]


def _without(text: str, errors: Iterable[BaseException]) -> str:
    """A text in which classes stand for the texts of errors."""
    for one in errors:
        for quoted in (repr(one), str(one)):
            if quoted.strip():
                text = text.replace(quoted, _name(one))
    return text


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) else LEFT_OUT


def _told(error: BaseException) -> Iterator[str]:
    yield _name(error)
    for frame in traceback.extract_tb(error.__traceback__):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'


def _name(error: BaseException) -> str:
    """Its class, and what it says in a code: ours, an SQLSTATE, or of the system."""
    state = getattr(error, "sqlstate", None) or (error.code if isinstance(error, ChimewayError) else None)
    if isinstance(error, OSError) and isinstance(error.errno, int):
        state = errno.errorcode.get(error.errno)
    return f"{type(error).__module__}.{type(error).__qualname__}{f' {state}' if state else ''}"
