"""Addresses of what can be done with histories, under /v1."""

from django.urls import URLPattern, path

from workflows.api import run_history

urlpatterns: list[URLPattern] = [
    path("runs/<uuid:public_id>/export", run_history.ExportRunView.as_view(), name="run-export"),
    path("runs/<uuid:public_id>/notes", run_history.AddNoteView.as_view(), name="run-notes"),
    path("runs/<uuid:public_id>/rebuild", run_history.RebuildRunView.as_view(), name="run-rebuild"),
    path("runs/<uuid:public_id>/state", run_history.StateAtView.as_view(), name="run-state"),
]
