"""Addresses of events out, under /v1."""

from django.urls import URLPattern, path

from workflows.api import event_subscriptions, events

_ONE = "event-subscriptions/<str:key>"
urlpatterns: list[URLPattern] = [
    path("events", events.EventsView.as_view(), name="events"),
    path("events/<uuid:public_id>", events.EventView.as_view(), name="event"),
    path("events/<uuid:public_id>/resend", events.ResendEventView.as_view(), name="event-resend"),
    path("event-subscriptions", event_subscriptions.EventSubscriptionsView.as_view(), name="event-subscriptions"),
    path(_ONE, event_subscriptions.EventSubscriptionView.as_view(), name="event-subscription"),
    path(f"{_ONE}/dispatches", events.DispatchesView.as_view(), name="event-subscription-dispatches"),
    path(f"{_ONE}/ping", event_subscriptions.PingSubscriptionView.as_view(), name="event-subscription-ping"),
    path(f"{_ONE}/replay", event_subscriptions.ReplayEventsView.as_view(), name="event-subscription-replay"),
    path(
        f"{_ONE}/rotate-secret", event_subscriptions.RotateEventSecretView.as_view(), name="event-subscription-secret"
    ),
]
