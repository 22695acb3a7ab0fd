"""What a template cannot do without: the variables that it writes and neither tests nor gives a default."""

from collections.abc import Iterator
from typing import Any

from liquid import BoundTemplate
from liquid.ast import ConditionalBlockNode, Node
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.logical import BooleanExpression
from liquid.builtin.tags.case_tag import CaseNode
from liquid.expression import Expression

from chimeway_py.rendering.render import parsed

Needed = tuple[str | int, ...]
"""A path as its parts: `data.items[0].sku` is ("data", "items", 0, "sku")."""


def needs_of(source: str, *, html: bool = False) -> set[Needed]:
    """The paths into the facts without which the template fails. Raises `TemplateFault` for one that cannot be read.

    A variable that is tested or has a default anywhere counts as optional everywhere: a guard may be far from what it
    guards, and nobody should be told of a fault that is none.
    """
    template = parsed(source, html)
    guarded = {path for node in template.nodes for path in _guarded(template, node)}
    found = template.analyze(include_partials=False).globals.values()
    written = {_static(variable.segments) for variables in found for variable in variables}
    return {path for path in written if not any(path[: len(one)] == one for one in guarded)}


def _guarded(template: BoundTemplate, node: Node) -> Iterator[Needed]:
    for expression in node.expressions():
        is_test = isinstance(node, CaseNode | ConditionalBlockNode)
        yield from _paths_in_tests(expression, is_test)
    context: Any = None  # only tags that load other templates look at it, and those are refused
    for child in node.children(context, include_partials=False):
        yield from _guarded(template, child)


def _paths_in_tests(expression: Expression, is_test: bool) -> Iterator[Needed]:
    """The paths that an expression tests for being there at all."""
    if isinstance(expression, Path) and is_test:
        yield _static(expression.path)
    has_default = isinstance(expression, FilteredExpression) and any(
        one.name == "default" for one in expression.filters or ()
    )
    if has_default and isinstance(expression, FilteredExpression):
        yield from _paths_in_tests(expression.left, True)
    for child in expression.children():
        yield from _paths_in_tests(child, is_test or isinstance(expression, BooleanExpression))


def _static(segments: Any) -> Needed:
    """The beginning of a path that is known without running it."""
    known: list[str | int] = []
    for segment in segments:
        if not isinstance(segment, str | int):
            break
        known.append(segment)
    return tuple(known)
