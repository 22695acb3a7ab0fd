"""The kill switch of a definition: one row per key that was ever switched, and every change of it."""

from django.db import models

from tenants.models.tenant import TenantRow
from workflows.states import Cause


class SwitchLevel(models.TextChoices):
    """What may happen to the runs of a key, whatever their version."""

    ON = "on"  # everything: as though there were no switch
    STARTS_OFF = "starts_off"  # no new runs; those under way go on
    ALL_OFF = "all_off"  # no new runs, and those under way are held


class _SwitchWords(TenantRow):
    """Who switched a key, to what, when and why."""

    key = models.CharField(max_length=64)
    level = models.CharField(max_length=16, choices=SwitchLevel)
    why = models.CharField(max_length=64)
    cause = models.CharField(max_length=16, choices=Cause)
    cause_ref = models.CharField(max_length=200, blank=True, default="")
    changed_at = models.DateTimeField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.key}: {self.level}"


class DefinitionSwitch(_SwitchWords):
    """How a key is switched now. `releasing`: runs that were held are still to be told that they may go on."""

    releasing = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="switch_key")]


class SwitchChange(_SwitchWords):
    """One change of a switch. Written once; the app role cannot change it."""

    class Meta:
        indexes = [models.Index(fields=["tenant", "key", "id"], name="switch_change_key")]
