"""Every member of a body that names an object, with the name of another tenant's: as though it did not exist."""

from typing import Any

import pytest

from tests.api.members import definition_members, text_members
from tests.api.named import DEFINITIONS, NAMED, OWN, Named
from tests.api.nameless import ALONE, OPEN, WORDS, reason_of
from tests.api.rich import Party, make_party
from tests.api.test_tenancy_sweep import contents
from tests.journeys import drain


def ask(party: Party, named: Named, name: Any) -> Any:
    """The answer to a body of `party` that names `name`; keys of definitions are asked for where they are made."""
    verb, path, *_ = ["post", "/v1/definitions"] if named in DEFINITIONS else named.member.split()
    at = path.format(**{part: party.names[kind] for part, kind in (named.path or {}).items()})
    return party.ask(verb, at, named.body(name, party.names), named.media)


@pytest.fixture(scope="module")
def neighbour() -> Party:
    """To whom everything belongs that is named."""
    return make_party("theirs")


@pytest.fixture(scope="module")
def asker() -> Party:
    """Who names it."""
    return make_party("mine")


@pytest.fixture(scope="module")
def guest() -> Party:
    """Who calls what is theirs by the same names."""
    return make_party("mine")


@pytest.fixture(scope="module")
def twin() -> Party:
    """Who has all that the neighbour has, and may be changed."""
    return make_party("theirs")


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

    nobodys, answer = ask(asker, named, named.never), ask(asker, named, theirs)

    assert answer.status_code == named.status, answer.content
    assert nobodys.status_code == named.status, nobodys.content
    assert said_of(answer, theirs) == said_of(nobodys, named.never)
    assert contents(asker.tenant) == own
    assert contents(neighbour.tenant) == before


@pytest.mark.parametrize("named", [one for one in NAMED if one.status != OWN], ids=str)
def test_who_has_it_is_answered_otherwise(named: Named, twin: Party) -> None:
    """Or the refusal would prove nothing."""
    answer, nobodys = ask(twin, named, twin.names[named.kind]), ask(twin, named, named.never)

    assert answer.status_code < 300, answer.content
    assert said_of(answer, "") != said_of(nobodys, "")


@pytest.mark.parametrize("named", [one for one in NAMED if one.status == OWN], ids=str)
def test_a_name_that_every_tenant_gives_for_itself_reaches_no_other(
    named: Named, neighbour: Party, guest: Party
) -> None:
    before = contents(neighbour.tenant)

    answer = ask(guest, named, neighbour.names[named.kind])
    drain(guest.tenant)

    assert answer.status_code < 300, answer.content
    assert contents(neighbour.tenant) == before


def said_of(answer: Any, name: Any) -> Any:
    """What an answer says, but for what was asked for, the id of the request, and a plan, which says what was asked."""
    said = answer.json() | {"request_id": "", "plan": ""}
    return str(said).replace(str(name), "")
