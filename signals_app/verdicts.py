"""What became of a signal: one verdict per candidate run, and one overall. Never silence."""

from django.db import models


class Verdict(models.TextChoices):
    """The words are the same for the signal as a whole and for one run."""

    MATCHED = "matched"  # it ended a wait
    STARTED = "started"  # it started a run
    BUFFERED = "buffered"  # a run exists that may still open a wait for it
    DUPLICATE = "duplicate"  # the same signal was used before
    REJECTED = "rejected"  # a condition said no
    LATE = "late"  # the run had finished
    UNMATCHED = "unmatched"  # nothing listens for it yet
    EXPIRED = "expired"  # nothing used it before its time was up


BEST_FIRST = (
    Verdict.MATCHED,
    Verdict.STARTED,
    Verdict.BUFFERED,
    Verdict.REJECTED,
    Verdict.LATE,
    Verdict.UNMATCHED,
    Verdict.EXPIRED,
    Verdict.DUPLICATE,
)
"""The overall verdict is the first of these that some run gave."""
