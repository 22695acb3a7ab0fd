"""App configuration."""

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.signals import connection_created


class TenantsConfig(AppConfig):
    """Tenants, API keys, memberships."""

    name = "tenants"
    verbose_name = "Tenants"

    def ready(self) -> None:
        """Register the start-up checks and the columns with sealed values; refuse limits that nothing counts."""
        from tenants import checks
        from tenants.limits.kinds import LimitKind
        from tenants.second_factor.sign_in import watch_sign_ins
        from tenants.vault.columns import SealedBytes, SealedSecrets, register

        register(SealedBytes("tenants_idempotencyrecord", "sealed", "key"))
        register(SealedSecrets("tenants_secret", "entries", "key", member="sealed"))
        if settings.OPERATOR_SECOND_FACTOR not in ("optional", "superusers", "everybody"):
            raise ImproperlyConfigured("OPERATOR_SECOND_FACTOR is optional, superusers or everybody.")
        watch_sign_ins()
        if unknown := settings.TENANT_LIMITS.keys() - set(LimitKind.values):
            raise ImproperlyConfigured(f"TENANT_LIMITS names {', '.join(sorted(unknown))}: see docs/limits.md.")
        connection_created.connect(checks.prove_role)
