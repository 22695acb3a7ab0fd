"""Addresses of control calls on runs, under /v1."""

from django.urls import URLPattern, path

from workflows.api import approvals, attempts, bulk_control, run_control, sticky_cancels

urlpatterns: list[URLPattern] = [
    path("runs/bulk", bulk_control.BulkControlView.as_view(), name="runs-bulk"),
    path("runs/cancel-by-key", sticky_cancels.CancelByKeyView.as_view(), name="runs-cancel-by-key"),
    path("sticky-cancels", sticky_cancels.StickyCancelsView.as_view(), name="sticky-cancels"),
    path("sticky-cancels/<uuid:public_id>", sticky_cancels.StickyCancelView.as_view(), name="sticky-cancel"),
    path("runs/cancel", run_control.CancelRunsView.as_view(), name="runs-cancel"),
    path("runs/<uuid:public_id>/cancel", run_control.CancelRunView.as_view(), name="run-cancel"),
    path("runs/<uuid:public_id>/compensate", run_control.CompensateRunView.as_view(), name="run-compensate"),
    path("runs/<uuid:public_id>/attempts/renew", attempts.RenewAttemptView.as_view(), name="attempt-renew"),
    path("runs/<uuid:public_id>/attempts/complete", attempts.CompleteAttemptView.as_view(), name="attempt-complete"),
    path("runs/<uuid:public_id>/attempts/fail", attempts.FailAttemptView.as_view(), name="attempt-fail"),
    path("runs/<uuid:public_id>/attempts/record", attempts.RecordAttemptView.as_view(), name="attempt-record"),
    path("runs/<uuid:public_id>/approve", approvals.ApproveRunView.as_view(), name="run-approve"),
    path("runs/<uuid:public_id>/reject", approvals.RejectRunView.as_view(), name="run-reject"),
    path("runs/<uuid:public_id>/pause", run_control.PauseRunView.as_view(), name="run-pause"),
    path("runs/<uuid:public_id>/resume", run_control.ResumeRunView.as_view(), name="run-resume"),
    path("runs/<uuid:public_id>/wake", run_control.WakeRunView.as_view(), name="run-wake"),
]
