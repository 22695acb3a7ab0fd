"""The codes that refusals carry, read from the code."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from chimeway_py.errors import ChimewayError
from tests.docs.pages import ROOT

OURS = ("chimeway_py", "tenants", "signals_app", "workflows", "deliveries")
#: What only the code speaks of: bases, values that are shown as outcomes, and refusals inside a worker.
INTERNAL = {"error", "conflict", "undeliverable", "template_fault"}
#: What Django REST framework refuses by itself.
FRAMEWORK = {
    "method_not_allowed": (405, "The address does not answer this method."),
    "unsupported_media_type": (415, "Send `application/json` (definitions also take `application/yaml`)."),
    "not_acceptable": (406, "Answers are JSON; no other form can be asked for."),
    "bad_request": (400, "The request never reached the service: a host or a header that makes no sense."),
    "permission_denied": (403, "This is not allowed."),
}


def refusals() -> dict[str, tuple[int, str]]:
    """Every code with its HTTP status and its usual sentence."""
    for package in OURS:
        _import_all(package)
    ours = {
        refusal.code: (refusal.status, _first_line(refusal))
        for refusal in _descendants(ChimewayError)
        if refusal.code not in INTERNAL and not refusal.__name__.startswith("_")
    }
    return FRAMEWORK | ours


def _descendants(base: type[ChimewayError]) -> Iterator[type[ChimewayError]]:
    for child in base.__subclasses__():
        if child.__module__.split(".")[0] in OURS:
            yield child
        yield from _descendants(child)


def _first_line(refusal: type[ChimewayError]) -> str:
    return (refusal.__doc__ or "").splitlines()[0]


def _import_all(package: str) -> None:
    root = importlib.import_module(package)
    skipped = (".migrations", ".demo.", ".wsgi", ".__main__")
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not any(part in f"{module.name}." for part in skipped):
            importlib.import_module(module.name)


def settings_of(path: Path = ROOT / "chimeway_py" / "settings.py") -> dict[str, str]:
    """The environment variables that the settings read, each with the source of its default ("" when it has none)."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant) and _reads(node.func):
            default = next((word.value for word in node.keywords if word.arg == "default"), None)
            default = default or (node.args[1] if len(node.args) > 1 else None)
            name = str(node.args[0].value)
            found[name] = found.get(name) or (ast.unparse(default) if default is not None else "")
    return found


def _reads(function: ast.expr) -> bool:
    """`env.str(…)` and its sisters, or our own `database(…)`."""
    if isinstance(function, ast.Attribute):
        return isinstance(function.value, ast.Name) and function.value.id == "env"
    return isinstance(function, ast.Name) and function.id == "database"
