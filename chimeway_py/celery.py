"""The Celery application. A message is a nudge: it names a lane and a tenant and carries no state."""

import os
import sys

from celery import Celery
from celery.signals import setup_logging, task_prerun, worker_init, worker_process_init
from django.db import close_old_connections

from chimeway_py import task_log  # noqa: F401  connects itself
from chimeway_py.garbage import look_less_often
from chimeway_py.safe_log import log_uncaught

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chimeway_py.settings")

app = Celery("chimeway_py")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Celery would close the database connection before and after every task, and with it the plans that it has prepared:
# each nudge would pay for a new session. A connection that has failed is closed when the next task begins, and one that
# died meanwhile is found by Django's health check.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize
task_prerun.connect(lambda **_: close_old_connections(), weak=False)


@setup_logging.connect
def use_django_logging(**_: object) -> None:
    """Keep Celery from replacing the structured logging that the settings configured."""


@worker_init.connect
def watch(**_: object) -> None:
    """Give the worker its watchdog, and teach it to drop junk; only workers load these."""
    import chimeway_py.watchdog  # noqa: F401
    from chimeway_py.junk import drop_junk

    log_uncaught()
    app.Task.Request = "chimeway_py.failed_turns:CountedRequest"
    drop_junk()
    look_less_often()


@worker_process_init.connect
def begin(**_: object) -> None:
    """What a process of the pool has loaded since it was forked lives as long as it does, too."""
    log_uncaught()
    look_less_often()
