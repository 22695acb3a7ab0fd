"""The inverted index of signals: lets a wait look back for what came before it opened."""

from django.db import models

from signals_app.models.signal import Signal
from tenants.models.tenant import TenantPart


class SignalKey(TenantPart):
    """One value a signal can be found by: `@subject=<subject>` or `<attribute>=<value>`. Written with its signal."""

    signal = models.ForeignKey(Signal, models.CASCADE, related_name="keys", db_constraint=False, db_index=False)
    name = models.CharField(max_length=100)
    key = models.CharField(max_length=260)
    received_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "name", "key", "received_at"], name="signal_key_lookup"),
            models.Index(fields=["tenant", "signal"], name="signal_key_signal"),  # deleting a signal finds its keys
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.key.split('=', 1)[0]}"
