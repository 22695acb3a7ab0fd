"""Digests: list them, show one with its items, close one now, take an item out."""

import uuid
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.management.commands.tenant import existing_tenant
from tenants.scope import tenant_scope
from tenants.services.operators import check_reason
from workflows.digests.closing import Asked
from workflows.digests.control import find_digest, flush_digest, remove_item
from workflows.management.arguments import add_tenant
from workflows.management.recording import in_the_name
from workflows.models import Digest, DigestItem, DigestStatus
from workflows.states import Cause

MOST_LISTED = 200


class Command(BaseCommand):
    help = "List, show and flush digests, and take items out of them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listed = verbs.add_parser("list", help="The newest of them.")
        listed.add_argument("--status", default="", choices=DigestStatus.values)
        listed.add_argument("--subject", default="")
        shown = verbs.add_parser("show", help="One of them, with its items.")
        flushed = verbs.add_parser("flush", help="Close it now.")
        removed = verbs.add_parser("remove", help="Take one item out.")
        for verb in (shown, flushed, removed):
            verb.add_argument("digest", metavar="DIGEST", help="Its id.")
        removed.add_argument("position", type=int, help="Of the item.")
        for verb in (flushed, removed):
            verb.add_argument("--reason", required=True, help="The trace keeps it.")
            verb.add_argument("--by", default="command line", metavar="NAME", help="Who says so.")
        for verb in verbs.choices.values():
            add_tenant(verb)

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        lines = {"list": _list, "show": _show, "flush": _flush, "remove": _remove}[verb]
        tenant_id = existing_tenant(tenant).pk
        try:
            with in_the_name(tenant_id, f"digests {verb}", options, lambda: _named(tenant_id, options)):
                for line in lines(tenant_id, options):
                    self.stdout.write(line)
        except ChimewayError as error:
            raise CommandError(error.line) from error


def _list(tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
    asked = {name: options[name] for name in ("status", "subject") if options[name]}
    with tenant_scope(tenant_id):
        yield from map(_line, Digest.objects.filter(tenant_id=tenant_id, **asked).order_by("-id")[:MOST_LISTED])


def _show(tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
    digest = find_digest(tenant_id=tenant_id, public_id=_id(options["digest"]))
    yield _line(digest)
    with tenant_scope(tenant_id):
        rows = DigestItem.objects.filter(tenant_id=tenant_id, digest_id=digest.pk).select_related("run")
        for item in rows.order_by("position")[:MOST_LISTED]:
            yield f"  {item.position}  {item.run.public_id}  {item.left_why or 'in it'}"


def _flush(tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
    yield _line(flush_digest(tenant_id=tenant_id, public_id=_id(options["digest"]), asked=_asked(options)))


def _remove(tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
    public_id, position = _id(options["digest"]), options["position"]
    item = remove_item(tenant_id=tenant_id, public_id=public_id, position=position, asked=_asked(options))
    yield f"{item.position}  {item.run.public_id}  {item.left_why}"


def _asked(options: dict[str, Any]) -> Asked:
    return Asked(Cause.OPERATOR, options["by"], check_reason(options["reason"]))


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise CommandError(f"{text} is not the id of a digest.") from error


def _named(tenant_id: int, options: dict[str, Any]) -> list[Digest]:
    return list(Digest.objects.filter(tenant_id=tenant_id, public_id=_id(options["digest"])))


def _line(digest: Digest) -> str:
    when = f"closed {digest.closed_at} by {digest.closed_by}" if digest.closed_at else f"closes {digest.closes_at}"
    about = digest.subject or "everybody"
    return f"{digest.public_id}  {digest.definition_key}/{digest.step}  {about}  {digest.count} items  {when}"
