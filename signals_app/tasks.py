"""Celery tasks of signals. A repeated, late or forged message changes nothing."""

from celery import shared_task

from signals_app.services.collecting import collect_for

TURN_SECONDS = 2.0


@shared_task
def collect_payloads() -> int:
    """Take away some payloads that nothing names."""
    return collect_for(TURN_SECONDS)
