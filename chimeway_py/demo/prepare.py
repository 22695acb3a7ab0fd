"""Migrate and seed, as a program of its own: `python -m chimeway_py.demo.prepare MEMORY_FILE CARRIERS_URL`.

It alone gets the address of the owner role (`DATABASE_OWNER_URL`); without one it does not migrate.
"""

import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command

from chimeway_py.embedded.memory import Memory


def prepare(memory: Memory, carriers_url: str) -> None:
    """Bring the database to the newest version and make sure that what the demo needs is in it."""
    django.setup()
    if "owner" in settings.DATABASES:
        call_command("migrate", database="owner", interactive=False, verbosity=0)
    from chimeway_py.demo.seed import seed  # models can be imported only now

    memory.keep("seeded", seed(memory.recall("seeded", dict), carriers_url))


if __name__ == "__main__":
    prepare(Memory(Path(sys.argv[1])), sys.argv[2])
