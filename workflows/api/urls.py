"""Addresses of workflows, under /v1."""

from django.urls import URLPattern, path

from workflows.api import (
    attempts,
    definition_versions,
    definitions,
    digests,
    external,
    replay,
    run_views,
    runs,
    schedules,
    settling,
    switches,
    version_moves,
)
from workflows.api.control_urls import urlpatterns as controls
from workflows.api.event_urls import urlpatterns as events
from workflows.api.history_urls import urlpatterns as histories

urlpatterns: list[URLPattern] = [
    path("definitions", definitions.DefinitionsView.as_view(), name="definitions"),
    path("definitions/schema", definitions.SchemaView.as_view(), name="definition-schema"),
    path("definitions/validate", definitions.ValidateView.as_view(), name="definition-validate"),
    path("definitions/<str:key>", definitions.DefinitionView.as_view(), name="definition"),
    path("definitions/<str:key>/switch", switches.SwitchView.as_view(), name="definition-switch"),
    path("definitions/<str:key>/migrate", version_moves.MoveRunsView.as_view(), name="definition-migrate"),
    path("definitions/<str:key>/diff", definition_versions.DiffView.as_view(), name="definition-diff"),
    path(
        "definitions/<str:key>/versions/<int:version>",
        definition_versions.VersionView.as_view(),
        name="definition-version",
    ),
    path(
        "definitions/<str:key>/versions/<int:version>/publish",
        definition_versions.PublishView.as_view(),
        name="definition-publish",
    ),
    path(
        "definitions/<str:key>/versions/<int:version>/retire",
        definition_versions.RetireView.as_view(),
        name="definition-retire",
    ),
    path("runs", runs.RunsView.as_view(), name="runs"),
    path("runs/<uuid:public_id>", runs.RunView.as_view(), name="run"),
    path("runs/<uuid:public_id>/explain", run_views.ExplainRunView.as_view(), name="run-explain"),
    path("runs/<uuid:public_id>/trace", run_views.TraceView.as_view(), name="run-trace"),
    path("runs/<uuid:public_id>/attempts", attempts.AttemptsView.as_view(), name="run-attempts"),
    path("runs/<uuid:public_id>/replay", replay.ReplayRunView.as_view(), name="run-replay"),
    path("runs/<uuid:public_id>/settle", settling.SettleRunView.as_view(), name="run-settle"),
    path("schedules", schedules.SchedulesView.as_view(), name="schedules"),
    path("schedules/preview", schedules.PreviewView.as_view(), name="schedules-preview"),
    path("schedules/<str:key>", schedules.ScheduleView.as_view(), name="schedule"),
    path("digests", digests.DigestsView.as_view(), name="digests"),
    path("digests/<uuid:public_id>", digests.DigestView.as_view(), name="digest"),
    path("digests/<uuid:public_id>/flush", digests.FlushDigestView.as_view(), name="digest-flush"),
    path("digests/<uuid:public_id>/items", digests.DigestItemsView.as_view(), name="digest-items"),
    path("digests/<uuid:public_id>/items/<int:position>", digests.DigestItemView.as_view(), name="digest-item"),
    path("external", external.ExternalWorksView.as_view(), name="external-works"),
    path("external/<str:kind>/<path:external_id>", external.ExternalWorkView.as_view(), name="external-work"),
    path("signals/<uuid:public_id>/explain", run_views.ExplainSignalView.as_view(), name="signal-explain"),
    *controls,
    *events,
    *histories,
]
