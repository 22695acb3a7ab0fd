"""App configuration."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Tenants, API keys, memberships."""

    name = "tenants"
    verbose_name = "Tenants"

    def ready(self) -> None:
        """Register the start-up checks."""
        from tenants import checks  # noqa: F401
