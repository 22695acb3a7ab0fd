"""chimeway_py: notification journeys that survive anything and can always say why."""

from chimeway_py.celery import app as celery_app

__all__ = ["celery_app"]
__version__ = "0.1.0"
