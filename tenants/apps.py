"""App configuration."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class TenantsConfig(AppConfig):
    """Tenants, API keys, memberships."""

    name = "tenants"
    verbose_name = "Tenants"

    def ready(self) -> None:
        """Register the start-up checks."""
        from tenants import checks

        connection_created.connect(checks.prove_role)
