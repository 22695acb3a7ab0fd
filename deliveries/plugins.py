"""Finding what can be plugged in: the files of a folder, and the modules that the operator names."""

import inspect
import pkgutil
from importlib import import_module
from types import ModuleType
from typing import TypeVar

from django.conf import settings

T = TypeVar("T")


def instances_of(base: type[T], package: ModuleType) -> list[T]:
    """One object of every class that a module of the package, or of `CHANNEL_MODULES`, makes of `base` and names."""
    names = [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
    modules = [import_module(name) for name in (*names, *settings.CHANNEL_MODULES)]
    found = [thing for module in modules for thing in vars(module).values() if _is_ours(thing, base, module)]
    return [one() for one in found]


def _is_ours(thing: object, base: type, module: ModuleType) -> bool:
    if not inspect.isclass(thing) or not issubclass(thing, base) or thing.__module__ != module.__name__:
        return False
    return "name" in vars(thing) and not inspect.isabstract(thing)
