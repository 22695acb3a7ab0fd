"""The version that an imported run stands on: the one that is here already, or a copy that starts nothing."""

from collections.abc import Mapping
from typing import Any

from tenants.scope import Scope
from workflows.definitions.checksum import checksum
from workflows.definitions.errors import InvalidDefinition
from workflows.definitions.validate import validate
from workflows.models import Definition, DefinitionStatus
from workflows.store.definition_rows import insert_version, next_version


def definition_for(scope: Scope, tenant_id: int, exported: Mapping[str, Any]) -> Definition:
    """A version of the key with the exported document, in the tenant's scope.

    One that is not here yet is stored as retired, so that importing a run never makes signals start new ones; under
    its own number if that is free. Raises `InvalidDefinition` for a document that this service cannot run.
    """
    document = exported["document"]
    faults = validate(document)
    if faults:
        raise InvalidDefinition(detail=faults)
    versions = Definition.objects.for_tenant(tenant_id).filter(key=document["key"])
    found = versions.exclude(status=DefinitionStatus.DRAFT).filter(checksum=checksum(document)).first()
    while found is None:  # again only when somebody else just took the number
        number = int(exported["version"])
        if versions.filter(version=number).exists():
            number = next_version(tenant_id, document["key"])
        found = insert_version(scope, tenant_id, document, number, published=True)
        if found is not None:
            found.status, found.retired_at = DefinitionStatus.RETIRED, scope.now
            found.save(update_fields=["status", "retired_at"])
    return found
