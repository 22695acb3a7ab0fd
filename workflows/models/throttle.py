"""Throttle passes: who used up how much of a budget, and whose turn comes later."""

from django.db import models

from tenants.models.tenant import TenantRow


class ThrottlePass(TenantRow):
    """One visit that passed a throttle at `at`; or, while `passed` is false, that has its turn then.

    It counts until `expires_at`. Rows of one name are written under one lock. `key` is the effect key of the visit, and
    no foreign key: a pass counts also when its run is pruned before.
    """

    definition_key = models.CharField(max_length=64)
    step = models.CharField(max_length=64)
    subject = models.CharField(max_length=200, blank=True, default="")  # empty: it counts across subjects
    name_sha = models.BinaryField(max_length=32, default=b"")  # the payload of what `by` led to, where it says `by`
    key = models.CharField(max_length=200)
    at = models.DateTimeField()
    expires_at = models.DateTimeField()
    passed = models.BooleanField()

    class Meta:
        verbose_name_plural = "throttle passes"
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="throttle_pass_once")]
        indexes = [
            models.Index(
                fields=["tenant", "definition_key", "step", "subject", "name_sha", "at"], name="throttle_pass_of_name"
            ),
            models.Index(fields=["tenant", "expires_at"], name="throttle_pass_old"),
            models.Index(fields=["tenant", "name_sha"], name="throttle_pass_name"),
            models.Index(fields=["tenant", "subject"], name="throttle_pass_of_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.definition_key}/{self.step} at {self.at}"
