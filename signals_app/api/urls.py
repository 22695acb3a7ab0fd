"""Addresses of signals: `urlpatterns` under /v1, `hooks` under /hooks."""

from django.urls import URLPattern, path

from signals_app.api.hooks import HookView
from signals_app.api.signals import SignalBatchView, SignalsView, SignalView
from signals_app.api.sources import RotateSecretView, SourcesView, SourceView
from signals_app.api.subjects import ExportView, SubjectView

urlpatterns: list[URLPattern] = [
    path("signals", SignalsView.as_view(), name="signals"),
    path("signals/batch", SignalBatchView.as_view(), name="signals-batch"),
    path("signals/<uuid:public_id>", SignalView.as_view(), name="signal"),
    path("sources", SourcesView.as_view(), name="sources"),
    path("sources/<uuid:public_id>", SourceView.as_view(), name="source"),
    path("sources/<uuid:public_id>/rotate", RotateSecretView.as_view(), name="source-rotate"),
    path("subjects/<path:subject>/export", ExportView.as_view(), name="subject-export"),
    path("subjects/<path:subject>", SubjectView.as_view(), name="subject"),
]
hooks: list[URLPattern] = [path("<uuid:public_id>", HookView.as_view(), name="hook")]
