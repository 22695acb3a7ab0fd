"""Addresses of workflows, under /v1."""

from django.urls import URLPattern, path

from workflows.api import definition_versions, definitions

urlpatterns: list[URLPattern] = [
    path("definitions", definitions.DefinitionsView.as_view(), name="definitions"),
    path("definitions/schema", definitions.SchemaView.as_view(), name="definition-schema"),
    path("definitions/validate", definitions.ValidateView.as_view(), name="definition-validate"),
    path("definitions/<str:key>", definitions.DefinitionView.as_view(), name="definition"),
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
]
