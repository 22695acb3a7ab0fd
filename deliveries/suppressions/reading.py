"""Asking whether an address is left alone."""

from dataclasses import dataclass
from uuid import UUID

from chimeway_py.errors import NotFound
from tenants.sql import fetch

# With the category in the same statement: it is asked before each message that goes to an address.
WORD = """
SELECT s.bounced_at IS NOT NULL,
       EXISTS (SELECT 1 FROM deliveries_category c WHERE c.tenant_id = s.tenant_id AND c.key = %s AND c.required)
  FROM deliveries_suppression s
 WHERE s.tenant_id = %s AND s.recipient_digest = %s AND s.channel = %s AND s.lifted_at IS NULL
   AND s.delivery IS DISTINCT FROM %s::uuid
"""


class SuppressionNotFound(NotFound):
    """No such suppression in this tenant."""

    code = "suppression_not_found"


@dataclass(frozen=True, slots=True)
class Word:
    """Why an address is left alone, if it is. `despite` is a complaint that a required message passes."""

    error: str = ""
    despite: bool = False


def word_on(
    tenant_id: int, recipient_digest: str, channel: str, category: str = "", besides: UUID | None = None
) -> Word:
    """What is known against sending a message of this category there. Needs the tenant's scope.

    Whoever complained still gets what nobody may refuse, such as a code to sign in. What bounced cannot arrive.
    What came of `besides` does not count: whoever asks for that very delivery again knows of it.
    """
    found = fetch(WORD, [category, tenant_id, recipient_digest, channel, besides])
    if not found:
        return Word()
    [(has_bounced, is_required)] = found
    if has_bounced:
        return Word("bounced_before")
    return Word(despite=True) if is_required else Word("complained_before")
