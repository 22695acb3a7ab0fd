"""Templates: what they can say, and that none can take the worker down, read what it must not, or talk for ever."""

import time
from typing import Any

import pytest

from chimeway_py.rendering import TemplateFault, check_source, render
from chimeway_py.rendering.environment import sandbox
from chimeway_py.rendering.filters import LONGEST_TEXT
from chimeway_py.rendering.render import LONGEST_SOURCE

FACTS: dict[str, Any] = {
    "data": {
        "name": "Anna <b>& Co</b>",
        "secret": "s3cret",
        "count": 5,
        "huge": "1e999999999",
        "items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}],
        "big": "x" * 60_000,
        "long": list(range(9_000)),
        "when": "2026-11-20T09:30:00+01:00",
        "nothing": None,
    },
    "run": {"id": "r-1", "subject": "anna", "correlation": {"order": "7"}, "definition": "d"},
}

SAYS = [
    ("Hello {{ data.name }}", "Hello Anna <b>& Co</b>"),
    ("{{ run.subject }} {{ run.correlation.order }}", "anna 7"),
    ("{% for i in data.items %}{{ i.sku }}={{ i.n | times: 2 }};{% endfor %}", "a=2;b=4;"),
    ("{% if data.count > 3 %}many{% else %}few{% endif %}", "many"),
    ("{% if data.missing %}a{% else %}b{% endif %}", "b"),
    ("{{ data.missing | default: 'friend' }}", "friend"),
    ("{{ data.nothing }}", ""),
    ("{{ data.when | date: '%d %b %Y, %H:%M' }}", "20 Nov 2026, 09:30"),
    ("{% assign a = data.name | upcase %}{{ a | truncate: 7 }}", "ANNA..."),
    ("{% capture c %}{{ data.count }}!{% endcapture %}{{ c }}", "5!"),
    ("{{ data.items | map: 'sku' | join: ', ' }}", "a, b"),
    ("{% case data.count %}{% when 5 %}five{% endcase %}", "five"),
    ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ("{{ 10 | divided_by: 4.0 }} {{ 7 | modulo: 3 }} {{ 2.567 | round: 1 }}", "2.5 1 2.6"),
]

REFUSED = [
    # (template, what the refusal says)
    ("{{ data.missing }}", "undefined variable: data.missing"),
    ("{{ data.missing.deeper }}", "undefined variable: data.missing.deeper"),
    ("{{ name }}", "undefined variable: name"),
    ("{{ data.name.__class__ }}", "undefined variable: data.name.__class__"),
    ("{{ data['__class__'] }}", "undefined variable: data"),
    ("{{ data.items.__init__.__globals__ }}", "undefined variable: data.items.__init__.__globals__"),
    ("{% include 'other' %}", "unexpected tag"),
    ("{% render 'other' %}", "unexpected tag"),
    ("{{ data.name | safe }}", "unknown filter"),
    ("{{ data.name | base64_decode }}", "unknown filter"),
    ("{{ data.name", "expected"),
    ("{% if %}{% endif %}", "missing"),
    ("{% for i in (1..1000000000) %}x{% endfor %}", "ranges are not supported"),
    ("{% if (1..1000000000) contains 'a' %}x{% endif %}", "ranges are not supported"),
    ("{{ (1..1000000000) | join: 'x' }}", "ranges are not supported"),
    ("{% assign r = (1..data.count) %}", "ranges are not supported"),
    ("{{ data.big | replace: 'x', data.big }}", "value too large"),
    ("{{ data.long | join: data.big }}", "value too large"),
    ("{{ data.big | split: '' | size }}", "value too large"),
    ("{% assign a = 'a' %}" + "{% assign a = a | append: a %}" * 40, "value too large"),
    ("{% assign n = 9 %}" + "{% assign n = n | times: n %}" * 40, "value too large"),
    ("{{ data.huge | floor }}", "not a plain number"),
    ("{{ data.huge | plus: 1 }}", "not a plain number"),
    ("{{ 1.5 | round: 999999999 }}", "more than 18 digits"),
    ("{{ 15 | round: -99999999 }}", "more than 18 digits"),
    ("{{ data.when | date: '%99999999d' }}", "unknown date format"),
    ("{{ 'now' | date: '%Y' }}", "not an ISO 8601 date"),
    ("{{ 1 | divided_by: 0 }}", "filter argument"),
    ("{{ data.big }}{{ data.big }}", "output stream limit"),
    ("{% for a in data.long %}{% for b in data.long %}.{% endfor %}{% endfor %}", "loop iteration limit"),
    ("{% for a in data.long %}" + "{% if false %}{% endif %}" * 1000 + "{% endfor %}", "time limit"),
    ("{% for a in data.long %}" + "{% assign b = data.name | upcase %}" * 100 + "{% endfor %}", "time limit"),
    ("{% if true %}" * 100 + "{% endif %}" * 100, "nesting"),
    ("{{" * 15_000, "takes too long to read"),
    ("{% if " + "a and " * 5_000 + "a %}{% endif %}", "parsing error"),
    ("{{ a" + "[a" * 7_000 + "]" * 7_000 + "}}", "parsing error"),
    ("x" * (LONGEST_SOURCE + 1), "longer than"),
    ("a\0b", "NUL"),
]


@pytest.mark.parametrize(("source", "expected"), SAYS)
def test_what_templates_can_say(source: str, expected: str) -> None:
    assert render(source, FACTS) == expected


@pytest.mark.parametrize(("source", "words"), REFUSED)
def test_what_is_refused_is_refused_quickly_and_says_why(source: str, words: str) -> None:
    began = time.thread_time()

    with pytest.raises(TemplateFault) as refused:
        render(source, FACTS)

    assert words in refused.value.message
    assert len(refused.value.message) <= 200
    assert time.thread_time() - began < 2  # reading has 250 ms, rendering 50; a machine may be many times slower


def test_html_escapes_every_value_whatever_filters_it_went_through() -> None:
    source = (
        "<p>{{ data.name }}{{ data.name | upcase }}{{ data.name | replace: 'Anna', 'Eve' }}"
        "{{ data.name | append: '' }}{% assign n = data.name %}{{ n }}{% capture c %}{{ n }}{% endcapture %}{{ c }}</p>"
    )

    shown = render(source, FACTS, html=True)

    assert shown.startswith("<p>Anna &lt;b&gt;&amp; Co&lt;/b&gt;ANNA &lt;B&gt;")
    assert "<b>" not in shown.lower()


def test_text_does_not_escape() -> None:
    assert render("{{ data.name }}", FACTS) == "Anna <b>& Co</b>"


@pytest.mark.parametrize(
    "source",
    [
        "{{ data[data.secret] }}",
        "{{ data.items[data.secret] }}",
        "{{ data.count | truncate: data.secret }}",
        "{{ data.secret | divided_by: 2 }}",
        "{{ data.secret | date: '%Y' }}",
        "{% for i in data.items limit: data.secret %}{% endfor %}",
        "{{ data.items | sum: 'sku' }}",
    ],
)
def test_a_refusal_never_quotes_a_value(source: str) -> None:
    with pytest.raises(TemplateFault) as refused:
        render(source, FACTS)

    assert "s3cret" not in refused.value.message


def test_output_is_bounded_in_bytes() -> None:
    facts = {"data": {"text": "€" * 20_000}}

    assert len(render("{{ data.text }}", facts).encode()) == 60_000
    with pytest.raises(TemplateFault):
        render("{{ data.text }}{{ data.text }}", facts)
    assert LONGEST_TEXT == 64 * 1024


def test_a_template_is_read_when_it_is_stored() -> None:
    check_source("{{ data.name | upcase }}")
    for source in ("{{ data.name | nope }}", "{% nope %}", "{{ data.name", "{{ name }}", "{{ user.name }}"):
        with pytest.raises(TemplateFault):
            check_source(source)


def test_a_date_without_a_value_says_so() -> None:
    with pytest.raises(TemplateFault):
        render("{{ data.nothing | date: '%Y' }}", FACTS)


def test_one_pause_of_the_process_does_not_fail_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    # a collection of garbage takes longer than most templates and falls into any of them
    pauses = iter([0.2])

    def upcase(text: str) -> str:
        until = time.thread_time() + next(pauses, 0.0)
        while time.thread_time() < until:
            str(text)
        return text.upper()

    monkeypatch.setitem(sandbox(False).filters, "upcase", upcase)

    assert render("{{ data.secret | upcase }}", FACTS) == "S3CRET"
