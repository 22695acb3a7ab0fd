"""The Celery application. A message is a nudge: it names a lane and a tenant and carries no state."""

import os

from celery import Celery
from celery.signals import setup_logging, worker_init

from chimeway_py import task_log  # noqa: F401  connects itself

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chimeway_py.settings")

app = Celery("chimeway_py")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def use_django_logging(**_: object) -> None:
    """Keep Celery from replacing the structured logging that the settings configured."""


@worker_init.connect
def watch(**_: object) -> None:
    """Give the worker its watchdog, and teach it to drop junk; only workers load these."""
    import chimeway_py.watchdog  # noqa: F401
    from chimeway_py.junk import drop_junk

    drop_junk()
