"""Addresses of control calls on runs, under /v1."""

from django.urls import URLPattern, path

from workflows.api import approvals, run_control

urlpatterns: list[URLPattern] = [
    path("runs/cancel", run_control.CancelRunsView.as_view(), name="runs-cancel"),
    path("runs/<uuid:public_id>/cancel", run_control.CancelRunView.as_view(), name="run-cancel"),
    path("runs/<uuid:public_id>/approve", approvals.ApproveRunView.as_view(), name="run-approve"),
    path("runs/<uuid:public_id>/reject", approvals.RejectRunView.as_view(), name="run-reject"),
    path("runs/<uuid:public_id>/pause", run_control.PauseRunView.as_view(), name="run-pause"),
    path("runs/<uuid:public_id>/resume", run_control.ResumeRunView.as_view(), name="run-resume"),
    path("runs/<uuid:public_id>/wake", run_control.WakeRunView.as_view(), name="run-wake"),
]
