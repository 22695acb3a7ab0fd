"""Definitions in files: check, store, fetch and compare them; list, publish, switch, retire and migrate stored ones."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError, Invalid
from tenants.audit.commands import add_by, recorded
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.services import find_tenant
from workflows.definitions.checksum import canonical_json
from workflows.definitions.chimeway import from_chimeway
from workflows.definitions.diff import Change, diff
from workflows.definitions.files import find_files, load_file
from workflows.definitions.validate import validate
from workflows.definitions.writer import write_yaml
from workflows.management.definition_listing import ListVersions
from workflows.management.definition_moving import MigrateRuns
from workflows.management.definition_switching import SwitchDefinition
from workflows.management.definition_versions import PublishVersion, RetireVersion
from workflows.management.recording import in_the_name
from workflows.management.verbs import Verb
from workflows.models import Definition
from workflows.services import definitions

Loaded = list[tuple[Path, dict[str, Any]]]
OF_STORED = (ListVersions(), PublishVersion(), SwitchDefinition(), RetireVersion(), MigrateRuns())
STORED: dict[str, Verb] = {verb.name: verb for verb in OF_STORED}
Reader = Callable[[Path], dict[str, Any]]


class Command(BaseCommand):
    """Faults go to standard error as `file:path: message`, all of all files; then the exit code is 1."""

    help = "Keep definitions in YAML or JSON files, and list, publish, switch, retire and migrate stored ones."
    requires_system_checks: list[str] = []  # `validate` works without a database

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        checked = verbs.add_parser("validate", help="Check files; needs no database.")
        pushed = verbs.add_parser("push", help="Store files as drafts, or publish them.")
        pulled = verbs.add_parser("pull", help="Write the stored definitions into a folder.")
        compared = verbs.add_parser("diff", help="Tell what pushing the files would change.")
        imported = verbs.add_parser("import-chimeway", help="Turn Chimeway's workflow maps (JSON) into definitions.")
        imported.add_argument("--into", type=Path, default=Path(), metavar="FOLDER", help="Where to write them.")
        imported.add_argument("--email-to", default="data.email", metavar="PATH", help="Where mail goes (data.email).")
        imported.add_argument("--endpoint", default="default", metavar="KEY", help="Where webhooks go (default).")
        imported.add_argument("--dry-run", action="store_true", help="Say what would be written, and write nothing.")
        for verb in (checked, pushed, compared, imported):
            verb.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="A file, or a folder of files.")
        for verb in (pushed, pulled, compared):
            verb.add_argument("--tenant", required=True, metavar="SLUG")
        pushed.add_argument("--publish", action="store_true", help="Publish what was stored.")
        pulled.add_argument("folder", type=Path, metavar="FOLDER")
        pulled.add_argument("keys", nargs="*", metavar="KEY", help="Only these keys.")
        for verb_of_stored in STORED.values():
            own = verbs.add_parser(verb_of_stored.name, help=verb_of_stored.help)
            verb_of_stored.arguments(own)
            own.add_argument("--tenant", required=True, metavar="SLUG")
        add_by(pushed)
        for verb in (pushed, pulled):
            verb.add_argument("--dry-run", action="store_true", help="Say what would be done, and do nothing.")

    def handle(self, *, verb: str, **options: Any) -> None:
        verbs = {
            "validate": self._validate,
            "push": self._push,
            "pull": self._pull,
            "diff": self._diff,
            "import-chimeway": self._import,
        }
        if verb in STORED:
            self._stored(STORED[verb], options)
        else:
            verbs[verb](options)

    def _stored(self, verb: Verb, options: dict[str, Any]) -> None:
        try:
            tenant_id = _tenant(options["tenant"]).pk
            with in_the_name(tenant_id, f"definitions {verb.name}", options, lambda: _named(tenant_id, options)):
                for line in verb.lines(tenant_id, options):
                    self.stdout.write(line)
        except ChimewayError as error:
            raise CommandError(error.line) from error

    def _validate(self, options: dict[str, Any]) -> None:
        for path, document in self._load(options["paths"], None):
            self.stdout.write(f"{path}: {document['key']} is valid")

    def _push(self, options: dict[str, Any]) -> None:
        tenant = _tenant(options["tenant"])
        loaded = self._load(options["paths"], tenant)
        if options["dry_run"]:
            for path, document in loaded:
                self.stdout.write(f"{path}: {document['key']} {_difference(_changes(tenant, document))}")
            return
        keys = [document["key"] for _, document in loaded]
        mine = Definition.objects.filter(tenant_id=tenant.pk, key__in=keys)
        with recorded(tenant.pk, "definitions push", options, lambda: list(mine.all()), ref=", ".join(keys)):
            self._store(tenant, loaded, options)

    def _store(self, tenant: Tenant, loaded: Loaded, options: dict[str, Any]) -> None:
        for path, document in loaded:
            stored = definitions.save_draft(tenant_id=tenant.pk, document=document)
            if options["publish"]:
                stored = definitions.publish_definition(tenant_id=tenant.pk, key=stored.key, version=stored.version)
            self.stdout.write(f"{path}: {stored} is {stored.get_status_display().lower()}")

    def _pull(self, options: dict[str, Any]) -> None:
        found = {row.key: row for row in definitions.latest_definitions(tenant_id=_tenant(options["tenant"]).pk)}
        missing = [key for key in options["keys"] if key not in found]
        if missing:
            raise CommandError(f"No definition {', '.join(missing)}.")
        for key in options["keys"] or found:
            file = options["folder"] / f"{key}.yaml"
            if not options["dry_run"]:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(write_yaml(found[key].document), encoding="utf-8")
            self.stdout.write(f"{file}: {found[key]}")

    def _diff(self, options: dict[str, Any]) -> None:
        tenant = _tenant(options["tenant"])
        for path, document in self._load(options["paths"], tenant):
            changes = _changes(tenant, document)
            self.stdout.write(f"{path}: {document['key']} {_difference(changes)}")
            for change in changes or ():
                self.stdout.write(f"  {_sentence(change)}")

    def _import(self, options: dict[str, Any]) -> None:
        def read(path: Path) -> dict[str, Any]:
            return from_chimeway(load_file(path), email_to=options["email_to"], endpoint=options["endpoint"])

        for path, document in self._load(options["paths"], None, read):
            file = options["into"] / f"{document['key']}.yaml"
            if not options["dry_run"]:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(write_yaml(document), encoding="utf-8")
            self.stdout.write(f"{path}: {file}")

    def _load(self, paths: list[Path], tenant: Tenant | None, read: Reader = load_file) -> Loaded:
        """The documents of all files, or CommandError after every fault of every file was told: all or nothing."""
        files = find_files(paths)
        loaded: Loaded = []
        for path in files:
            loaded += [(path, document) for document in self._load_one(path, tenant, read)]
        if len(loaded) < len(files):
            raise CommandError(f"{len(files) - len(loaded)} of {len(files)} files have faults.")
        if not files:
            raise CommandError("No YAML or JSON file found.")
        return loaded

    def _load_one(self, path: Path, tenant: Tenant | None, read: Reader) -> Iterator[dict[str, Any]]:
        try:
            document = read(path)
            faults = _faults(document, tenant)
        except Invalid as error:
            faults = list(error.detail)  # type: ignore[arg-type]
        except OSError as error:
            faults = [{"path": "", "message": str(error.strerror)}]
        for one in faults:
            self.stderr.write(f"{path}:{one['path']}: {one['message']}")
        if not faults:
            yield document


def _named(tenant_id: int, options: dict[str, Any]) -> list[Definition]:
    return list(Definition.objects.filter(tenant_id=tenant_id, key=options["key"]))


def _faults(document: dict[str, Any], tenant: Tenant | None) -> list[dict[str, str]]:
    if tenant is None:
        return validate(document)
    with tenant_scope(tenant.pk):
        return validate(document, tenant.pk)


def _tenant(slug: str) -> Tenant:
    tenant = find_tenant(slug)
    if tenant is None:
        raise CommandError(f"There is no tenant {slug}.")
    return tenant


def _changes(tenant: Tenant, document: dict[str, Any]) -> list[Change] | None:
    """What storing the document would change; None when the tenant has no such key yet."""
    for stored in definitions.latest_definitions(tenant_id=tenant.pk, key=document["key"]):
        return diff(stored.document, document)
    return None


def _difference(changes: list[Change] | None) -> str:
    if changes is None:
        return "is new"
    many = "change" if len(changes) == 1 else "changes"
    return f"has {len(changes)} {many}" if changes else "is unchanged"


def _sentence(change: Change) -> str:
    match change.kind:
        case "added":
            return f"+ {change.path}: {_brief(change.after)}"
        case "removed":
            return f"- {change.path}: {_brief(change.before)}"
    return f"~ {change.path}: {_brief(change.before)} → {_brief(change.after)}"


def _brief(value: Any) -> str:
    text = canonical_json(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
