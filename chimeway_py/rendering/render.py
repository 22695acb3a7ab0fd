"""Render a template, or say in one short line why not. What is said names variables, never values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from liquid import BoundTemplate
from liquid.exceptions import LiquidError, UndefinedError

from chimeway_py.errors import ChimewayError
from chimeway_py.rendering.environment import refuse_ranges, sandbox
from chimeway_py.rendering.filters import LimitReached
from chimeway_py.rendering.time_limit import TimeLimitReached, within

RENDER_SECONDS = 0.05
PARSE_SECONDS = 0.25
LONGEST_SOURCE = 32 * 1024
ROOTS = frozenset({"data", "run", "steps", "recipient", "coalesced", "unsubscribe_url"})
_NAME = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*")


class TemplateFault(ChimewayError):
    """The template cannot be rendered. `message` names the variable or the limit."""

    code = "template_fault"


class MissingVariable(TemplateFault):
    """The template speaks of something that is not there. `variable` is its name as it is written."""

    def __init__(self, variable: str) -> None:
        self.variable = variable
        super().__init__(f"undefined variable: {variable}")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as it will be read. `subject` is a mail's subject or an inbox item's title."""

    subject: str = ""
    text: str = ""
    html: str = ""


def render_parts(parts: Mapping[str, str], facts: Mapping[str, Any]) -> Rendered:
    """Render the parts that are there (`subject`, `text`, `html`). Raises `TemplateFault`."""
    return Rendered(
        subject=render(parts.get("subject", ""), facts).strip(),
        text=render(parts.get("text", ""), facts),
        html=render(parts.get("html", ""), facts, html=True),
    )


def render(source: str, facts: Mapping[str, Any], *, html: bool = False) -> str:
    """The text of one template over `facts`; with `html` every value is escaped. Raises `TemplateFault`."""
    template = parsed(source, html)
    try:
        return _storable(within(RENDER_SECONDS, lambda: template.render(facts)))
    except UndefinedError as error:
        raise MissingVariable(_name_at(error, source)) from error
    except TimeLimitReached:
        raise TemplateFault("time limit reached") from None
    except LiquidError as error:
        raise TemplateFault(_without_values(error)) from error
    except (ArithmeticError, TypeError, ValueError, RecursionError, AttributeError, LookupError) as error:
        raise TemplateFault(f"cannot be rendered: {type(error).__name__}") from error


def _storable(text: str) -> str:
    """PostgreSQL refuses a NUL: one in one message would fail the whole batch of runs."""
    if "\0" in text:
        raise TemplateFault("the text holds a NUL")
    return text


def check_source(source: str, *, html: bool = False, roots: frozenset[str] = ROOTS) -> None:
    """Raise `TemplateFault` when the source is not one we would render: syntax, size, names that do not exist."""
    found = parsed(source, html).analyze(include_partials=False)
    for name in found.filters:
        if name not in sandbox(html).filters:
            raise TemplateFault(f"unknown filter: {name}")
    for name in found.globals:
        if name not in roots:
            raise TemplateFault(f"unknown variable: {name}; a template knows {' and '.join(sorted(roots))}")


@lru_cache(maxsize=512)
def parsed(source: str, html: bool) -> BoundTemplate:
    """The template of a source, read once per process. Raises `TemplateFault`."""
    if len(source) > LONGEST_SOURCE:
        raise TemplateFault(f"longer than {LONGEST_SOURCE} characters")
    try:
        return within(PARSE_SECONDS, lambda: _read(source, html))
    except TimeLimitReached:
        raise TemplateFault("takes too long to read") from None
    except LiquidError as error:
        raise TemplateFault(f"{error.message}{_place(error)}"[:200]) from error
    except (RecursionError, ValueError, ArithmeticError) as error:
        raise TemplateFault(f"cannot be read: {type(error).__name__}") from error


def _read(source: str, html: bool) -> BoundTemplate:
    template = sandbox(html).from_string(source)
    refuse_ranges(template)
    return template


def _name_at(error: UndefinedError, source: str) -> str:
    """The variable as it is written in the source: the library's own words may hold a value used as a key."""
    start = error.token.start_index if error.token else -1
    found = _NAME.match(source, start) if start >= 0 else None
    return found.group()[:100] if found else "unnamed"


def _without_values(error: LiquidError) -> str:
    """What went wrong while rendering: the library's messages may quote the value that a filter choked on."""
    if isinstance(error, LimitReached):
        return f"{error.message}{_place(error)}"
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__.removesuffix("Error")).lower()
    return f"{words}{_place(error)}"


def _place(error: LiquidError) -> str:
    context = error.context()
    return f" (line {context[0]})" if context else ""
