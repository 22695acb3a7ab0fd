"""Logs of workers: whatever a task logs carries its name and the tenant it works for."""

from typing import Any

import structlog
from celery.signals import task_postrun, task_prerun


@task_prerun.connect
def bind_task(task_id: str = "", task: Any = None, args: Any = (), kwargs: Any = None, **_: object) -> None:
    """Bind the task's name and id, and the tenant, which is the only argument that our tasks take."""
    structlog.contextvars.clear_contextvars()
    tenant = (kwargs or {}).get("tenant_id", args[0] if args else None)
    bound = {"tenant_id": tenant} if isinstance(tenant, int) else {}
    structlog.contextvars.bind_contextvars(task=getattr(task, "name", ""), task_id=task_id, **bound)


@task_postrun.connect
def unbind_task(**_: object) -> None:
    """Forget what was bound: the thread takes another task next."""
    structlog.contextvars.clear_contextvars()
