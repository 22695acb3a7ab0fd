"""The wire: statements sent together, in one write and with one wait for all answers, each prepared once.

The driver's own pipeline takes a cursor for each statement, asks the socket before and after it and flushes it, so that
the server wakes for every statement and sleeps between them; that took longer than most of the statements. What a
driver is for stays with it: connecting, transactions, adapting values, errors.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from psycopg import Connection, Cursor, errors
from psycopg._queries import PostgresQuery
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.generators import fetch_many, send
from psycopg.pq import ExecStatus, Format, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

Parameters = Sequence[Any] | Mapping[str, Any]
Rows = list[tuple[Any, ...]]
MOST_STATEMENTS, MOST_PLANS = 1000, 400  # that one connection keeps; what comes after is planned each time
_GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
# The server does not know the plan (somebody dropped all), or a migration has changed what it returns.
_STALE_PLAN = (errors.InvalidSqlStatementName, errors.FeatureNotSupported)


class Statement:
    """One text on one connection: its placeholders, how to read its answers, its plans by types of parameters."""

    __slots__ = ("plans", "query", "transformer", "uses")

    def __init__(self, text: str, parameters: Parameters, context: Cursor[Any]) -> None:
        self.transformer = Transformer(context)
        self.query = PostgresQuery(self.transformer)
        self.query.convert(text, parameters)
        self.plans: dict[tuple[int, ...], bytes] = {}
        self.uses = 0


class Message:
    """A statement with its parameters on their way, and later its answer."""

    __slots__ = ("formats", "is_new", "parameters", "plan", "result", "statement", "types")

    def __init__(self, statement: Statement, parameters: Parameters) -> None:
        query = statement.query
        query.dump(parameters)
        self.statement, self.parameters, self.formats, self.types = statement, query.params, query.formats, query.types
        query.params = None  # a statement outlives its parameters, which may be large
        self.plan: bytes | None = None  # its name; `is_new` if it is made with this message
        self.is_new = False
        self.result: PGresult | None = None

    def send(self, to: PGconn) -> None:
        """Give it to libpq, which keeps it until it has 64 kB or is told to flush."""
        query = self.statement.query.query
        if self.plan and self.is_new:
            to.send_prepare(self.plan, query, param_types=self.types)
        if self.plan:
            to.send_query_prepared(self.plan, self.parameters, param_formats=self.formats, result_format=Format.BINARY)
        else:
            to.send_query_params(query, self.parameters, self.types, self.formats, Format.BINARY)

    def rows(self) -> Rows:
        """What the statement returned: no rows, if it is one that returns none."""
        if self.result is None:
            raise errors.ProgrammingError("the statement was not sent")
        reader = self.statement.transformer
        reader.set_pgresult(self.result)
        rows = reader.load_rows(0, self.result.ntuples, tuple)
        reader.set_pgresult(None)
        return rows

    @property
    def count(self) -> int:
        """How many rows it touched or returned."""
        return (self.result and self.result.command_tuples) or 0


class Wire:
    """One connection of the driver: its statements, and the messages that wait."""

    def __init__(self, driver: Connection[Any], teach: Callable[[Cursor[Any]], Cursor[Any]]) -> None:
        self._pgconn = driver.pgconn
        self._context = teach(Cursor(driver))
        self._statements: dict[str, Statement] = {}
        self._plans = 0
        self._waiting: list[Message] = []
        self._pushed: list[Message] = []  # on their way, with their answers to come
        self._has_begun = False  # by what was pushed: the answer to BEGIN comes first
        self.is_gathering = False

    def put(self, text: str, parameters: Parameters) -> Message:
        """A message, sent at once unless messages are gathered."""
        statement = self._statements.get(text)
        if statement is None:
            if len(self._statements) >= MOST_STATEMENTS:
                self._statements.clear()
            statement = self._statements[text] = Statement(text, parameters, self._context)
        message = Message(statement, parameters)
        self._waiting.append(message)
        if not self.is_gathering:
            self.flush()
        return message

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Messages are sent at the end of the block, or when `flush` is called; none of what waits when it fails."""
        self.is_gathering = True
        try:
            yield
            self.flush()
        except BaseException:
            self._waiting.clear()
            with suppress(errors.Error):  # what was pushed has failed as well: the block tells why it did
                self.flush()
            raise
        finally:
            self.is_gathering = False

    def push(self) -> None:
        """Send what waits, and wait for nothing: the server works on it while the caller decides what comes next."""
        if not self._waiting:
            return
        driver = self._context.connection
        with driver.lock, self._closed_if_cut(driver):
            self._send(driver)
            self._pgconn.flush()

    def flush(self) -> None:
        """Send what waits, and wait for all answers. Raises the first error; what came after it has not run."""
        if not self._waiting and not self._pushed:
            return
        driver = self._context.connection
        with driver.lock, self._closed_if_cut(driver):
            self._send(driver)
            self._pgconn.pipeline_sync()
            messages, self._pushed = self._pushed, []
            driver.wait(self._exchange(messages))

    @contextmanager
    def _closed_if_cut(self, driver: Connection[Any]) -> Iterator[None]:
        """Nobody knows what has run after an interruption."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, _STALE_PLAN):
                self._statements.clear()
            if self._pgconn.pipeline_status != PipelineStatus.OFF:
                self._waiting, self._pushed = [], []
                driver.close()
            raise

    def _send(self, driver: Connection[Any]) -> None:
        """Give what waits to libpq, after the beginning of a transaction if there is none."""
        pgconn, messages = self._pgconn, self._waiting
        self._waiting = []
        if pgconn.pipeline_status == PipelineStatus.OFF:
            self._has_begun = not driver.autocommit and pgconn.transaction_status == TransactionStatus.IDLE
            pgconn.enter_pipeline_mode()
            if self._has_begun:
                pgconn.send_query_params(driver._get_tx_start_command(), None)
        for message in messages:
            self._plan(driver, message)
            message.send(pgconn)
            self._pushed.append(message)

    def _plan(self, driver: Connection[Any], message: Message) -> None:
        """Let a statement that comes again be planned for good, unless the deployment does without."""
        statement, threshold = message.statement, driver.prepare_threshold
        statement.uses += 1
        message.plan = statement.plans.get(message.types)
        if message.plan or threshold is None or statement.uses < threshold or self._plans >= MOST_PLANS:
            return
        self._plans += 1
        message.plan = statement.plans[message.types] = b"wire_%d" % self._plans
        message.is_new = True

    def _exchange(self, messages: Sequence[Message]) -> PQGen[None]:
        """The rest of a trip to the server: what is not sent yet, then the answers."""
        yield from send(self._pgconn)
        failed = yield from self._collect(messages)
        self._pgconn.exit_pipeline_mode()
        if failed is not None:
            raise errors.error_from_result(failed, encoding=self._pgconn._encoding)

    def _collect(self, messages: Sequence[Message]) -> PQGen[PGresult | None]:
        """Read the answers; the first error among them."""
        failed: PGresult | None = None
        if self._has_begun:
            begun = (yield from fetch_many(self._pgconn))[-1]
            failed = begun if begun.status not in _GOOD else None
        for message in messages:
            if message.is_new:
                planned = (yield from fetch_many(self._pgconn))[-1]
                if planned.status not in _GOOD:
                    del message.statement.plans[message.types]
                    failed = failed or planned
            result = message.result = (yield from fetch_many(self._pgconn))[-1]
            if result.status not in _GOOD:
                failed = failed or result  # the first; what comes after it says only that it did not run
        end = yield from fetch_many(self._pgconn)
        while end[-1].status != ExecStatus.PIPELINE_SYNC:
            failed = failed or end[-1]  # what was sent is a transaction of its own, which could not be committed
            end = yield from fetch_many(self._pgconn)
        return failed
