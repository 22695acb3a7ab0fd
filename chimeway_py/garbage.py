"""How often Python looks for garbage that refers to itself.

By default it looks after every 700 objects, through what a batch is just building, which was a quarter of the time that
the engine spends in Python. What is loaded at the start of a process lives as long as it does, and is not looked at.
"""

import gc

OBJECTS = 50_000  # that come and stay between two looks: some megabytes at most wait to be found


def look_less_often() -> None:
    """For processes that serve: call it once everything is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS, 20, 100)
