"""App configuration."""

from django.apps import AppConfig


class SignalsConfig(AppConfig):
    """Signals, their sources and their payloads."""

    name = "signals_app"
    verbose_name = "Signals"
