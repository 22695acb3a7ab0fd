"""Every address of the service."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from chimeway_py.api.views import NoSuchAddress
from chimeway_py.health import healthz, readyz
from chimeway_py.metrics import metrics
from chimeway_py.schema import openapi
from deliveries.api.provider_hooks import ProviderHookView
from deliveries.preferences.page import unsubscribe_page
from signals_app.api.urls import hooks

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("v1/openapi.json", openapi, name="openapi"),
    path("v1/", include("tenants.api.urls")),
    path("v1/", include("signals_app.api.urls")),
    path("v1/", include("workflows.api.urls")),
    path("v1/", include("deliveries.api.urls")),
    path("hooks/providers/<uuid:public_id>", ProviderHookView.as_view(), name="provider-hook"),
    path("hooks/", include(hooks)),
    path("unsubscribe/<str:token>", unsubscribe_page, name="unsubscribe"),
    re_path(r"^(v1|hooks)/", NoSuchAddress.as_view()),  # JSON also when DEBUG would show its own page; keep it last
]
handler400 = "chimeway_py.api.errors.answer_bad_request"
handler404 = "chimeway_py.api.errors.answer_not_found"
handler500 = "chimeway_py.api.errors.answer_broken"
