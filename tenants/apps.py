"""App configuration."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class TenantsConfig(AppConfig):
    """Tenants, API keys, memberships."""

    name = "tenants"
    verbose_name = "Tenants"

    def ready(self) -> None:
        """Register the start-up checks and the columns with sealed values."""
        from tenants import checks
        from tenants.vault.columns import SealedBytes, SealedSecrets, register

        register(SealedBytes("tenants_idempotencyrecord", "sealed", "key"))
        register(SealedSecrets("tenants_secret", "entries", "key", member="sealed"))
        connection_created.connect(checks.prove_role)
