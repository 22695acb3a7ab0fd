"""Writing the rows of definitions. Every function runs inside the caller's tenant scope."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Max

from tenants.scope import Scope
from workflows.definitions.checksum import checksum
from workflows.definitions.document import parse_steps
from workflows.definitions.errors import DefinitionNotFound, VersionConflict
from workflows.models.definition import Definition, DefinitionStatus, Step

Raw = Mapping[str, Any]


def redraft(tenant_id: int, document: Raw) -> Definition | None:
    """The draft of the key with this document written into it, or None when the key has no draft."""
    drafts = Definition.objects.for_tenant(tenant_id).filter(key=document["key"], status=DefinitionStatus.DRAFT)
    draft = drafts.select_for_update(no_key=True).first()
    if draft is not None and draft.checksum != checksum(document):
        draft.document, draft.checksum, draft.start_signal = dict(document), checksum(document), _start_signal(document)
        draft.save(update_fields=["document", "checksum", "start_signal"])
    return draft


def latest_published_with(tenant_id: int, document: Raw) -> Definition | None:
    """The latest version of the key, if it is published and holds this document."""
    latest = Definition.objects.for_tenant(tenant_id).filter(key=document["key"]).order_by("-version").first()
    holds = latest and latest.status == DefinitionStatus.PUBLISHED and latest.checksum == checksum(document)
    return latest if holds else None


def version_holding(tenant_id: int, document: Raw, version: int | None) -> Definition | None:
    """The version that holds this document. Raises `VersionConflict` when `version` is given and holds another."""
    versions = Definition.objects.for_tenant(tenant_id).filter(key=document["key"]).order_by("-version")
    if version is None:
        return versions.filter(checksum=checksum(document)).first()
    definition = versions.filter(version=version).first()
    if definition is not None and definition.checksum != checksum(document):
        raise VersionConflict(
            f"{definition} already holds another document.", {"key": definition.key, "version": version}
        )
    return definition


def insert_version(
    scope: Scope, tenant_id: int, document: Raw, version: int, *, published: bool = False
) -> Definition | None:
    """The new version, with its steps when it is published; None when somebody else's insert took the number first."""
    definition = Definition(
        tenant_id=tenant_id,
        key=document["key"],
        version=version,
        status=DefinitionStatus.PUBLISHED if published else DefinitionStatus.DRAFT,
        document=dict(document),
        checksum=checksum(document),
        start_signal=_start_signal(document),
        created_at=scope.now,
        published_at=scope.now if published else None,
    )
    Definition.objects.bulk_create([definition], ignore_conflicts=True)
    stored = Definition.objects.for_tenant(tenant_id).filter(public_id=definition.public_id).first()
    if stored is not None and published:
        _write_steps(stored)
    return stored


def publish_unchanged(scope: Scope, draft: Definition) -> Definition | None:
    """The draft, published, unless somebody changed it since it was read."""
    same = Definition.objects.for_tenant(draft.tenant_id).filter(public_id=draft.public_id, checksum=draft.checksum)
    locked = same.select_for_update(no_key=True).first()
    if locked is not None and locked.status == DefinitionStatus.DRAFT:
        publish_draft(scope, locked)
    return locked


def publish_draft(scope: Scope, draft: Definition) -> None:
    """Freeze a locked draft and write its steps."""
    draft.status, draft.published_at = DefinitionStatus.PUBLISHED, scope.now
    draft.save(update_fields=["status", "published_at"])
    _write_steps(draft)


def _write_steps(definition: Definition) -> None:
    Step.objects.bulk_create(
        Step(
            tenant_id=definition.tenant_id,
            definition=definition,
            key=step.key,
            position=step.position,
            kind=step.kind,
            config=step.config,
        )
        for step in parse_steps(definition.document)
    )


def lock_version(tenant_id: int, key: str, version: int) -> Definition:
    """One version, locked until the transaction ends. Raises `DefinitionNotFound`."""
    versions = Definition.objects.for_tenant(tenant_id).filter(key=key, version=version)
    definition = versions.select_for_update(no_key=True).first()
    if definition is None:
        raise DefinitionNotFound
    return definition


def next_version(tenant_id: int, key: str) -> int:
    """The number after the last of the key, 1 for a new key. Another transaction may take it first."""
    latest = Definition.objects.for_tenant(tenant_id).filter(key=key).aggregate(latest=Max("version"))["latest"]
    return (latest or 0) + 1


def _start_signal(document: Raw) -> str:
    return str(document.get("start_on", {}).get("signal", ""))
