"""The filters that templates may use, each kept from growing its input.

The library's own limits stop loops and output, not what one call may build: `replace` multiplies lengths, `times`
digits, `round` and `floor` expand exponents. So every filter checks what goes in and what comes out; a few do more.
"""

import functools
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from liquid.builtin.filters import array, extra, math, string
from liquid.builtin.filters import misc as general
from liquid.exceptions import FilterArgumentError
from liquid.undefined import is_undefined

LONGEST_TEXT = 64 * 1024
LONGEST_LIST = 10_000
LARGEST_NUMBER = 2**63
_PLAIN_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?")
_DATE_FORMAT = re.compile(r"([^%]|%-?[aAbBcdeHIjmMpSuUwWxXyYzZ%])*")

Filter = Callable[..., Any]


class LimitReached(FilterArgumentError):
    """A filter was given, or would build, what we do not allow. The message holds no value."""


def allowed_filters() -> dict[str, Filter]:
    """Every filter a template may use, by name."""
    texts = (
        "append capitalize downcase escape escape_once lstrip newline_to_br prepend remove remove_first remove_last "
        "replace_first replace_last rstrip slice split squish strip strip_html strip_newlines truncate truncatewords "
        "upcase url_encode"
    )
    numbers = "abs at_least at_most ceil divided_by floor minus modulo plus round times"
    lists = "compact concat first has last map reverse sort sort_natural sum uniq where"
    found = {name: _bounded(_library_filter(string, name)) for name in texts.split()}
    found |= {name: _bounded(_library_filter(array, name)) for name in lists.split()}
    found |= {name: _bounded(_plain_numbers(_library_filter(math, name))) for name in numbers.split()}
    found |= {
        "size": _bounded(general.size),
        "default": _bounded(general.default),
        "escapejs": _bounded(extra.escapejs),
    }
    return found | {"replace": _bounded(_replace), "join": _bounded(_join), "date": _bounded(_date)}


def _library_filter(module: Any, name: str) -> Filter:
    """Names that clash with a builtin carry an underscore in the library."""
    found: Filter = getattr(module, name, None) or getattr(module, f"{name}_")
    return found


def _bounded(filter_: Filter) -> Filter:
    @functools.wraps(filter_)  # keeps the marks by which the library passes its environment
    def bounded(*arguments: Any, **options: Any) -> Any:
        for argument in arguments:
            _check_size(argument)
        result = filter_(*arguments, **options)
        _check_size(result)
        return result

    return bounded


def _plain_numbers(filter_: Filter) -> Filter:
    @functools.wraps(filter_)
    def plain(*arguments: Any, **options: Any) -> Any:
        for argument in arguments:
            if isinstance(argument, str) and not _PLAIN_NUMBER.fullmatch(argument.strip()):
                raise LimitReached("not a plain number", token=None)
        if len(arguments) > 1 and "round" in filter_.__name__ and abs(_whole(arguments[1])) > 18:
            raise LimitReached("more than 18 digits", token=None)
        return filter_(*arguments, **options)

    return plain


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, int | float | str) else 0


def _check_size(value: Any) -> None:
    if is_undefined(value):
        return  # asking for its length would raise before `default` can do its work
    too_large = (
        (isinstance(value, str) and len(value) > LONGEST_TEXT)
        or (isinstance(value, list | tuple | Mapping) and len(value) > LONGEST_LIST)
        or (isinstance(value, int) and abs(value) > LARGEST_NUMBER)
    )
    if too_large:
        raise LimitReached("value too large", token=None)


def _replace(value: Any, needle: Any, replacement: Any = "") -> Any:
    text, sought, put = str(value), str(needle), str(replacement)
    if (text.count(sought) + 1) * len(put) > LONGEST_TEXT:
        raise LimitReached("value too large", token=None)
    return string.replace(value, sought, replacement)


def _join(values: Any, separator: Any = " ", *, environment: Any) -> Any:
    if isinstance(values, list | tuple) and len(values) * len(str(separator)) > LONGEST_TEXT:
        raise LimitReached("value too large", token=None)
    return array.join(values, separator, environment=environment)


_join.with_environment = True  # type: ignore[attr-defined]


def _date(value: Any, format_: Any = "%Y-%m-%d") -> str:
    """An ISO 8601 instant or date in the given format; the zone is the one that is written."""
    pattern = str(format_)
    if len(pattern) > 100 or not _DATE_FORMAT.fullmatch(pattern):
        raise LimitReached("unknown date format", token=None)
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise LimitReached("not an ISO 8601 date or time", token=None) from None
    if not isinstance(moment, date):
        raise LimitReached("not an ISO 8601 date or time", token=None)
    return moment.strftime(pattern)
