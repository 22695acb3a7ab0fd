"""Rounds: the tenants whose last head is an hour old and whose traces have grown, those that waited longest first."""

import time
from datetime import timedelta

import structlog
from django.db import OperationalError

from tenants.sql import fetch
from workflows.heads.keys import public_keys
from workflows.heads.signing import sign_heads

log = structlog.get_logger(__name__)

EVERY = timedelta(hours=1)
ROUND_SECONDS = 60.0
_OWING = "SELECT tenant_id FROM tenants_owing_heads(%s)"


def sign_everywhere(every: timedelta = EVERY) -> int:
    """Sign for everybody whose turn it is, until all are done or the round is over; how many heads that were."""
    if not public_keys():
        return 0
    ends_at, signed = time.monotonic() + ROUND_SECONDS, 0
    for (tenant_id,) in fetch(_OWING, [every]):
        if time.monotonic() >= ends_at:
            break
        signed += _signed(tenant_id, ends_at)
    return signed


def _signed(tenant_id: int, ends_at: float) -> int:
    try:
        return len(sign_heads(tenant_id=tenant_id, seconds=ends_at - time.monotonic()))
    except OperationalError:
        raise
    except Exception as error:  # the others' heads are signed all the same
        log.exception("heads_not_signed", tenant_id=tenant_id, error=type(error).__name__)
        return 0
