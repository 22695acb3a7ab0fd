"""The faults. Each is a generator: it breaks something, yields the seconds until it goes on, and mends it.

When it ends, all is mended, and recovery is timed from there: one that breaks several times pauses only in between.

All of them run in the main thread, between two looks of the supervisor, which starts again what has ended.
"""

from collections.abc import Callable

from tests.faults.chaos import broker, database, moments, processes, providers, zombies
from tests.faults.chaos.processes import STOPS_WITHIN, pool_of
from tests.faults.chaos.world import Broken, Fault, World

__all__ = ["KINDS", "STOPS_WITHIN", "Broken", "Fault", "World", "pool_of"]

_MODULES = (processes, zombies, moments, broker, database, providers)
KINDS: dict[str, Callable[[World], Fault]] = {fault.__name__: fault for module in _MODULES for fault in module.FAULTS}
