"""Messages that are none are dropped and logged, so that nobody who can write to the broker stops a worker with one.

Kombu reads a message from Redis and lets whatever that raises end the worker: not JSON, no envelope, a body that is not
what the envelope says. RabbitMQ keeps envelopes apart from bodies; there Celery itself drops what it cannot read.
"""

from typing import Any

import structlog
from kombu.transport import redis

log = structlog.get_logger(__name__)
_redis: Any = redis  # of what follows, kombu has no types


class NotAMessage(ValueError):
    """What came from the queue is no message of Celery's."""


class StrictMessage(_redis.Channel.Message):  # type: ignore[misc]
    """A message whose envelope is whole."""

    def __init__(self, payload: Any, channel: Any = None, **rest: Any) -> None:
        try:
            super().__init__(payload, channel=channel, **rest)
            is_task = "task" in (self.headers or {})  # others steer workers: a ping, a shutdown
            whole = isinstance(self.body, str | bytes) and (not is_task or isinstance(self.headers["id"], str))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise NotAMessage(type(error).__name__) from error
        if not whole:
            raise NotAMessage("no body or no id")


def drop_junk() -> None:
    """From now on, channels to Redis drop what is no message, and go on with the next. Calling it twice is harmless."""
    if _redis.Channel.Message is StrictMessage:
        return
    read, loads = _redis.Channel._brpop_read, _redis.loads

    def loads_or_refuse(text: Any, *args: Any, **options: Any) -> Any:
        try:
            return loads(text, *args, **options)
        except (ValueError, RecursionError) as error:
            raise NotAMessage(type(error).__name__) from error

    def read_or_drop(channel: Any, **options: Any) -> Any:
        try:
            return read(channel, **options)
        except (NotAMessage, UnicodeDecodeError) as error:
            log.error("message_dropped", error=str(error) if isinstance(error, NotAMessage) else "not UTF-8")
            return True

    _redis.Channel.Message, _redis.Channel._brpop_read, _redis.loads = StrictMessage, read_or_drop, loads_or_refuse
