"""Every member of a body that names an object, with the name of another tenant's: as though it did not exist."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient

from tenants.models import Tenant
from tenants.models.api_key import Scope
from tenants.services import create_api_key, create_tenant
from tests.api.members import definition_members, text_members
from tests.api.named import DEFINITIONS, NAMED, OWN, Named
from tests.api.nameless import ALONE, OPEN, WORDS, reason_of
from tests.api.rich import Names, furnish
from tests.api.test_tenancy_sweep import contents
from tests.journeys import drain


@dataclass(frozen=True)
class Party:
    """A tenant that has everything, what it has, and how it speaks."""

    tenant: Tenant
    names: Names
    client: APIClient

    def ask(self, named: Named, name: Any, *, verb: str = "", path: str = "") -> Any:
        """The answer to a body that names `name`."""
        verb, path = (verb, path) if path else address(named)
        at = path.format(**{part: self.names[kind] for part, kind in (named.path or {}).items()})
        body = named.body(name, self.names)
        media = {"content_type": named.media} if named.media else {}
        return getattr(self.client, verb)(at, body, **media)


def address(named: Named) -> tuple[str, str]:
    """The verb and the path of a member; a definition's are asked for where definitions are made."""
    if named in DEFINITIONS:
        return "post", "/v1/definitions"
    verb, path, *_ = named.member.split()
    return verb, path


@pytest.fixture(scope="module")
def party() -> Callable[[str], Party]:
    """Makes tenants that have everything."""

    def make(prefix: str) -> Party:
        tenant, client = create_tenant(slug=f"t-{uuid.uuid4().hex[:20]}"), APIClient(raise_request_exception=False)
        token = create_api_key(tenant_id=tenant.pk, name="sweep", scopes=Scope.values).token
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return Party(tenant, furnish(client, tenant, prefix), client)

    return make


@pytest.fixture(scope="module")
def neighbour(party: Callable[[str], Party]) -> Party:
    """To whom everything belongs that is named."""
    return party("theirs")


@pytest.fixture(scope="module")
def asker(party: Callable[[str], Party]) -> Party:
    """Who names it."""
    return party("mine")


@pytest.fixture(scope="module")
def guest(party: Callable[[str], Party]) -> Party:
    """Who calls what is theirs by the same names."""
    return party("mine")


@pytest.fixture(scope="module")
def twin(party: Callable[[str], Party]) -> Party:
    """Who has all that the neighbour has, and may be changed."""
    return party("theirs")


def test_every_member_has_an_entry() -> None:
    """A new member of a body, or a new key of a step, is swept, or it is told why it names nothing."""
    members, named = {*text_members(), *definition_members()}, {one.member for one in NAMED}
    reasons = {member: reason_of(member) for member in members - named}

    assert {member for member, reason in reasons.items() if not reason} == set()
    assert named - members == set()
    assert {*WORDS, *OPEN, *ALONE} - {*reasons.values()} == set()


@pytest.mark.parametrize("named", [one for one in NAMED if one.status != OWN], ids=str)
def test_what_a_body_names_of_another_tenant_is_missing(named: Named, neighbour: Party, asker: Party) -> None:
    theirs = neighbour.names[named.kind]
    before, own = contents(neighbour.tenant), contents(asker.tenant)

    nobodys, answer = asker.ask(named, named.never), asker.ask(named, theirs)

    assert answer.status_code == named.status, answer.content
    assert nobodys.status_code == named.status, nobodys.content
    assert said_of(answer, theirs) == said_of(nobodys, named.never)
    assert contents(asker.tenant) == own
    assert contents(neighbour.tenant) == before


@pytest.mark.parametrize("named", [one for one in NAMED if one.status != OWN], ids=str)
def test_who_has_it_is_answered_otherwise(named: Named, twin: Party) -> None:
    """Or the refusal would prove nothing."""
    answer, nobodys = twin.ask(named, twin.names[named.kind]), twin.ask(named, named.never)

    assert answer.status_code < 300, answer.content
    assert said_of(answer, "") != said_of(nobodys, "")


@pytest.mark.parametrize("named", [one for one in NAMED if one.status == OWN], ids=str)
def test_a_name_that_every_tenant_gives_for_itself_reaches_no_other(
    named: Named, neighbour: Party, guest: Party
) -> None:
    before = contents(neighbour.tenant)

    answer = guest.ask(named, neighbour.names[named.kind])
    drain(guest.tenant)

    assert answer.status_code < 300, answer.content
    assert contents(neighbour.tenant) == before


def said_of(answer: Any, name: Any) -> Any:
    """What an answer says, but for what was asked for, the id of the request, and a plan, which says what was asked."""
    said = answer.json() | {"request_id": "", "plan": ""}
    return str(said).replace(str(name), "")
