"""The bell in a real browser: live, readable without a mouse, and harmless whatever an item says."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Page, expect

from tests.deliveries.conftest import Journey


def aside(act: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Do it in another thread: this one has the loop of the browser, in which Django asks no database."""

    def run() -> Any:
        try:
            return act(*given, **named)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result(60)


def marks(journey: Journey) -> list[tuple[bool, bool, bool]]:
    found = aside(journey.inbox, "ada")
    return [(bool(item.seen_at), bool(item.read_at), bool(item.archived_at)) for item in found]


def test_an_item_rings_is_seen_read_and_put_away(page: Page, address: str, journey: Journey) -> None:
    page.goto(address)
    root = page.locator("[data-chimeway-inbox]")
    expect(root).to_have_attribute("data-state", "live", timeout=20_000)
    bell = page.get_by_role("button", name="Notifications, none unread")
    expect(bell).to_have_attribute("aria-expanded", "false")

    aside(journey.start, "ada", n=1)
    rung = page.get_by_role("button", name="Notifications, 1 unread")
    expect(rung).to_be_visible(timeout=10_000)
    assert marks(journey) == [(False, False, False)]

    rung.focus()
    page.keyboard.press("Enter")
    line = page.get_by_role("button", name="Hello 1 (unread)")
    expect(line).to_be_visible()
    line.click()
    expect(page.get_by_role("button", name="Notifications, none unread")).to_be_visible()
    expect(page.locator("#chosen")).to_have_text("You chose “Hello 1”.")
    assert marks(journey) == [(True, True, False)]

    page.get_by_role("button", name="Archive: Hello 1").click()
    expect(page.get_by_text("Nothing new.")).to_be_visible()
    assert marks(journey) == [(True, True, True)]

    page.get_by_role("button", name="Notifications, none unread").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Notifications")).to_be_hidden()


GERMAN = {
    "title": "Mitteilungen",
    "bell_unread": "Mitteilungen, {count} ungelesen",
    "bell_read": "Mitteilungen, <b>nichts</b> ungelesen",
    "item_unread": "(ungelesen)",
    "archive_item": "Ablegen: {title}",
    "read_all": 1,
    "unknown": "x",
}


@pytest.mark.parametrize(("labels", "is_german"), [(json.dumps(GERMAN), True), ("{no json", False)])
def test_the_page_gives_the_bell_its_words(
    labels: str, is_german: bool, page: Page, address: str, journey: Journey
) -> None:
    aside(journey.start, "ada", n=1)
    page.add_init_script(
        f"""new MutationObserver(() => {{
          const root = document.querySelector("[data-chimeway-inbox]");
          if (root && !root.dataset.labels) root.dataset.labels = {json.dumps(labels)};
        }}).observe(document, {{ childList: true, subtree: true }});"""
    )
    page.goto(address)
    title = "Mitteilungen" if is_german else "Notifications"
    rung = page.get_by_role("button", name=f"{title}, 1 {'ungelesen' if is_german else 'unread'}")
    expect(rung).to_be_visible(timeout=20_000)
    rung.click()

    expect(page.get_by_role("region", name=title)).to_be_visible()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.get_by_role("button", name="Mark all as read")).to_be_visible()
    page.get_by_role("button", name=f"Hello 1 {'(ungelesen)' if is_german else '(unread)'}").click()
    none = "Mitteilungen, <b>nichts</b> ungelesen" if is_german else "Notifications, none unread"
    expect(page.get_by_role("button", name=none)).to_be_visible()
    page.get_by_role("button", name="Ablegen: Hello 1" if is_german else "Archive: Hello 1").click()
    expect(page.get_by_text("Nothing new.")).to_be_visible()


def test_two_tabs_agree(page: Page, address: str, journey: Journey) -> None:
    aside(journey.start, "ada", n=1)
    aside(journey.start, "ada", n=2)
    page.goto(address)
    other = page.context.new_page()
    other.goto(address)
    expect(other.get_by_role("button", name="Notifications, 2 unread")).to_be_visible(timeout=20_000)

    page.get_by_role("button", name="Notifications, 2 unread").click()
    page.get_by_role("button", name="Mark all as read").click()

    expect(other.get_by_role("button", name="Notifications, none unread")).to_be_visible(timeout=10_000)
    assert marks(journey) == [(True, True, False)] * 2


def test_markup_in_an_item_is_text(page: Page, address: str, journey: Journey) -> None:
    evil = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    aside(journey.start, "ada", n=evil, text=evil)
    page.goto(address)

    page.get_by_role("button", name="Notifications, 1 unread").click(timeout=20_000)

    expect(page.locator(".chimeway-item strong")).to_contain_text("<img src=x")
    assert page.locator(".chimeway-item img").count() == 0
    assert page.title() == "A product with a bell"


@pytest.mark.parametrize("streams", [0])
def test_without_a_place_for_a_stream_it_polls(page: Page, address: str, journey: Journey) -> None:
    aside(journey.start, "ada", n=1)
    page.clock.install()
    page.goto(address)

    expect(page.locator("[data-chimeway-inbox]")).to_have_attribute("data-state", "polling", timeout=20_000)
    expect(page.get_by_role("button", name="Notifications, 1 unread")).to_be_visible()

    aside(journey.start, "ada", n=2)
    expect(page.get_by_role("button", name="Notifications, 1 unread")).to_be_visible()
    page.clock.fast_forward(31_000)  # it asks every 30 seconds
    expect(page.get_by_role("button", name="Notifications, 2 unread")).to_be_visible(timeout=10_000)
