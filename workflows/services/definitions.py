"""Saving, publishing and retiring definitions. A published version never changes: a change is another version."""

from typing import Any

from chimeway_py.errors import fault
from tenants.scope import tenant_scope
from workflows.definitions.diff import Change, diff
from workflows.definitions.errors import DefinitionNotFound, InvalidDefinition, WrongStatus
from workflows.definitions.validate import OURS, require_valid
from workflows.models.definition import Definition, DefinitionStatus, Step
from workflows.store.definition_rows import (
    Raw,
    insert_version,
    latest_published_with,
    lock_version,
    next_version,
    publish_draft,
    publish_unchanged,
    redraft,
    version_holding,
)


def save_draft(*, tenant_id: int, document: Raw) -> Definition:
    """The draft of the document's key, holding this document; the published version if that holds it already.

    The draft is one version after the last. Saving the same document again writes nothing. Raises `InvalidDefinition`.
    """
    with tenant_scope(tenant_id) as scope:
        require_valid(document, tenant_id)
        if document["key"] in OURS:
            told = fault("/key", "reserved", f"The key {document['key']!r} is ours; choose another.")
            raise InvalidDefinition("The definition has 1 fault.", [told])
        while True:  # a turn is repeated only when somebody else took the number meanwhile
            number = next_version(
                tenant_id, document["key"]
            )  # before looking: what is stored after it takes this number
            definition = redraft(tenant_id, document) or latest_published_with(tenant_id, document)
            if definition is None:
                definition = insert_version(scope, tenant_id, document, number)
            if definition is not None:
                return definition


def publish_definition(*, tenant_id: int, key: str, version: int) -> Definition:
    """The version, published and frozen from now on; publishing it again writes nothing.

    Raises `DefinitionNotFound`, `WrongStatus` for a retired version, and `InvalidDefinition`, because what the document
    refers to may have changed since it was saved.
    """
    with tenant_scope(tenant_id) as scope:
        definition = lock_version(tenant_id, key, version)
        if definition.status == DefinitionStatus.RETIRED:
            raise WrongStatus(f"{definition} is retired; publish a new version.")
        if definition.status == DefinitionStatus.DRAFT:
            require_valid(definition.document, tenant_id)
            publish_draft(scope, definition)
        return definition


def retire_definition(*, tenant_id: int, key: str, version: int) -> Definition:
    """The version, retired: it starts nothing new, and its runs go on. Retiring it again writes nothing.

    Raises `DefinitionNotFound`, and `WrongStatus` for a draft.
    """
    with tenant_scope(tenant_id) as scope:
        definition = lock_version(tenant_id, key, version)
        if definition.status == DefinitionStatus.DRAFT:
            raise WrongStatus(f"{definition} is a draft; only a published version can be retired.")
        if definition.status == DefinitionStatus.PUBLISHED:
            definition.status, definition.retired_at = DefinitionStatus.RETIRED, scope.now
            definition.save(update_fields=["status", "retired_at"])
        return definition


def ensure_definition(*, tenant_id: int, document: Raw, version: int | None = None) -> Definition:
    """A version that was published with this document: the one that holds it already, else a new one.

    Without `version`, any version of the key may hold it, and a new one comes after the last. Callers at the same time
    get the same row. Raises `VersionConflict` when `version` holds another document, and `InvalidDefinition`.
    """
    with tenant_scope(tenant_id) as scope:
        require_valid(document, tenant_id)
        while True:  # as in `save_draft`
            number = version or next_version(tenant_id, document["key"])
            definition = version_holding(tenant_id, document, version)
            if definition is None:
                definition = insert_version(scope, tenant_id, document, number, published=True)
            elif definition.status == DefinitionStatus.DRAFT:
                definition = publish_unchanged(scope, definition)
            if definition is not None:
                return definition


def fetch_definition(*, tenant_id: int, key: str, version: int | None = None) -> Definition:
    """One version of a definition; without `version` the latest that is published. Raises `DefinitionNotFound`."""
    with tenant_scope(tenant_id):
        versions = Definition.objects.for_tenant(tenant_id).filter(key=key)
        found = versions.published() if version is None else versions.filter(version=version)
        definition = found.order_by("-version").first()
    if definition is None:
        raise DefinitionNotFound
    return definition


def require_definition(*, tenant_id: int, key: str) -> None:
    """Raises `DefinitionNotFound` unless the tenant has some version of the key."""
    with tenant_scope(tenant_id):
        if not Definition.objects.for_tenant(tenant_id).filter(key=key).exists():
            raise DefinitionNotFound(f"No definition {key!r}.")


def latest_definitions(*, tenant_id: int, key: str | None = None) -> list[Definition]:
    """The last version of each key, drafts included, in order of key; of one key only, if given."""
    with tenant_scope(tenant_id):
        versions = Definition.objects.for_tenant(tenant_id).latest_first()
        return list((versions.filter(key=key) if key else versions).distinct("key"))


def persisted_workflow(*, tenant_id: int, definition: Definition) -> dict[str, Any]:
    """The document of a published version, its steps rebuilt from their rows. Equals the frozen document."""
    with tenant_scope(tenant_id):
        rows = Step.objects.filter(tenant_id=tenant_id, definition_id=definition.pk).order_by("position")
        return {**definition.document, "steps": [row.config for row in rows]}


def diff_definitions(*, tenant_id: int, key: str, from_version: int, to_version: int) -> list[Change]:
    """What changed between two versions of a key. Raises `DefinitionNotFound`."""
    with tenant_scope(tenant_id):
        before = fetch_definition(tenant_id=tenant_id, key=key, version=from_version)
        after = fetch_definition(tenant_id=tenant_id, key=key, version=to_version)
    return diff(before.document, after.document)
