"""Whether this process lives, and whether it can serve. Both answer in bounded time, whatever hangs behind them."""

from functools import lru_cache

from celery import current_app
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chimeway_py.probes import Probe
from tenants.checks import role_faults

DATABASE_SECONDS, BROKER_SECONDS = 3.0, 1.0
OK = "ok"


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process is alive. It asks nobody: a restart would not cure a database that is away."""
    return JsonResponse({"status": OK})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when requests can be served: the database answers, its role is safe and the schema is the code's; else 503.

    A broker that is away makes nothing unready: what is accepted is kept, and the sweep finds it when it is back.
    """
    database = _database.answer(DATABASE_SECONDS)
    broker = _broker.answer(BROKER_SECONDS)
    ready = database == OK
    answer = {"status": OK if ready else "unready", "database": database, "broker": broker}
    return JsonResponse(answer, status=200 if ready else 503)


def ask_database() -> str:
    """`ok`, or what is wrong: the role, or migrations that this code has and the database does not."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = '2s'")
            if role_faults():
                return "unsafe role"
            missing = _on_disk() - set(MigrationRecorder(connection).applied_migrations())
        return f"{len(missing)} migrations missing" if missing else OK
    finally:
        connection.close()  # this thread ends


def ask_broker() -> str:
    """`ok` when the broker takes a connection."""
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        _ = broker.default_channel  # Redis: answers a PING
    return OK


@lru_cache(maxsize=1)
def _on_disk() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


_database = Probe("database", ask_database)
_broker = Probe("broker", ask_broker)
