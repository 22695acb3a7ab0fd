"""A limit on the processor time of a piece of Python, without threads or signals."""

import _weakrefset
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

EVERY = 64  # calls between two looks at the clock
_FINALIZERS = {weakref.__file__, _weakrefset.__file__}


class TimeLimitReached(BaseException):
    """The piece of work used up its processor time. Not an `Exception`, which the work itself might catch."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns, if it needs no more than `seconds` of processor time. Raises `TimeLimitReached`.

    It gets half of them twice: a garbage collection that falls into the first try says nothing about the work.
    """
    try:
        with time_limit(seconds / 2):
            return work()
    except TimeLimitReached:
        with time_limit(seconds / 2):
            return work()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeLimitReached` inside the block once this thread has used `seconds` of processor time in it.

    The clock is read at function calls, so a single long call into C is not interrupted: what can be long there
    needs a limit of its own (`chimeway_py.rendering.filters`). Processor time, because on a busy machine a quick
    template may wait.
    """
    ends_at = time.thread_time() + seconds
    calls = 0

    def look(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += 1
        if calls % EVERY == 0 and time.thread_time() > ends_at and not _in_finalizer(frame):
            raise TimeLimitReached

    outer = sys.getprofile()
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(outer)


def _in_finalizer(frame: FrameType | None) -> bool:
    """Whether a finalizer runs, as it may anywhere: what is raised in it reaches nobody, and is reported as a fault."""
    while frame is not None:
        if frame.f_code.co_name == "__del__" or frame.f_code.co_filename in _FINALIZERS:
            return True
        frame = frame.f_back
    return False
