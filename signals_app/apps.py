"""App configuration."""

from django.apps import AppConfig


class SignalsConfig(AppConfig):
    """Signals, their sources and their payloads."""

    name = "signals_app"
    verbose_name = "Signals"

    def ready(self) -> None:
        """Say where payloads are named, sealed values kept, and subjects known."""
        from signals_app.services.payload_names import register_name
        from signals_app.subjects import registry
        from signals_app.subjects.signals import SignalHolder
        from tenants.vault import columns
        from tenants.vault.columns import SealedBytes, SealedSecrets

        register_name("signals_app_signal", "payload_sha")
        columns.register(SealedBytes("signals_app_payload", "sealed", "address"))
        columns.register(SealedSecrets("signals_app_signalsource", "secrets"))
        registry.register(SignalHolder())
