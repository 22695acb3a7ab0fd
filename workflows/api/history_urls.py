"""Addresses of histories and of how long they are kept, under /v1."""

from django.urls import URLPattern, path

from workflows.api import heads, holds, retention, run_history, run_imports

urlpatterns: list[URLPattern] = [
    path("runs/import", run_imports.ImportRunsView.as_view(), name="runs-import"),
    path("runs/<uuid:public_id>/export", run_history.ExportRunView.as_view(), name="run-export"),
    path("runs/<uuid:public_id>/notes", run_history.AddNoteView.as_view(), name="run-notes"),
    path("runs/<uuid:public_id>/rebuild", run_history.RebuildRunView.as_view(), name="run-rebuild"),
    path("runs/<uuid:public_id>/state", run_history.StateAtView.as_view(), name="run-state"),
    path("runs/<uuid:public_id>/verify", run_history.VerifyRunView.as_view(), name="run-verify"),
    path("retention/policies", retention.PoliciesView.as_view(), name="retention-policies"),
    path("retention/policies/<str:what>", retention.PolicyView.as_view(), name="retention-policy"),
    path("retention/plan", retention.PlanView.as_view(), name="retention-plan"),
    path("retention/orders", retention.OrdersView.as_view(), name="retention-orders"),
    path("retention/orders/<uuid:public_id>", retention.OrderView.as_view(), name="retention-order"),
    path("heads", heads.HeadsView.as_view(), name="heads"),
    path("heads/keys", heads.HeadKeysView.as_view(), name="head-keys"),
    path("heads/<uuid:public_id>", heads.HeadView.as_view(), name="head"),
    path("holds", holds.HoldsView.as_view(), name="holds"),
    path("holds/<uuid:public_id>/release", holds.ReleaseHoldView.as_view(), name="hold-release"),
    path("tombstones", retention.TombstonesView.as_view(), name="tombstones"),
    path("tombstones/<uuid:public_id>", retention.TombstoneView.as_view(), name="tombstone"),
]
