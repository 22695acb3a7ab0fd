"""Stored templates kept in files.

A file maps a key to its channels: `{payment_failed: {email: {subject: …, text: …, html: …}, in_app: {…}}}`, with
`layout`, `is_layout` and `locales` where they are wanted. Layouts of a file are stored before what is put into them.
"""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError, Invalid, fault
from deliveries.models import Template
from deliveries.services import put_template
from deliveries.services.template_retiring import TemplateInUse, retire_template
from deliveries.services.template_trying import Sample, preview_template, send_test
from deliveries.services.templates import find_version, publish_template
from deliveries.services.trying import address_in
from tenants.audit.commands import add_by
from tenants.scope import tenant_scope
from tenants.services import find_tenant
from workflows.definitions.files import find_files, load_file
from workflows.management.recording import in_the_name

_WORDS = {"subject", "text", "html"}
_MORE = {"layout", "is_layout", "locales"}
_SAMPLE = {
    "data": "Sample data",
    "steps": "What steps brought",
    "coalesced": "How many messages it stands for",
    "correlation": "The correlation of the run",
}


class Command(BaseCommand):
    """All files or none. Faults go to standard error as `file:path: message`; then the exit code is 1."""

    help = "Push stored templates from YAML or JSON files; publish, retire, preview and try them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        pushed = verbs.add_parser("push", help="Store every template, and publish it.")
        pushed.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="A file, or a folder of files.")
        pushed.add_argument("--draft", action="store_true", help="Keep them as drafts; messages go on as before.")
        published = verbs.add_parser("publish", help="Publish the draft of a template.")
        retired = verbs.add_parser("retire", help="Let no new message get its words.")
        retired.add_argument("--force", action="store_true", help="Although published definitions use it.")
        shown = verbs.add_parser("preview", help="Print what a template makes of sample data.")
        tried = verbs.add_parser("test", help="Send it to yourself.")
        for one in (published, retired, shown, tried):
            one.add_argument("key", metavar="KEY")
            one.add_argument("--channel", required=True)
        for one in (shown, tried):
            for name, what in _SAMPLE.items():
                one.add_argument(f"--{name}", type=Path, metavar="PATH", help=f"{what}, in JSON or YAML.")
            one.add_argument("--subject", default="sample", help="The id of a recipient, whom the template sees.")
            one.add_argument("--locale", default="", help="Such as de-AT.")
            one.add_argument("--version-number", type=int, metavar="N", help="Else the draft, or the published one.")
        tried.add_argument("--to", default="", metavar="ADDRESS", help="Not for a chat that leads to one place.")
        for one in (pushed, published, retired, shown, tried):
            one.add_argument("--tenant", required=True, metavar="SLUG")
        for one in (pushed, published, retired, tried):
            add_by(one)

    def handle(self, *, verb: str, tenant: str, **said: Any) -> None:
        owner = find_tenant(tenant)
        if owner is None:
            raise CommandError(f"No tenant {tenant}.")
        with in_the_name(owner.pk, f"templates {verb}", said, lambda: _stored(owner.pk, said)):
            self._do(owner.pk, verb, said)

    def _do(self, tenant_id: int, verb: str, said: Mapping[str, Any]) -> None:
        if verb == "push":
            return self._push_all(tenant_id, said["paths"], said["draft"])
        place = {"tenant_id": tenant_id, "key": said["key"], "channel": said["channel"]}
        try:
            self.stdout.write(_one(verb, place, said))
        except ChimewayError as error:
            told = [f"{one['path']}: {one['message']}" for one in _faults(error)]
            users = [f"{kind}: {', '.join(names)}" for kind, names in _users(error).items() if names]
            raise CommandError("\n".join([error.message, *told, *users])) from error

    def _push_all(self, tenant_id: int, paths: list[Path], draft: bool) -> None:
        stored: list[str] = []
        faults: list[str] = []
        with tenant_scope(tenant_id):
            for path in find_files(paths):
                try:
                    stored += [f"{path}: {line}" for line in _push(path, tenant_id, draft)]
                except Invalid as error:
                    faults += [f"{path}:{one['path']}: {one['message']}" for one in _faults(error)]
                except OSError as error:
                    faults.append(f"{path}: {error.strerror}")
            if faults:
                self.stderr.write("\n".join(faults))
                raise CommandError(f"Faults: {len(faults)}. Nothing was stored.")
        self.stdout.write("\n".join(stored))


def _stored(tenant_id: int, said: Mapping[str, Any]) -> list[Template]:
    """The template that is named, or all that a push may change."""
    named = {"key": said["key"], "channel": said["channel"]} if "key" in said else {}
    return list(Template.objects.filter(tenant_id=tenant_id, **named))


def _one(verb: str, place: dict[str, Any], said: Mapping[str, Any]) -> str:
    """Do one thing with one template; what to print. Raises `ChimewayError`."""
    if verb == "publish":
        return f"{publish_template(**place)} is published as {find_version(**place)}."
    if verb == "retire":
        retire_template(**place, force=said["force"])
        return f"{place['key']} ({place['channel']}) is retired."
    told = {name: dict(load_file(said[name])) for name in _SAMPLE if said[name]}
    sample = Sample(**told, subject=said["subject"], locale=said["locale"], version=said["version_number"])
    if verb == "preview":
        content = preview_template(**place, sample=sample).content
        return "\n\n".join(part for part in (content.subject, content.text, content.html) if part)
    return f"It is on its way, in the run {send_test(**place, sample=sample, to=address_in(said['to'])).public_id}."


def _push(path: Path, tenant_id: int, draft: bool) -> list[str]:
    """Store the templates of one file; a line about each. Raises `Invalid` with every fault of it, and OSError."""
    faults, lines = [], []
    found = list(_templates(load_file(path)))
    for place, key, channel, parts in sorted(found, key=lambda one: not one[3].get("is_layout", False)):
        try:
            template, created = put_template(tenant_id=tenant_id, key=key, channel=channel, **parts, draft=draft)
        except Invalid as error:
            faults += [fault(place + one["path"], one["code"], one["message"]) for one in _faults(error)]
        else:
            lines.append(f"{template} {'created' if created else 'stored'}")
    if faults:
        raise Invalid("The file has faults.", faults)
    return lines


def _users(error: ChimewayError) -> Mapping[str, list[str]]:
    return error.detail if isinstance(error, TemplateInUse) and isinstance(error.detail, Mapping) else {}


def _faults(error: ChimewayError) -> list[Mapping[str, Any]]:
    return [] if isinstance(error.detail, Mapping) else list(error.detail)


def _templates(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """(place, key, channel, parts) of each template in a document. Raises `Invalid` for another shape."""
    for key, by_channel in document.items():
        for channel, parts in by_channel.items() if isinstance(by_channel, Mapping) else [("", None)]:
            place = f"/{key}/{channel}".rstrip("/")
            if not _is_template(parts):
                message = "Expected {channel: {subject, text, html, layout, is_layout, locales}}."
                raise Invalid("The file has faults.", [fault(place, "shape", message)])
            yield place, key, channel, dict(parts or {})


def _is_template(parts: Any) -> bool:
    if not isinstance(parts, Mapping) or set(parts) - _WORDS - _MORE:
        return False
    locales, is_layout = parts.get("locales", {}), parts.get("is_layout", False)
    words = [parts.get(name, "") for name in (*_WORDS, "layout")]
    own = [set(one) <= _WORDS and all(map(_is_text, one.values())) for one in _values(locales)]
    return isinstance(is_layout, bool) and isinstance(locales, Mapping) and all(own) and all(map(_is_text, words))


def _values(locales: Any) -> list[Mapping[str, Any]]:
    return [one if isinstance(one, Mapping) else {"": one} for one in locales.values()] if locales else []


def _is_text(part: Any) -> bool:
    return isinstance(part, str)
