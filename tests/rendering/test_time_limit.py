"""The limit on processor time lets finalizers be: what is raised in one reaches nobody."""

import sys
import weakref
from collections.abc import Callable

import pytest

from chimeway_py.rendering.time_limit import _in_finalizer

ENDINGS = {"__del__", "_remove", "remove", "__call__"}  # of the thing itself, and what is called back when it goes


class Thing:
    """Something that can be watched, and that notices its end."""

    def __del__(self) -> None:
        str(self.__class__)


def in_set(thing: Thing) -> object:
    watching: weakref.WeakSet[Thing] = weakref.WeakSet()
    watching.add(thing)
    return watching


def in_dictionary(thing: Thing) -> object:
    return weakref.WeakValueDictionary({"thing": thing})


def with_finalizer(thing: Thing) -> object:
    return weakref.finalize(thing, len, "gone")


@pytest.mark.parametrize("watch", [in_set, in_dictionary, with_finalizer])
def test_whoever_watches_an_object_is_not_interrupted_when_it_goes(watch: Callable[[Thing], object]) -> None:
    things, found = [Thing()], []
    watcher = watch(things[0])
    sys.setprofile(lambda frame, event, argument: found.append((frame.f_code.co_name, _in_finalizer(frame))))
    try:
        things.clear()
    finally:
        sys.setprofile(None)

    ends = [is_seen for name, is_seen in found if name in ENDINGS]
    assert len(ends) > 2
    assert all(ends)
    del watcher
