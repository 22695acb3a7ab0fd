"""One-click unsubscribe (RFC 8058): the headers of a mail, and what following its link does.

A click refuses what the mail was about: its category, or its workflow where it has none. A yes of the recipient's own
that is more exact than that would let the next one out all the same, so it becomes a no with it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from deliveries.models import Category
from deliveries.preferences.deciding import About, Rule, decide
from deliveries.preferences.links import Named, opened
from deliveries.preferences.storing import refuse
from deliveries.standing import standing_of
from deliveries.states import Layer
from signals_app.services import NewSignal, accept_signals
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.sql import fetch
from workflows.models import Definition
from workflows.models.definition import DefinitionStatus

SOURCE = "preferences"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


@dataclass(frozen=True, slots=True)
class Link:
    """What a link refuses. `is_refused`: the recipient's own word keeps the next such message back, whatever it says.

    `is_required`: nobody may refuse it by now. `overruled` are the workflows whose yes counts before a no to the
    category.
    """

    tenant_id: int
    sender: str
    subject: str
    category: str
    workflow: str
    channel: str
    name: str
    is_refused: bool
    is_required: bool
    overruled: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """For people: the category by its name, else the workflow by its key."""
        return self.name or self.category or self.workflow

    @property
    def refused(self) -> Mapping[str, str]:
        """What the rule is about that a click stores."""
        workflow = "" if self.category else self.workflow
        return {"category": self.category, "workflow": workflow, "channel": self.channel}


def unsubscribe_headers(address: str | None) -> Mapping[str, str]:
    """The headers of a mail whose recipient may refuse more of its kind at this address."""
    if address is None:
        return {}
    return {"List-Unsubscribe": f"<{address}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def follow(token: str) -> Link:
    """What the link is about; nothing is written. Raises `BadLink`."""
    named = opened(token)
    with tenant_scope(named.tenant_id):
        return _link(named)


def unsubscribe(token: str) -> Link:
    """Refuse what the link is about, by the recipient's own word; again, nothing happens. Raises `BadLink`.

    The first time `recipient.unsubscribed` is accepted in the same transaction. Of two clicks at once one waits for the
    other, and finds it done. What is required stays as it is: nothing is stored.
    """
    named = opened(token)
    with tenant_scope(named.tenant_id) as scope:
        fetch(_LOCK, [f"unsubscribe/{named.tenant_id}/{named.subject}"])
        link = _link(named)
        if link.is_required:
            return link
        more = [{"category": "", "workflow": one, "channel": link.channel} for one in link.overruled]
        changed = [_refuse(link, about) for about in (link.refused, *more)]
        if any(changed):
            signal = NewSignal(
                name="recipient.unsubscribed",
                subject=link.subject,
                correlation={name: value for name, value in link.refused.items() if value},
                external_id=f"{hashlib.sha256(token.encode()).hexdigest()[:32]}:{scope.now.isoformat()}",
                source=SOURCE,
                occurred_at=scope.now,
            )
            accept_signals(tenant_id=link.tenant_id, signals=[signal], counted=False)
        return _link(named)


def _refuse(link: Link, about: Mapping[str, str]) -> bool:
    return refuse(tenant_id=link.tenant_id, subject=link.subject, **about, said_by="unsubscribe")


def _link(named: Named) -> Link:
    """As it stands now. Needs the tenant's scope."""
    tenant_id, category = named.tenant_id, named.category
    standing = standing_of(tenant_id, [named.subject])
    known = Category.objects.filter(tenant_id=tenant_id, key=category).first() if category else None
    own = [_at_its_most(rule) for rule in standing.rules.get(named.subject, ()) if rule.allowed or rule.when is None]
    overruled = _overruled(named, own)
    return Link(
        tenant_id,
        Tenant.objects.get(pk=tenant_id).name,
        named.subject,
        category,
        named.workflow,
        named.channel,
        name=known.name if known is not None else "",
        is_refused=all(_keeps_back(named, one, own) for one in (named.workflow, *overruled)),
        is_required=category in standing.required,
        overruled=overruled,
    )


def _at_its_most(rule: Rule) -> Rule:
    """The rule without its condition: of messages to come nobody knows what they hold, so a yes may always count."""
    return replace(rule, when=None)


def _keeps_back(named: Named, workflow: str, own: Iterable[Rule]) -> bool:
    """Whether the recipient's own rules keep back a message of this kind, whatever it holds."""
    said = decide(About(named.category, workflow, named.channel), {}, is_required=False, own=own, defaults=())
    return not said.allowed and said.layer == Layer.RECIPIENT


def _overruled(named: Named, own: Iterable[Rule]) -> tuple[str, ...]:
    """The workflows with messages of the category that the recipient said yes to, more exactly than to any category."""
    if not named.category:
        return ()
    wanted = {rule.workflow for rule in own if rule.allowed and rule.workflow and rule.channel == named.channel}
    if not wanted:
        return ()
    versions = Definition.objects.filter(tenant_id=named.tenant_id, key__in=wanted)
    documents = versions.exclude(status=DefinitionStatus.DRAFT).values_list("key", "document")
    sending = {key for key, document in documents if _speaks_of(document, named.category)}
    return tuple(sorted(wanted & {named.workflow, *sending}))


def _speaks_of(document: Any, category: str) -> bool:
    """Whether a definition, or a step anywhere in it, is of this category."""
    if isinstance(document, Mapping):
        return document.get("category") == category or any(_speaks_of(one, category) for one in document.values())
    return isinstance(document, list) and any(_speaks_of(one, category) for one in document)
