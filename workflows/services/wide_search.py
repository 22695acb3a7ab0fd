"""Looking for runs by a correlation value: no index has them, so the look has an end of its own.

An index of all correlation values could not be used: under row-level security PostgreSQL asks an index only what cannot
leak (`jsonb @>` may), and every start and every move of every run would pay for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

from chimeway_py.errors import ChimewayError

MOST_MILLISECONDS = 2000  # of one statement: some three million runs
NARROWING = ("subject", "state", "waiting_on", "due_before")
_QUERY_CANCELED = "57014"
_LIMIT = "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, true)"


class SearchTooWide(ChimewayError):
    """Too many runs had to be looked through for a correlation value. Give a subject or a state, too."""

    code = "search_too_wide"


@contextmanager
def bounded_search(*, is_wide: bool = True) -> Iterator[None]:
    """Let no statement of the block take longer than two seconds, inside the caller's transaction.

    Nothing changes unless `is_wide`. Raises `SearchTooWide`; what the block wrote is then undone.
    """
    if not is_wide:
        yield
        return
    try:
        with transaction.atomic(), connection.cursor() as cursor:  # an undone savepoint takes the limit with it
            cursor.execute(_LIMIT, [str(MOST_MILLISECONDS)])
            before = cursor.fetchone()[0]
            yield
            cursor.execute(_LIMIT, [before])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == _QUERY_CANCELED:
            raise SearchTooWide(detail={"narrow_by": list(NARROWING)}) from error
        raise
