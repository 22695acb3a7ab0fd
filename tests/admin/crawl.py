"""Walking through the admin as a browser would: every kind of page once or twice, every link of it."""

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.test import Client
from django.urls import Resolver404, resolve

PER_KIND = 1  # pages of one kind look alike
NEVER = {"admin:logout"}
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "form": "action", "source": "src"}


@dataclass
class Page(HTMLParser):
    """One page: where it leads, what it loads, and what would run in it."""

    url: str
    text: str
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(f"<{tag}>")
        self.inline += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        self.inline += [
            f"{tag} {name}={value[:20]}"
            for name, value in given.items()
            if name in ("href", "src", "action", "formaction")
            and value.strip().lower().startswith(("data:", "javascript:"))
        ]
        if tag in LOADS and given.get(LOADS[tag]):
            self.loads.append(given[LOADS[tag]])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])


def crawl(client: Client, *starts: str, most: int = 400) -> dict[str, Any]:
    """The answer to every address that can be reached by links, one of each kind."""
    seen: dict[str, Any] = {}
    kinds: Counter[tuple[str, str]] = Counter()
    todo = list(starts)
    while todo and len(seen) < most:
        url = todo.pop(0)
        kind = kind_of(url)
        if url in seen or kind is None or kinds[kind] >= PER_KIND:
            continue
        kinds[kind] += 1
        seen[url] = answer = client.get(url)
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
            todo += [urljoin(url, link) for link in Page(url, answer.content.decode()).links]
        elif answer.status_code in (301, 302):
            todo.append(urljoin(url, answer["Location"]))
    return seen


def kind_of(url: str) -> tuple[str, str] | None:
    """What sort of page an address is: its route, and what its query asks for; None for what is not to be followed.

    Orders of a list show the rows of the list, and two filters together show fewer than each.
    """
    parts = urlsplit(url)
    if parts.netloc or parts.scheme or not parts.path.startswith("/admin/"):
        return None
    try:
        name = resolve(parts.path).view_name
    except Resolver404:
        return None
    asked = [pair.split("=")[0] for pair in parts.query.split("&") if pair]
    return None if name in NEVER or len(asked) > 1 or "o" in asked else (name, "".join(asked))
