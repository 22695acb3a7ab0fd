"""Addresses of deliveries, under /v1."""

from django.urls import URLPattern, path

from deliveries.api.broadcasts import (
    BroadcastListView,
    BroadcastView,
    CancelView,
    OutcomesView,
    PreviewView,
    ReportView,
    StartView,
    TargetsView,
)
from deliveries.api.deliveries import (
    BounceView,
    DeliveryListView,
    DeliverySearchView,
    DeliveryView,
    ResendView,
    SettleView,
)
from deliveries.api.endpoints import EndpointListView, EndpointView, RotateSecretView
from deliveries.api.history import HistoryView
from deliveries.api.inbox import ArchiveView, CountsView, InboxView, ReadView, SeenView
from deliveries.api.inbox_bulk import ArchiveManyView, ReadManyView, SeenManyView
from deliveries.api.inbox_live import StreamView, TokenView
from deliveries.api.preferences import CategoryListView, CategoryView, PreferenceDefaultsView, PreferencesView
from deliveries.api.providers import ProviderListView, ProviderTestView, ProviderView, TestProviderView
from deliveries.api.recipients import RecipientListView, RecipientSearchView, RecipientView
from deliveries.api.segments import SegmentCountView, SegmentListView, SegmentView
from deliveries.api.sending_rules import SendingRulesView
from deliveries.api.suppressions import SuppressionListView, SuppressionSearchView, SuppressionView
from deliveries.api.templates import (
    PreviewTemplateView,
    PublishTemplateView,
    RetireTemplateView,
    SendTestView,
    TemplateListView,
    TemplateVersionsView,
    TemplateView,
)

urlpatterns: list[URLPattern] = [
    # A subject may hold slashes, so the longer addresses come first.
    path("inbox/<path:subject>/<uuid:item>/seen", SeenView.as_view(), name="inbox-seen"),
    path("inbox/<path:subject>/<uuid:item>/read", ReadView.as_view(), name="inbox-read"),
    path("inbox/<path:subject>/<uuid:item>/archive", ArchiveView.as_view(), name="inbox-archive"),
    path("inbox/<path:subject>/seen", SeenManyView.as_view(), name="inbox-seen-many"),
    path("inbox/<path:subject>/read", ReadManyView.as_view(), name="inbox-read-many"),
    path("inbox/<path:subject>/archive", ArchiveManyView.as_view(), name="inbox-archive-many"),
    path("inbox/<path:subject>/counts", CountsView.as_view(), name="inbox-counts"),
    path("inbox/<path:subject>/tokens", TokenView.as_view(), name="inbox-tokens"),
    path("inbox/<path:subject>/stream", StreamView.as_view(), name="inbox-stream"),
    path("inbox/<path:subject>", InboxView.as_view(), name="inbox"),
    path("recipients", RecipientListView.as_view(), name="recipients"),
    path("recipient-search", RecipientSearchView.as_view(), name="recipient-search"),
    path("recipients/<path:external_id>/history", HistoryView.as_view(), name="recipient-history"),
    path("recipients/<path:external_id>/preferences", PreferencesView.as_view(), name="preferences"),
    path("recipients/<path:external_id>", RecipientView.as_view(), name="recipient"),
    path("broadcasts", BroadcastListView.as_view(), name="broadcasts"),
    path("broadcasts/<uuid:public_id>", BroadcastView.as_view(), name="broadcast"),
    path("broadcasts/<uuid:public_id>/targets", TargetsView.as_view(), name="broadcast-targets"),
    path("broadcasts/<uuid:public_id>/preview", PreviewView.as_view(), name="broadcast-preview"),
    path("broadcasts/<uuid:public_id>/start", StartView.as_view(), name="broadcast-start"),
    path("broadcasts/<uuid:public_id>/cancel", CancelView.as_view(), name="broadcast-cancel"),
    path("broadcasts/<uuid:public_id>/outcomes", OutcomesView.as_view(), name="broadcast-outcomes"),
    path("broadcasts/<uuid:public_id>/report", ReportView.as_view(), name="broadcast-report"),
    path("segments", SegmentListView.as_view(), name="segments"),
    path("segments/<str:key>", SegmentView.as_view(), name="segment"),
    path("segments/<str:key>/count", SegmentCountView.as_view(), name="segment-count"),
    path("preference-defaults", PreferenceDefaultsView.as_view(), name="preference-defaults"),
    path("sending-rules", SendingRulesView.as_view(), name="sending-rules"),
    path("categories", CategoryListView.as_view(), name="categories"),
    path("categories/<str:key>", CategoryView.as_view(), name="category"),
    path("deliveries", DeliveryListView.as_view(), name="deliveries"),
    path("deliveries/search", DeliverySearchView.as_view(), name="delivery-search"),
    path("deliveries/<uuid:delivery>", DeliveryView.as_view(), name="delivery"),
    path("deliveries/<uuid:delivery>/resend", ResendView.as_view(), name="delivery-resend"),
    path("deliveries/<uuid:delivery>/settle", SettleView.as_view(), name="delivery-settle"),
    path("deliveries/<uuid:delivery>/bounce", BounceView.as_view(), name="delivery-bounce"),
    path("suppressions", SuppressionListView.as_view(), name="suppressions"),
    path("suppressions/search", SuppressionSearchView.as_view(), name="suppression-search"),
    path("suppressions/<uuid:public_id>", SuppressionView.as_view(), name="suppression"),
    path("templates", TemplateListView.as_view(), name="templates"),
    path("templates/<str:key>", TemplateView.as_view(), name="template"),
    path("templates/<str:key>/versions", TemplateVersionsView.as_view(), name="template-versions"),
    path("templates/<str:key>/publish", PublishTemplateView.as_view(), name="template-publish"),
    path("templates/<str:key>/retire", RetireTemplateView.as_view(), name="template-retire"),
    path("templates/<str:key>/preview", PreviewTemplateView.as_view(), name="template-preview"),
    path("templates/<str:key>/test", SendTestView.as_view(), name="template-test"),
    path("providers", ProviderListView.as_view(), name="providers"),
    path("providers/<str:key>", ProviderView.as_view(), name="provider"),
    path("providers/<str:key>/test", TestProviderView.as_view(), name="provider_test"),
    path("provider-tests/<uuid:public_id>", ProviderTestView.as_view(), name="provider_tests"),
    path("endpoints", EndpointListView.as_view(), name="endpoints"),
    path("endpoints/<str:key>", EndpointView.as_view(), name="endpoint"),
    path("endpoints/<str:key>/rotate-secret", RotateSecretView.as_view(), name="endpoint-rotate-secret"),
]
