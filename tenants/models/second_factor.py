"""What an operator proves to have, besides knowing a password. Of an account, not of a tenant."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class SecondFactor(models.Model):
    """The key that an operator's authenticator app has, wrapped by a master key. It counts once it is confirmed."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    master = models.CharField(max_length=16)
    wrapped = models.BinaryField()
    last_step = models.BigIntegerField(default=-1)  # of the newest code that was taken: none is taken twice
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    confirmed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"second factor of account {self.user_id}"


class RecoveryCode(models.Model):
    """A code on paper, good once. Only its digest is kept: it has 80 random bits."""

    factor = models.ForeignKey(SecondFactor, models.CASCADE, related_name="recovery_codes")
    digest = models.BinaryField(max_length=32)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["factor", "digest"], name="recovery_code_digest")]

    def __str__(self) -> str:
        return f"recovery code {self.pk}"
