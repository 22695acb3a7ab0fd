"""What happened to an account stands in its history: Django's own log, for accounts belong to no tenant."""

from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType


def note(*, account: Any, by: Any = None, what: str, asked_by: str = "somebody") -> None:
    """Add a line to the history of an account. Without `by` it was done on the command line, as `asked_by` wished."""
    LogEntry.objects.create(
        user_id=(by or account).pk,
        content_type=ContentType.objects.get_for_model(get_user_model()),
        object_id=str(account.pk),
        object_repr=account.get_username()[:200],
        action_flag=CHANGE,
        change_message=what if by is not None else f"{what}, on the command line by {asked_by}",
    )
