"""The verbs of `manage.py events`."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from chimeway_py.text import utc_minute
from tenants.audit.commands import add_by
from tenants.scope import tenant_scope
from workflows.events.replay import event_of, replay_events, resend_event
from workflows.events.subscriptions import (
    change_subscription,
    delete_subscription,
    ping_subscription,
    put_subscription,
    rotate_subscription_secret,
)
from workflows.events.types import SUBSCRIBABLE, EventType
from workflows.management.arguments import instant, public_id
from workflows.management.verbs import Verb
from workflows.models import Event, EventAttempt, EventDispatch, EventSubscription

MOST_LISTED = 1000


class OfSubscription(Verb):
    """A verb that does something with one subscription."""

    def arguments(self, parser: ArgumentParser) -> None:
        """Which."""
        parser.add_argument("key", metavar="KEY", help="The key of a subscription.")
        add_by(parser)


class Subscribe(OfSubscription):
    """Subscribes an address."""

    name, help = "subscribe", "Subscribe an address to events, or change a subscription."

    def arguments(self, parser: ArgumentParser) -> None:
        """Where, and to what."""
        super().arguments(parser)
        parser.add_argument("url", metavar="URL")
        parser.add_argument("--type", action="append", default=[], choices=SUBSCRIBABLE, help="All when left out.")
        parser.add_argument("--description", default="")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """The subscription, and once its secret."""
        same = {name: options[name] for name in ("key", "url", "description")}
        made = put_subscription(tenant_id=tenant_id, types=options["type"], **same)
        yield told(made.subscription)
        if made.secret:
            yield f"The secret, shown this once: {made.secret}"


class Subscriptions(Verb):
    """Lists subscriptions."""

    name, help = "subscriptions", "List subscriptions by their keys."

    def arguments(self, parser: ArgumentParser) -> None:
        """None."""

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """One line each."""
        with tenant_scope(tenant_id):
            yield from map(told, EventSubscription.objects.filter(tenant_id=tenant_id).order_by("key"))


class Enable(OfSubscription):
    """Switches a subscription on."""

    name, help = "enable", "Switch a subscription on, with a clean slate."

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """What it is now."""
        yield told(change_subscription(tenant_id=tenant_id, key=options["key"], enabled=True))


class Disable(OfSubscription):
    """Switches a subscription off."""

    name, help = "disable", "Switch a subscription off; what is owed to it waits."

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """What it is now."""
        yield told(change_subscription(tenant_id=tenant_id, key=options["key"], enabled=False))


class Rotate(OfSubscription):
    """Makes a new secret."""

    name, help = "rotate", "Give a subscription a new secret."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which, and for how long the old one signs."""
        super().arguments(parser)
        parser.add_argument("--overlap-hours", type=int, default=24, metavar="N", help="How long the old one signs.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """The secret, this once."""
        overlap = timedelta(hours=options["overlap_hours"])
        made = rotate_subscription_secret(tenant_id=tenant_id, key=options["key"], overlap=overlap)
        yield f"The secret, shown this once: {made.secret}"


class Unsubscribe(OfSubscription):
    """Forgets a subscription."""

    name, help = "unsubscribe", "Forget a subscription; the events stay."

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """That it is done."""
        delete_subscription(tenant_id=tenant_id, key=options["key"])
        yield f"{options['key']} is forgotten."


class Ping(OfSubscription):
    """Sends a test event."""

    name, help = "ping", "Send a test event to one subscription."

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """The id of the event."""
        yield str(ping_subscription(tenant_id=tenant_id, key=options["key"]).public_id)


class Listed(Verb):
    """Lists events."""

    name, help = "list", "List events, newest first."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which, and how many."""
        parser.add_argument("--type", choices=EventType.values)
        parser.add_argument("--run", type=public_id, metavar="RUN", help="Those of one run.")
        parser.add_argument("--limit", type=int, default=50, metavar="N")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """One line each."""
        where = {"type": options["type"], "run_public_id": options["run"]}
        given = {name: value for name, value in where.items() if value is not None}
        with tenant_scope(tenant_id):
            rows = Event.objects.filter(tenant_id=tenant_id, **given).order_by("-id")
            for event in rows[: max(0, min(options["limit"], MOST_LISTED))]:
                about = event.run_public_id or ""
                yield f"{event.public_id}  {event.occurred_at:%Y-%m-%d %H:%M:%S}  {event.type}  {about}".rstrip()


class OfEvent(Verb):
    """A verb on one event."""

    def arguments(self, parser: ArgumentParser) -> None:
        """Which."""
        parser.add_argument("event", type=public_id, metavar="EVENT", help="The id of an event: its `webhook-id`.")


class Show(OfEvent):
    """Tells how an event went."""

    name, help = "show", "Print how an event went to each subscription, with every try."

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """The event, each receiver, each try."""
        with tenant_scope(tenant_id):
            event = event_of(tenant_id, options["event"])
            yield f"{event.type}  {event.occurred_at:%Y-%m-%d %H:%M:%S} UTC"
            owed = EventDispatch.objects.filter(tenant_id=tenant_id, event=event).select_related("subscription")
            for one in owed.order_by("id"):
                again = f", next try {one.due_at:%Y-%m-%d %H:%M:%S} UTC" if one.due_at else ""
                yield f"{one.subscription.key}: {one.status}{again}"
                for tried in EventAttempt.objects.filter(tenant_id=tenant_id, dispatch=one).order_by("number"):
                    yield f"  {tried.number}. {tried.started_at:%Y-%m-%d %H:%M:%S}  {tried.error or tried.status_code}"


class Resend(OfEvent):
    """Sends an event again."""

    name, help = "resend", "Send one event again to one subscription."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which, and to whom."""
        super().arguments(parser)
        parser.add_argument("key", metavar="KEY", help="The key of a subscription.")
        add_by(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """That it is owed."""
        resend_event(tenant_id=tenant_id, event=options["event"], key=options["key"])
        yield f"{options['event']} is owed to {options['key']}."


class Replay(OfSubscription):
    """Sends a range again."""

    name, help = "replay", "Send a range of events again to one subscription."

    def arguments(self, parser: ArgumentParser) -> None:
        """The range, and to whom."""
        super().arguments(parser)
        parser.add_argument("--from", dest="since", type=instant, metavar="TIME", help="Inclusive.")
        parser.add_argument("--to", dest="until", type=instant, metavar="TIME", help="Exclusive; now when left out.")
        parser.add_argument("--after", type=public_id, metavar="EVENT", help="Those recorded after this event.")
        parser.add_argument("--include-delivered", action="store_true", help="Also what its receiver has taken.")
        parser.add_argument("--dry-run", action="store_true", help="Only count.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """How many."""
        names = ("key", "since", "until", "after", "include_delivered", "dry_run")
        asked, total = {name: options[name] for name in names}, 0
        while True:
            part = replay_events(tenant_id=tenant_id, **asked)
            total += part.count
            if part.next_after is None:
                break
            asked["after"] = part.next_after
        yield f"Events {'that would be ' if options['dry_run'] else ''}sent: {total}"


def told(one: EventSubscription) -> str:
    """One line about a subscription."""
    state = "on" if one.enabled else f"off ({one.disabled_reason})"
    failing = f", failing since {utc_minute(one.failing_since)}" if one.failing_since else ""
    return f"{one.key}  {one.url}  {', '.join(one.types) or 'all types'}  {state}{failing}"


VERBS: tuple[Verb, ...] = (
    Subscribe(), Subscriptions(), Enable(), Disable(), Rotate(), Unsubscribe(), Ping(), Listed(), Show(), Resend(),
    Replay(),
)  # fmt: skip
