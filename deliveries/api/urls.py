"""Addresses of deliveries, under /v1."""

from django.urls import URLPattern, path

from deliveries.api.deliveries import BounceView, DeliveryListView, DeliveryView, ResendView
from deliveries.api.endpoints import EndpointListView, EndpointView, RotateSecretView
from deliveries.api.inbox import InboxView, marking
from deliveries.api.templates import TemplateListView, TemplateView
from deliveries.services import Mark

_VERBS = {"seen": Mark.SEEN, "read": Mark.READ, "archive": Mark.ARCHIVED}

urlpatterns: list[URLPattern] = [
    # A subject may hold slashes, so the longer addresses come first.
    *(
        path(f"inbox/<path:subject>/<uuid:item>/{verb}", marking(mark, verb).as_view(), name=f"inbox-{verb}")
        for verb, mark in _VERBS.items()
    ),
    path("inbox/<path:subject>", InboxView.as_view(), name="inbox"),
    path("deliveries", DeliveryListView.as_view(), name="deliveries"),
    path("deliveries/<uuid:delivery>", DeliveryView.as_view(), name="delivery"),
    path("deliveries/<uuid:delivery>/resend", ResendView.as_view(), name="delivery-resend"),
    path("deliveries/<uuid:delivery>/bounce", BounceView.as_view(), name="delivery-bounce"),
    path("templates", TemplateListView.as_view(), name="templates"),
    path("templates/<str:key>", TemplateView.as_view(), name="template"),
    path("endpoints", EndpointListView.as_view(), name="endpoints"),
    path("endpoints/<str:key>", EndpointView.as_view(), name="endpoint"),
    path("endpoints/<str:key>/rotate-secret", RotateSecretView.as_view(), name="endpoint-rotate-secret"),
]
