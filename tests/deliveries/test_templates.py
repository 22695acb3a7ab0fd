"""Stored templates: versions that freeze, locales that give way, layouts, and what is found before anybody is told."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, transaction
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.errors import Invalid
from deliveries.locales import best_locale
from deliveries.models import Delivery, Template, TemplateVersion
from deliveries.services import put_template
from deliveries.services.template_trying import Sample, preview_template
from deliveries.services.templates import publish_template
from deliveries.services.words import TEST_RUNS
from tenants.models import Tenant
from tests.deliveries.conftest import Journey
from workflows.definitions.errors import InvalidDefinition
from workflows.models import Run
from workflows.services.definitions import ensure_definition

EMAIL = {"channel": "email", "template": "hello", "to": "data.email"}
HELLO = {"subject": "Hello {{ data.name }}", "text": "Hello {{ data.name }}", "html": "<p>Hello {{ data.name }}</p>"}
DE = {"subject": "Hallo {{ data.name }}", "text": "Hallo", "html": ""}
AT = {"subject": "Servus {{ data.name }}", "text": "Servus", "html": ""}
FRAME = {"text": "{{ content }}\n-- \nAcme", "html": "<main>{{ content }}</main><footer>{{ run.subject }}</footer>"}
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "nick": {"type": "string"},
        "card": {"type": "object", "properties": {"last4": {"type": "string"}}, "required": ["last4"]},
        "items": {"type": "array", "items": {"type": "object", "properties": {"sku": {}}, "required": ["sku"]}},
        "open": {"type": "object"},
        "either": {"anyOf": [{"type": "object"}, {"type": "string"}]},
    },
    "required": ["name", "card", "items", "open", "either"],
}


def put(tenant: Tenant, key: str = "hello", channel: str = "email", **words: Any) -> Template:
    return put_template(tenant_id=tenant.pk, key=key, channel=channel, **(HELLO | words))[0]


def subjects_to(mailbox: Mailbox, address: str) -> list[str]:
    return [str(mail["Subject"]) for mail in mailbox.to(address)]


def versions(journey: Journey) -> list[tuple[int, str]]:
    rows = TemplateVersion.objects.filter(tenant_id=journey.tenant.pk).order_by("template_id", "number")
    return journey.read(lambda: list(rows.values_list("number", "status")))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("de-AT", "de-AT"),
        ("de-at", "de-AT"),
        ("de-CH", "de"),
        ("de-AT-1996", "de-AT"),
        ("de", "de"),
        ("d", ""),
        ("den", ""),
        ("fr", ""),
        ("", ""),
        ("-", ""),
    ],
)
def test_a_locale_gives_way_to_the_wider_one(wanted: str, found: str) -> None:
    assert best_locale(wanted, ["de", "de-AT", "en"]) == found


def test_everybody_is_told_in_their_own_words(journey: Journey, smtp_sink: Mailbox) -> None:
    put(journey.tenant, locales={"de": DE, "de-AT": AT})
    journey.publish({**EMAIL, "locale": "data.locale"})
    told = {}
    for number, locale in enumerate(["de_AT", "de-CH", "fr", None]):
        address = f"locale{number}@example.com"
        run = journey.start("bob", name="Bob", email=address, locale=locale)
        journey.work()
        told[locale] = subjects_to(smtp_sink, address), journey.delivery(run).locale

    assert told == {
        "de_AT": (["Servus Bob"], "de-AT"),
        "de-CH": (["Hallo Bob"], "de"),
        "fr": (["Hello Bob"], ""),
        None: (["Hello Bob"], ""),
    }


def test_html_is_escaped_once_and_text_never(journey: Journey, smtp_sink: Mailbox) -> None:
    put(journey.tenant, "frame", **FRAME, subject="", is_layout=True)
    put(journey.tenant, layout="frame")
    journey.publish(EMAIL)
    journey.start("<b>eve</b>", name="<i>Bob & Co</i>", email="escaped@example.com")
    journey.work()

    (mail,) = smtp_sink.to("escaped@example.com")
    text, html = (part.get_content() for part in mail.iter_parts())
    assert text.replace("\r\n", "\n").strip() == "Hello <i>Bob & Co</i>\n-- \nAcme"
    assert html.strip() == (
        "<main><p>Hello &lt;i&gt;Bob &amp; Co&lt;/i&gt;</p></main><footer>&lt;b&gt;eve&lt;/b&gt;</footer>"
    )


def test_a_draft_changes_nothing_until_it_is_published(journey: Journey, smtp_sink: Mailbox) -> None:
    put(journey.tenant)
    journey.publish(EMAIL)
    put(journey.tenant, subject="Draft", draft=True)
    put(journey.tenant, subject="Better draft", draft=True)
    before = versions(journey)
    run = journey.start("bob", name="Bob", email="drafted@example.com")
    journey.work()
    publish_template(tenant_id=journey.tenant.pk, key="hello", channel="email")
    journey.start("bob", name="Bob", email="drafted@example.com")
    journey.work()

    assert before == [(1, "published"), (2, "draft")]
    assert versions(journey) == [(1, "published"), (2, "published")]
    assert subjects_to(smtp_sink, "drafted@example.com") == ["Hello Bob", "Better draft"]
    assert journey.delivery(run).template_version == 1


@pytest.mark.parametrize("change", [{"wordings": {}}, {"status": "draft"}, {"layout": "x"}, {"number": 9}])
def test_a_published_version_never_changes(change: dict[str, Any], journey: Journey) -> None:
    put(journey.tenant)
    rows = TemplateVersion.objects.filter(tenant_id=journey.tenant.pk)

    def alter() -> None:
        with transaction.atomic():
            rows.update(**change)

    with pytest.raises(ProgrammingError, match="never changes"):
        journey.read(alter)
    with pytest.raises(ProgrammingError, match="never changes"):
        journey.read(lambda: rows._raw_delete("default"))


def test_every_try_of_a_message_says_the_same(journey: Journey, smtp_sink: Mailbox) -> None:
    put(journey.tenant)
    journey.publish({**EMAIL, "retry": {"initial": "PT0S"}})
    smtp_sink.answer("tried@example.com", "451 4.2.0 later")
    tried = journey.start("bob", name="Bob", email="tried@example.com")
    planned = journey.start("bob", name="Bob", email="planned@example.com")
    _try_once(journey, tried)
    put(journey.tenant, subject="New words")
    smtp_sink.answer_normally()
    journey.work()

    assert subjects_to(smtp_sink, "tried@example.com") == ["Hello Bob"]
    assert subjects_to(smtp_sink, "planned@example.com") == ["New words"]
    assert [journey.delivery(run).template_version for run in (tried, planned)] == [1, 2]


def _try_once(journey: Journey, run: Run) -> None:
    from workflows.services.work import claim_work, finish_work, perform

    step_run_id = journey.delivery(run).step_run_id
    claim = claim_work(tenant_id=journey.tenant.pk, worker="test", step_run_id=step_run_id)
    assert claim is not None
    finish_work(claim=claim, outcome=perform(claim))


def test_a_step_may_fix_the_version(journey: Journey, smtp_sink: Mailbox) -> None:
    put(journey.tenant)
    put(journey.tenant, subject="Second")
    journey.publish({**EMAIL, "template_version": 1})
    journey.start("bob", name="Bob", email="fixed@example.com")
    journey.work()

    assert subjects_to(smtp_sink, "fixed@example.com") == ["Hello Bob"]
    with pytest.raises(InvalidDefinition) as refused:
        journey.publish({**EMAIL, "template_version": 7})
    assert [one["code"] for one in refused.value.detail] == ["unknown_template"]


MISSES = [
    # (source, the codes of its faults)
    ("{{ data.nmae }}", ["undeclared_variable"]),
    ("{{ data.nick }}", ["optional_variable"]),
    ("{{ data.nick | default: 'you' }}", []),
    ("{% if data.nick %}{{ data.nick }}{% endif %}", []),
    ("{{ data.card.last4 }} {{ data.card.first4 }}", ["undeclared_variable"]),
    ("{{ data.items[0].sku }} {{ data.items[0].price }}", ["undeclared_variable"]),
    ("{% for one in data.items %}{{ one.whatever }}{% endfor %}{{ data.items.size }}", []),
    ("{{ data.open.anything }} {{ data.either.x }}", []),
    ("{{ run.subject }}", []),
    ("{% assign x = data.lost %}{{ x }}", ["undeclared_variable"]),
]


@pytest.mark.parametrize(("source", "codes"), MISSES)
def test_what_runs_will_not_have_is_found_at_publish(source: str, codes: list[str], journey: Journey) -> None:
    document = {
        "key": journey.key,
        "data_schema": SCHEMA,
        "templates": {"hello": {"text": source}},
        "steps": [{"key": "s", "kind": "deliver", **EMAIL, "to": {"const": "a@example.com"}}],
    }

    assert _faults_of(journey, document) == [("/templates/hello/text", code) for code in codes]
    put(journey.tenant, subject="", text=source, html="", locales={"de": DE})
    stored = {**document, "templates": {}}
    assert _faults_of(journey, stored) == [("/steps/0/template", code) for code in codes]


def _faults_of(journey: Journey, document: dict[str, Any]) -> list[tuple[str, str]]:
    try:
        ensure_definition(tenant_id=journey.tenant.pk, document=document)
    except InvalidDefinition as refused:
        return [(one["path"], one["code"]) for one in refused.detail]  # type: ignore[index]
    return []


def test_without_a_schema_nothing_is_held_against_a_template(journey: Journey) -> None:
    journey.publish(EMAIL, templates={"hello": {"text": "{{ data.anything }}"}})


def test_a_template_is_held_against_the_definitions_that_use_it(journey: Journey, other_tenant: Tenant) -> None:
    put(journey.tenant)
    steps = [{"key": "s", "kind": "deliver", **EMAIL, "to": {"const": "a@example.com"}}]
    ensure_definition(tenant_id=journey.tenant.pk, document={"key": journey.key, "data_schema": SCHEMA, "steps": steps})

    with pytest.raises(Invalid) as refused:
        put(journey.tenant, locales={"de": {"text": "{{ data.nmae }}"}})

    assert [(one["path"], one["code"]) for one in refused.value.detail] == [  # type: ignore[index]
        ("/locales/de/text", "undeclared_variable")
    ]
    assert journey.key in str(refused.value.detail)
    assert versions(journey) == [(1, "published")]
    put(other_tenant, text="{{ data.nmae }}")


def test_a_layout_is_held_against_the_definitions_whose_messages_are_put_into_it(journey: Journey) -> None:
    owner = journey.tenant
    steps = [{"key": "s", "kind": "deliver", **EMAIL, "to": {"const": "a@example.com"}}]
    document = {"key": journey.key, "data_schema": SCHEMA, "steps": steps}
    nope: dict[str, Any] = {"subject": "", "text": "{{ data.nope }} {{ content }}", "html": "", "is_layout": True}
    put(owner, "frame", **FRAME, subject="", is_layout=True)
    put(owner, "bad", **nope)
    put(owner, "letter", **{**nope, "text": "{{ content }}", "html": nope["text"]})

    put(owner, layout="bad")
    with pytest.raises(InvalidDefinition) as first:  # the definition
        ensure_definition(tenant_id=owner.pk, document=document)
    put(owner, html="", layout="letter")  # of which a message without HTML never sees the HTML
    ensure_definition(tenant_id=owner.pk, document=document)
    put(owner, html="", layout="frame")
    with pytest.raises(Invalid) as second:  # the template in use
        put(owner, html="", layout="bad")
    with pytest.raises(Invalid) as third:  # the layout in use
        put(owner, "frame", **{**nope, "locales": {"de": {"text": "{{ content }} {{ data.nope }}"}}})

    for refused, paths, named in [
        (first, ["/steps/0/template"], ["bad"]),
        (second, ["/layout"], ["bad", journey.key]),
        (third, ["/locales/de/text", "/text"], ["frame", "hello", journey.key]),
    ]:
        told = refused.value.detail
        assert isinstance(told, list)
        assert sorted(one["path"] for one in told) == paths
        assert all(one["code"] == "undeclared_variable" for one in told)
        assert all(word in one["message"] for one in told for word in [*named, "data.nope"])
    frame = TemplateVersion.objects.filter(tenant_id=owner.pk, template__key="frame")
    assert journey.read(frame.count) == 1


BAD = [
    ({"locales": {"DE": {"text": "t"}}}, "/locales/DE"),
    ({"locales": {"default": {"text": ""}}}, ""),
    ({"locales": {"de": {"text": ""}}}, "/locales/de/text"),
    ({"locales": {"de": {"text": "{{ x }}"}}}, "/locales/de/text"),
    ({"text": "{{ content }}"}, "/text"),
    ({"layout": "nowhere"}, "/layout"),
    ({"layout": "hello_text"}, "/layout"),
    ({"is_layout": True, "subject": "", "text": "no place"}, "/text"),
    ({"is_layout": True, "subject": "s", "text": "{{ content }}"}, "/subject"),
    ({"is_layout": True, "subject": "", "text": "{{ content }}", "html": "", "layout": "frame"}, "/layout"),
    ({"locales": {f"a{n:02}"[:2] + "-x" + str(n): {"text": "t"} for n in range(10, 90)}}, "/locales"),
]


@pytest.mark.parametrize(("words", "path"), BAD)
def test_what_cannot_be_is_refused_by_its_place(
    words: dict[str, Any], path: str, journey: Journey, rest: APIClient
) -> None:
    put(journey.tenant, "frame", **FRAME, subject="", is_layout=True)
    put(journey.tenant, "hello_text")
    before = versions(journey)

    answer = rest.put("/v1/templates/new", {"channel": "email", **HELLO, **words})

    if path:
        assert answer.status_code == 400, answer.content
        assert path in [one["path"] for one in answer.json()["detail"]]
        assert versions(journey) == before
    else:
        assert answer.status_code in (201, 400)


def test_a_key_is_a_layout_or_a_template(journey: Journey, rest: APIClient) -> None:
    put(journey.tenant)

    answer = rest.put("/v1/templates/hello", {"channel": "email", "text": "{{ content }}", "is_layout": True})

    assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, "/is_layout")


def test_drafts_versions_and_publishing_by_rest(
    rest: APIClient, client_of: Callable[..., APIClient], other_tenant: Tenant
) -> None:
    rest.put("/v1/templates/hello", {"channel": "email", **HELLO, "draft": True})
    first = rest.get("/v1/templates/hello").json()["items"][0]
    published = rest.post("/v1/templates/hello/publish", {"channel": "email"})
    rest.put("/v1/templates/hello", {"channel": "email", **HELLO, "locales": {"de": DE}, "draft": True})
    second = rest.get("/v1/templates/hello").json()["items"][0]
    shown = rest.get("/v1/templates/hello/versions", {"channel": "email"}).json()["items"]
    undone = rest.put("/v1/templates/hello", {"channel": "email", **HELLO})
    again = rest.post("/v1/templates/hello/publish", {"channel": "email"})

    assert (first["version"], first["status"], first["draft"]) == (1, "draft", 1)
    assert (published.status_code, published.json()["status"], published.json()["draft"]) == (200, "published", None)
    assert (second["version"], second["draft"], second["locales"]) == (1, 2, [])
    assert [(one["version"], one["status"], list(one["locales"])) for one in shown] == [
        (2, "draft", ["de"]),
        (1, "published", []),
    ]
    assert undone.json()["draft"] is None  # what was asked for is published already
    assert (again.status_code, again.json()["code"]) == (409, "no_draft")
    theirs = client_of(other_tenant)
    assert theirs.post("/v1/templates/hello/publish", {"channel": "email"}).status_code == 404
    assert theirs.get("/v1/templates/hello/versions", {"channel": "email"}).status_code == 404
    assert rest.get("/v1/templates/hello/versions", {"channel": "\0"}).status_code == 404


def test_a_preview_says_what_a_message_would_and_keeps_nothing(rest: APIClient, journey: Journey) -> None:
    rest.put("/v1/templates/frame", {"channel": "email", **FRAME, "is_layout": True})
    rest.put("/v1/templates/hello", {"channel": "email", **HELLO, "layout": "frame", "locales": {"de": DE}})
    asked = {"channel": "email", "data": {"name": "Bob"}}

    shown = rest.post("/v1/templates/hello/preview", asked).json()
    german = rest.post("/v1/templates/hello/preview", {**asked, "locale": "de-LI"}).json()
    missing = rest.post("/v1/templates/hello/preview", {"channel": "email"})

    assert (shown["version"], shown["layout_version"], shown["locale"]) == (1, 1, "")
    assert shown["content"]["html"] == "<main><p>Hello Bob</p></main><footer>sample</footer>"
    assert (german["locale"], german["content"]["subject"]) == ("de", "Hallo Bob")
    assert missing.status_code == 400
    assert "undefined variable: data.name" in missing.json()["detail"][0]["message"]
    assert journey.read(lambda: Delivery.objects.filter(tenant_id=journey.tenant.pk).count()) == 0


DIGEST = {
    "subject": "{{ steps.collect.count }} for {{ run.correlation.post }}",
    "text": "{% for item in steps.collect.items %}{{ item.who }} {% endfor %}{{ coalesced.count }}",
    "html": "{{ recipient.attributes.name }}",
}
SAMPLE: dict[str, Any] = {
    "channel": "email",
    "subject": "ada",
    "steps": {"collect": {"count": 2, "items": [{"who": "bob"}, {"who": "eve"}]}},
    "coalesced": {"count": 3},
    "correlation": {"post": "p1"},
}


def test_a_sample_says_all_that_a_template_sees(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    rest.put("/v1/recipients/ada", {"attributes": {"name": "Ada"}})
    rest.put("/v1/templates/digest", {"channel": "email", **DIGEST})

    shown = rest.post("/v1/templates/digest/preview", SAMPLE).json()
    sent = rest.post("/v1/templates/digest/test", {**SAMPLE, "to": "digest@example.com"})
    journey.work()
    journey.work()

    assert shown["content"] == {"subject": "2 for p1", "text": "bob eve 3", "html": "Ada"}
    assert sent.status_code == 202
    (mail,) = smtp_sink.to("digest@example.com")
    assert (str(mail["Subject"]), mail.get_body(("plain",)).get_content().strip()) == ("2 for p1", "bob eve 3")
    for lacking, path in [("steps", "/steps"), ("correlation", "/correlation"), ("subject", "/subject")]:
        less = {name: value for name, value in SAMPLE.items() if name != lacking}
        refused = rest.post("/v1/templates/digest/preview", less)
        assert (refused.status_code, refused.json()["detail"][0]["path"]) == (400, path)


def test_the_reader_of_a_preview_is_the_reader_of_the_message(
    rest: APIClient, journey: Journey, smtp_sink: Mailbox
) -> None:
    locales = {"de": DE, "de-AT": {"text": "Servus"}, "fr": {"text": "Salut"}}
    rest.put("/v1/templates/hello", {"channel": "email", **HELLO, "locales": locales})
    rest.put("/v1/recipients/ada", {"locale": "de-AT"})
    journey.publish({**EMAIL, "locale": "data.locale"})
    shown, tried, sent = [], [], []

    readers = [("ada", ""), ("bob", "de_AT"), ("ada", "fr"), ("bob", "de-ch"), ("bob", "")]
    for number, (subject, locale) in enumerate(readers):
        asked = {"channel": "email", "subject": subject, "locale": locale, "data": {"name": "Bob"}}
        preview = rest.post("/v1/templates/hello/preview", asked).json()
        shown.append((preview["locale"], preview["content"]["subject"]))
        test = rest.post("/v1/templates/hello/test", {**asked, "to": f"tried{number}@example.com"}).json()
        run = journey.start(subject, name="Bob", email=f"sent{number}@example.com", locale=locale)
        journey.work()
        journey.work()
        (subject_line,) = subjects_to(smtp_sink, f"tried{number}@example.com")
        tried.append((rest.get(f"/v1/deliveries?run={test['run_id']}").json()["items"][0]["locale"], subject_line))
        (subject_line,) = subjects_to(smtp_sink, f"sent{number}@example.com")
        sent.append((journey.delivery(run).locale, subject_line))

    # a locale without a subject has that of the locale it gives way to
    expected = [("de-AT", "Hallo Bob")] * 2 + [("fr", "Hello Bob"), ("de", "Hallo Bob"), ("", "Hello Bob")]
    assert shown == tried == sent == expected


def test_a_line_break_in_a_value_makes_no_second_line_of_a_subject(
    rest: APIClient, journey: Journey, smtp_sink: Mailbox
) -> None:
    rest.put("/v1/templates/hello", {"channel": "email", "subject": "Hello {{ data.name }}", "text": "t"})
    journey.publish(EMAIL)
    address = f"{journey.key}@example.com"
    names = ["Bob\r\n Bcc: x@example.com", "Bob\u2028\n\n & Co"]

    shown = [
        rest.post("/v1/templates/hello/preview", {"channel": "email", "data": {"name": name}}).json() for name in names
    ]
    runs = [journey.start("bob", name=name, email=address) for name in names]
    journey.work()

    said = ["Hello Bob Bcc: x@example.com", "Hello Bob & Co"]
    assert [one["content"]["subject"] for one in shown] == said
    assert [journey.delivery(run).status for run in runs] == ["delivered"] * 2
    assert sorted(subjects_to(smtp_sink, address)) == sorted(said)


def test_a_test_goes_the_way_of_every_message(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    rest.put("/v1/templates/hello", {"channel": "email", **HELLO, "locales": {"de": DE}, "draft": True})
    asked = {"channel": "email", "data": {"name": "Bob"}, "locale": "de", "to": "me@example.com"}

    sent = rest.post("/v1/templates/hello/test", asked)
    again = rest.post("/v1/templates/hello/test", asked)
    journey.work()
    journey.work()

    assert (sent.status_code, again.status_code) == (202, 202)
    assert subjects_to(smtp_sink, "me@example.com") == ["Hallo Bob"] * 2
    run = rest.get(f"/v1/runs/{sent.json()['run_id']}").json()
    assert (run["workflow"], run["state"]) == (TEST_RUNS, "completed")
    assert [d["version"] for d in rest.get("/v1/definitions").json()["items"] if d["key"] == TEST_RUNS] == [1]


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"to": ""}, "/to"),
        ({"to": "nope"}, "/to"),
        ({"to": "me@example.com", "correlation": {"post": {}}}, "/correlation/post"),
        ({"to": "me@example.com", "data": {}}, "/data"),
        ({"to": "x", "channel": "webhook"}, "/channel"),
    ],
)
def test_a_test_that_could_not_be_sent_starts_nothing(
    asked: dict[str, Any], path: str, rest: APIClient, journey: Journey
) -> None:
    put(journey.tenant)
    put(journey.tenant, channel="webhook")

    answer = rest.post("/v1/templates/hello/test", {"channel": "email", "data": {"name": "Bob"}} | asked)

    assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, path)
    assert journey.read(lambda: Run.objects.for_tenant(journey.tenant.pk).count()) == 0


def test_the_command_pushes_publishes_previews_and_tries(
    tenant: Tenant, journey: Journey, smtp_sink: Mailbox, tmp_path: Path
) -> None:
    files = tmp_path / "words.yaml"
    files.write_text(
        "hello: {email: {subject: 'Hello {{ data.name }}', text: t, layout: frame, locales: {de: {text: d}}}}\n"
        "frame: {email: {text: '[{{ content }}]', is_layout: true}}\n"
    )
    data = tmp_path / "data.json"
    data.write_text('{"name": "Bob"}')
    one = ["hello", "--channel", "email", "--tenant", tenant.slug]

    def said(*words: str) -> str:
        out = StringIO()
        call_command("templates", *words, stdout=out)
        return out.getvalue()

    said("push", str(files), "--tenant", tenant.slug)
    assert said("preview", *one, "--data", str(data), "--locale", "de").strip() == "Hello Bob\n\n[d]"
    files.write_text("hello: {email: {subject: 'Draft {{ data.name }}', text: t}}\n")
    said("push", str(files), "--draft", "--tenant", tenant.slug)
    assert "version 2" in said("publish", *one)
    said("test", *one, "--data", str(data), "--to", "cli@example.com")
    journey.work()
    journey.work()
    assert subjects_to(smtp_sink, "cli@example.com") == ["Draft Bob"]
    steps = tmp_path / "steps.yaml"
    steps.write_text("collect: {count: 2}\n")
    files.write_text("counted: {email: {text: '{{ steps.collect.count }} {{ recipient.id }}'}}\n")
    said("push", str(files), "--tenant", tenant.slug)
    assert said("preview", "counted", *one[1:], "--steps", str(steps), "--subject", "ada").strip() == "2 ada"
    with pytest.raises(CommandError, match="undefined variable"):
        said("preview", *one)
    for wrong in ("{email: {text: 1}}", "{email: {text: t, colour: red}}", "{email: {text: t, locales: {de: d}}}"):
        files.write_text(f"hello: {wrong}\n")
        with pytest.raises(CommandError, match="Nothing was stored"):
            said("push", str(files), "--tenant", tenant.slug)


def test_a_preview_of_what_is_not_there_is_not_found(tenant: Tenant, other_tenant: Tenant) -> None:
    from chimeway_py.errors import NotFound

    put(tenant)
    for owner, version in ((tenant, 9), (other_tenant, None)):
        with pytest.raises(NotFound):
            preview_template(tenant_id=owner.pk, key="hello", channel="email", sample=Sample(version=version))


def test_the_same_key_in_two_tenants_shares_nothing(
    tenant: Tenant, other_tenant: Tenant, journey: Journey, smtp_sink: Mailbox
) -> None:
    put(tenant, subject="Ours")
    put(other_tenant, subject="Theirs")
    theirs = Journey(other_tenant)
    for one, address in ((journey, "ours@example.com"), (theirs, "theirs@example.com")):
        one.publish(EMAIL)
        one.start("bob", name="Bob", email=address)
        one.work()

    assert subjects_to(smtp_sink, "ours@example.com") == ["Ours"]
    assert subjects_to(smtp_sink, "theirs@example.com") == ["Theirs"]


def test_a_template_in_use_is_retired_by_force_alone_and_comes_back(
    tenant: Tenant, rest: APIClient, journey: Journey, smtp_sink: Mailbox
) -> None:
    put(tenant, subject="Old")
    journey.publish(EMAIL, {"channel": "in_app", "template": "own"}, templates={"own": {"title": "t", "text": "t"}})
    asked = {"channel": "email"}

    refused = rest.post("/v1/templates/hello/retire", asked)
    forced = rest.post("/v1/templates/hello/retire", asked | {"force": True})
    again = rest.post("/v1/templates/hello/retire", asked | {"force": True})
    shown = rest.get("/v1/templates/hello").json()["items"][0]
    lost = journey.start("anna", email="a@retired.example.com", name="A")
    journey.work()
    with pytest.raises(InvalidDefinition):
        journey.publish(EMAIL)
    rest.put("/v1/templates/hello", {**HELLO, "channel": "email", "subject": "Old"})
    journey.start("anna", email="b@retired.example.com", name="B")
    journey.work()

    assert (refused.status_code, refused.json()["code"]) == (409, "template_in_use")
    assert refused.json()["detail"] == {"definitions": [f"{journey.key} v1"], "templates": []}
    assert (forced.status_code, again.status_code) == (204, 204)
    assert shown["retired_at"] is not None
    [missed] = journey.read(lambda: list(Delivery.objects.filter(run_id=lost.pk, channel="email")))
    assert missed.error == "no_template"
    assert subjects_to(smtp_sink, "b@retired.example.com") == ["Old"]
    assert rest.get("/v1/templates/hello").json()["items"][0]["retired_at"] is None


def test_a_draft_is_forgotten_and_a_layout_counts_its_templates(tenant: Tenant, rest: APIClient) -> None:
    put(tenant, "never", draft=True)
    put(tenant, "frame", subject="", **FRAME, is_layout=True)
    put(tenant, "inside", layout="frame")
    out = StringIO()
    where = ["--tenant", tenant.slug, "--channel", "email"]

    call_command("templates", "retire", "never", *where, stdout=out)
    with pytest.raises(CommandError, match="templates: inside"):
        call_command("templates", "retire", "frame", *where)
    call_command("templates", "retire", "inside", *where, stdout=out)
    call_command("templates", "retire", "frame", *where, stdout=out)

    assert rest.get("/v1/templates/never").status_code == 404
    assert rest.post("/v1/templates/nobody/retire", {"channel": "email"}).status_code == 404
    with pytest.raises(Invalid):
        put(tenant, "other", layout="frame")
