"""Addresses of tenants, under /v1."""

from django.urls import URLPattern, path

from tenants.api.views import CurrentTenantView

urlpatterns: list[URLPattern] = [path("tenant", CurrentTenantView.as_view(), name="tenant")]
