"""The OpenAPI document, and the operations in it with the scope that each needs."""

import re
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from chimeway_py.schema import document


@dataclass(frozen=True)
class Operation:
    """One request that REST answers. `scope` is empty where none is needed."""

    method: str
    path: str
    scope: str
    summary: str


def operations() -> list[Operation]:
    """Every operation, by path."""
    scopes = _scopes()
    return [
        Operation(method.upper(), path, scopes.get((method.upper(), _bare(path)), ""), operation.get("summary", ""))
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    ]


def schema_named(name: str) -> dict[str, Any]:
    """A JSON Schema for the component of that name, able to resolve the others."""
    components = document()["components"]
    assert name in components["schemas"], f"OpenAPI has no {name}: {sorted(components['schemas'])}"
    return {"$ref": f"#/components/schemas/{name}", "components": components}


def _scopes() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for path, view in _views(get_resolver(), "/"):
        for method, scope in getattr(view, "scopes", {}).items():
            found[method, _bare(path)] = str(scope or "")
    return found


def _views(resolver: URLResolver, prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for entry in resolver.url_patterns:
        where = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            found += _views(entry, where)
        elif isinstance(entry, URLPattern):
            found.append((where, getattr(entry.callback, "view_class", getattr(entry.callback, "cls", None))))
    return found


def _bare(path: str) -> str:
    """A path with its parameters made alike: `/v1/runs/{id}` and `/v1/runs/<uuid:id>`."""
    return re.sub(r"\{[^}]*\}|<[^>]*>", "{}", path)
