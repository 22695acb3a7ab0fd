"""The Liquid that tenants may write: no includes, no ranges, a closed list of tags and filters."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from liquid import BoundTemplate, Environment, FalsyStrictUndefined, Mode
from liquid.ast import Node
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import LiquidSyntaxError
from liquid.expression import Expression

from chimeway_py.rendering.filters import LONGEST_TEXT, allowed_filters

_REFUSED_TAGS = ("include", "render", "tablerow", "liquid", "ifchanged", "doc")


class _Undefined(FalsyStrictUndefined):
    """A missing variable is false in a condition and gives way to `default`; else it is an error that names it."""

    force_liquid_default = True


class Sandbox(Environment):
    """The environment of one kind of output: plain text, or HTML with every value escaped."""

    loop_iteration_limit = 10_000
    output_stream_limit = LONGEST_TEXT
    local_namespace_limit = 4 * LONGEST_TEXT
    block_nesting_limit = 20
    context_depth_limit = 20

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(tolerance=Mode.STRICT, undefined=_Undefined, strict_filters=True, autoescape=autoescape)
        for tag in _REFUSED_TAGS:
            del self.tags[tag]
        self.filters = allowed_filters()


@lru_cache
def sandbox(autoescape: bool) -> Sandbox:
    """The environment for HTML (`autoescape`) or for plain text."""
    return Sandbox(autoescape=autoescape)


def refuse_ranges(template: BoundTemplate) -> None:
    """Raise for `(1..n)`: searching or joining a large one is a single call that no limit can interrupt."""
    for node in template.nodes:
        for expression in _expressions(template, node):
            if isinstance(expression, RangeLiteral):
                raise LiquidSyntaxError("ranges are not supported", token=node.token)


def _expressions(template: BoundTemplate, node: Node) -> Iterator[Expression]:
    for expression in node.expressions():
        yield from _within(expression)
    context: Any = None  # only tags that load other templates look at it, and those are refused
    for child in node.children(context, include_partials=False):
        yield from _expressions(template, child)


def _within(expression: Expression) -> Iterator[Expression]:
    yield expression
    for child in expression.children():
        yield from _within(child)
