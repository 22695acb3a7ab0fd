"""App configuration."""

from django.apps import AppConfig


class SignalsConfig(AppConfig):
    """Signals, their sources and their payloads."""

    name = "signals_app"
    verbose_name = "Signals"

    def ready(self) -> None:
        """Say where payloads are named and sealed values kept."""
        from signals_app.services.payload_names import register_name
        from tenants.vault.columns import SealedBytes, SealedSecrets, register

        register_name("signals_app_signal", "payload_sha")
        register(
            SealedBytes("signals_app_payload", "sealed", "address"),
            SealedSecrets("signals_app_signalsource", "secrets"),
        )
