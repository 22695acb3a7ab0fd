"""Addresses of tenants, under /v1."""

from django.urls import URLPattern, path

from tenants.api.audit import AuditView
from tenants.api.limits import LimitsView
from tenants.api.secrets import SecretListView, SecretView
from tenants.api.views import CurrentTenantView

urlpatterns: list[URLPattern] = [
    path("tenant", CurrentTenantView.as_view(), name="tenant"),
    path("audit", AuditView.as_view(), name="audit"),
    path("limits", LimitsView.as_view(), name="limits"),
    path("secrets", SecretListView.as_view(), name="secrets"),
    path("secrets/<str:key>", SecretView.as_view(), name="secret"),
]
