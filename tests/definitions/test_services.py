"""Storing definitions: drafts, frozen versions, and many callers at once."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.definitions.documents import GRACE, LAST, TELL, document, wait
from workflows.definitions.errors import DefinitionNotFound, InvalidDefinition, VersionConflict, WrongStatus
from workflows.models import Definition, Step
from workflows.services import definitions

Together = Callable[..., list[Any]]


def versions(tenant: Tenant) -> list[tuple[int, str]]:
    with tenant_scope(tenant.pk):
        return list(Definition.objects.for_tenant(tenant.pk).order_by("version").values_list("version", "status"))


def test_saving_a_draft_again_writes_nothing(tenant: Tenant, django_assert_num_queries: Any) -> None:
    first = definitions.save_draft(tenant_id=tenant.pk, document=document())

    with tenant_scope(tenant.pk), django_assert_num_queries(4):  # savepoint, two looks, release: nothing is written
        second = definitions.save_draft(tenant_id=tenant.pk, document=document())

    assert (first.pk, first.version, first.status) == (second.pk, 1, "draft")
    assert first.start_signal == "invoice.failed"


def test_a_draft_changes_in_place_until_it_is_published(tenant: Tenant) -> None:
    definitions.save_draft(tenant_id=tenant.pk, document=document())
    definitions.save_draft(tenant_id=tenant.pk, document=document(deadline="P9D"))
    definitions.publish_definition(tenant_id=tenant.pk, key="dunning", version=1)

    same = definitions.save_draft(tenant_id=tenant.pk, document=document(deadline="P9D"))
    other = definitions.save_draft(tenant_id=tenant.pk, document=document(deadline="P10D"))

    assert (same.version, same.status) == (1, "published")
    assert (other.version, other.status) == (2, "draft")
    assert definitions.fetch_definition(tenant_id=tenant.pk, key="dunning").document == document(deadline="P9D")


def test_what_is_invalid_is_neither_saved_nor_ensured(tenant: Tenant) -> None:
    for verb in (definitions.save_draft, definitions.ensure_definition):
        with pytest.raises(InvalidDefinition) as refused:
            verb(tenant_id=tenant.pk, document=document(wait(on_timeout={"goto": "x"})))
        assert [one["path"] for one in refused.value.detail] == ["/steps/0/on_timeout/goto"]  # type: ignore[index]

    assert versions(tenant) == []


def test_publishing_judges_again(tenant: Tenant) -> None:
    draft = definitions.save_draft(tenant_id=tenant.pk, document=document())
    with tenant_scope(tenant.pk):  # as if a template it refers to had been taken away since
        Definition.objects.filter(pk=draft.pk).update(document=document(TELL | {"template": "gone"}))

    with pytest.raises(InvalidDefinition):
        definitions.publish_definition(tenant_id=tenant.pk, key="dunning", version=1)

    assert versions(tenant) == [(1, "draft")]


def test_publishing_writes_the_steps_once(tenant: Tenant) -> None:
    definitions.save_draft(tenant_id=tenant.pk, document=document())

    first = definitions.publish_definition(tenant_id=tenant.pk, key="dunning", version=1)
    second = definitions.publish_definition(tenant_id=tenant.pk, key="dunning", version=1)

    assert first.published_at == second.published_at
    with tenant_scope(tenant.pk):
        rows = list(
            Step.objects.filter(definition_id=first.pk).order_by("position").values_list("position", "key", "kind")
        )
    assert rows == [(1, "tell", "deliver"), (2, "grace", "wait"), (3, "last", "deliver")]
    assert definitions.persisted_workflow(tenant_id=tenant.pk, definition=first) == document()


def test_a_retired_version_starts_nothing_and_stays_retired(tenant: Tenant) -> None:
    definitions.ensure_definition(tenant_id=tenant.pk, document=document())

    retired = definitions.retire_definition(tenant_id=tenant.pk, key="dunning", version=1)
    again = definitions.retire_definition(tenant_id=tenant.pk, key="dunning", version=1)

    assert (retired.status, retired.retired_at) == ("retired", again.retired_at)
    with pytest.raises(DefinitionNotFound):
        definitions.fetch_definition(tenant_id=tenant.pk, key="dunning")
    with pytest.raises(WrongStatus):
        definitions.publish_definition(tenant_id=tenant.pk, key="dunning", version=1)


def test_a_draft_cannot_be_retired(tenant: Tenant) -> None:
    definitions.save_draft(tenant_id=tenant.pk, document=document())

    with pytest.raises(WrongStatus):
        definitions.retire_definition(tenant_id=tenant.pk, key="dunning", version=1)

    assert versions(tenant) == [(1, "draft")]


def test_ensuring_is_idempotent_and_publishes_a_draft(tenant: Tenant) -> None:
    draft = definitions.save_draft(tenant_id=tenant.pk, document=document())

    first = definitions.ensure_definition(tenant_id=tenant.pk, document=document())
    second = definitions.ensure_definition(tenant_id=tenant.pk, document=document(), version=1)
    other = definitions.ensure_definition(tenant_id=tenant.pk, document=document(TELL))

    assert draft.pk == first.pk == second.pk
    assert versions(tenant) == [(1, "published"), (2, "published")]
    assert definitions.persisted_workflow(tenant_id=tenant.pk, definition=other) == document(TELL)


def test_another_document_under_the_same_version_is_a_conflict(tenant: Tenant) -> None:
    definitions.ensure_definition(tenant_id=tenant.pk, document=document(), version=3)

    with pytest.raises(VersionConflict) as refused:
        definitions.ensure_definition(tenant_id=tenant.pk, document=document(TELL), version=3)

    assert (refused.value.code, refused.value.status) == ("version_conflict", 409)
    assert versions(tenant) == [(3, "published")]


@pytest.mark.parametrize("verb", [definitions.ensure_definition, definitions.save_draft])
def test_eight_callers_with_one_document_get_one_version(new_tenant: Any, together: Together, verb: Any) -> None:
    for _ in range(10):
        tenant = new_tenant()

        rows = together(*[lambda tenant=tenant: verb(tenant_id=tenant.pk, document=document())] * 8)

        assert {row.version for row in rows} == {1}
        ((version, _status),) = versions(tenant)
        assert version == 1


def test_eight_callers_with_eight_documents_get_eight_versions(tenant: Tenant, together: Together) -> None:
    documents = [document(deadline=f"P{days}D") for days in range(1, 9)]

    together(*[lambda one=one: definitions.ensure_definition(tenant_id=tenant.pk, document=one) for one in documents])

    assert versions(tenant) == [(number, "published") for number in range(1, 9)]


def test_eight_callers_with_eight_documents_for_one_version_have_one_winner(tenant: Tenant, together: Together) -> None:
    documents = [document(deadline=f"P{days}D") for days in range(1, 9)]

    answers = together(
        *[
            lambda one=one: definitions.ensure_definition(tenant_id=tenant.pk, document=one, version=1)
            for one in documents
        ]
    )

    assert sum(isinstance(answer, Definition) for answer in answers) == 1
    assert sum(isinstance(answer, VersionConflict) for answer in answers) == 7
    assert versions(tenant) == [(1, "published")]


def test_saving_and_publishing_at_once_never_changes_what_was_published(tenant: Tenant, together: Together) -> None:
    for days in range(1, 9):
        draft = definitions.save_draft(tenant_id=tenant.pk, document=document(deadline=f"P{days}D"))

        together(
            lambda version=draft.version: definitions.publish_definition(
                tenant_id=tenant.pk, key="dunning", version=version
            ),
            lambda days=days: definitions.save_draft(tenant_id=tenant.pk, document=document(deadline=f"PT{days}H")),
        )

        stored = definitions.fetch_definition(tenant_id=tenant.pk, key="dunning", version=draft.version)
        assert stored.status == "published"
        assert definitions.persisted_workflow(tenant_id=tenant.pk, definition=stored) == stored.document
        for row in definitions.latest_definitions(tenant_id=tenant.pk):
            if row.status == "draft":
                definitions.publish_definition(tenant_id=tenant.pk, key=row.key, version=row.version)


def test_tenants_share_keys_and_nothing_else(tenant: Tenant, other_tenant: Tenant) -> None:
    definitions.ensure_definition(tenant_id=tenant.pk, document=document())

    with pytest.raises(DefinitionNotFound):
        definitions.fetch_definition(tenant_id=other_tenant.pk, key="dunning", version=1)
    with pytest.raises(DefinitionNotFound):
        definitions.publish_definition(tenant_id=other_tenant.pk, key="dunning", version=1)
    assert definitions.ensure_definition(tenant_id=other_tenant.pk, document=document(TELL)).version == 1


def test_versions_are_compared(tenant: Tenant) -> None:
    definitions.ensure_definition(tenant_id=tenant.pk, document=document(TELL, GRACE))
    definitions.ensure_definition(tenant_id=tenant.pk, document=document(TELL, GRACE, LAST))

    (change,) = definitions.diff_definitions(tenant_id=tenant.pk, key="dunning", from_version=1, to_version=2)

    assert (change.kind, change.path) == ("added", "/steps/last")


def test_the_latest_of_each_key(tenant: Tenant) -> None:
    for key in ("b", "a", "b"):
        found = definitions.latest_definitions(tenant_id=tenant.pk, key=key)
        deadline = f"P{len(found) + 1}D"
        definitions.ensure_definition(tenant_id=tenant.pk, document=document(key=key, deadline=deadline))

    assert [str(row) for row in definitions.latest_definitions(tenant_id=tenant.pk)] == ["a v1", "b v2"]


@pytest.mark.parametrize("change", [{"version": 9}, {"document": {}}, {"status": "draft"}, {"checksum": "0" * 64}])
def test_the_database_refuses_to_change_a_published_version(tenant: Tenant, change: dict[str, Any]) -> None:
    definition = definitions.ensure_definition(tenant_id=tenant.pk, document=document())

    with pytest.raises(DatabaseError, match="never changes"), tenant_scope(tenant.pk):
        Definition.objects.filter(pk=definition.pk).update(**change)
    with pytest.raises(DatabaseError, match="never changes"), tenant_scope(tenant.pk):
        Definition.objects.filter(pk=definition.pk).delete()
