"""Loaded by Python itself in processes of a test whose PYTHONPATH begins with this folder; production never sees it.

`CLOCK_SHIFT` moves what the process takes for the time of day, in seconds; it adds a line with that time to the file
`CLOCK_TOLD`. `FAILPOINTS` names places to die at:
`module:function=n` sends SIGKILL to the process when the function is called for the n-th time, before it does anything;
`module:function=n+` when the n-th call has returned. `module:function=n~s` sleeps s seconds in the n-th call instead;
`module:function=n!` raises an error in that and each later one.
`FAILPOINTS_REACHED` is a file to which a process that comes to one adds a line before it dies there.
"""

import datetime
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time

_real_time, _real_datetime = time.time, datetime.datetime


def shift_clock(seconds):
    """Every way to ask for the time of day is off by this much; monotonic clocks and sleeps are not."""
    delta = datetime.timedelta(seconds=seconds)

    class Kind(type):
        def __instancecheck__(cls, value):
            return isinstance(value, _real_datetime)

        def __subclasscheck__(cls, other):
            return issubclass(other, _real_datetime)

    class Shifted(_real_datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz=None):
            return _real_datetime.now(tz) + delta

        @classmethod
        def utcnow(cls):
            return _real_datetime.now(datetime.UTC).replace(tzinfo=None) + delta

        @classmethod
        def today(cls):
            return _real_datetime.now() + delta

    time.time = lambda: _real_time() + seconds
    time.time_ns = lambda: int((_real_time() + seconds) * 1e9)
    datetime.datetime = Shifted


def tell(path, line):
    """So that whoever asked for it sees that it took effect here."""
    if path:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(file, f"{line}\n".encode())
        os.close(file)


class Failpoint:
    """One place to die at. Counts calls of its process."""

    def __init__(self, text):
        self.where, _, when = text.partition("=")
        self.module, _, self.name = self.where.partition(":")
        number, _, pause = when.rstrip("+!").partition("~")
        self.number, self.pause, self.after = int(number), float(pause or 0), when.endswith("+")
        self.raises = when.endswith("!")
        self.calls = 0

    def wrap(self, function):
        def failing(*args, **kwargs):
            self.calls += 1
            if self.raises and self.calls >= self.number:
                raise RuntimeError(f"asked for by {self.where}")
            if self.calls != self.number:
                return function(*args, **kwargs)
            if self.pause:
                time.sleep(self.pause)
                return function(*args, **kwargs)
            answer = function(*args, **kwargs) if self.after else None
            tell(os.environ.get("FAILPOINTS_REACHED"), self.where)
            os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return failing

    def arm(self, module):
        holder, name = module, self.name
        while "." in name:
            first, _, name = name.partition(".")
            holder = getattr(holder, first)
        setattr(holder, name, self.wrap(getattr(holder, name)))


class Finder(importlib.abc.MetaPathFinder):
    """Arms failpoints as their modules are loaded."""

    def __init__(self, points):
        self.points = points

    def find_spec(self, name, path, target=None):
        mine = [point for point in self.points if point.module == name]
        if not mine:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            for point in mine:
                point.arm(module)

        spec.loader.exec_module = exec_module
        return spec


if os.environ.get("CLOCK_SHIFT"):
    shift_clock(float(os.environ["CLOCK_SHIFT"]))
    tell(os.environ.get("CLOCK_TOLD"), datetime.datetime.now(datetime.UTC).timestamp())
if os.environ.get("FAILPOINTS"):
    sys.meta_path.insert(0, Finder([Failpoint(text) for text in os.environ["FAILPOINTS"].split(",")]))
