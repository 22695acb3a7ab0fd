"""The wire: statements sent together, in one write and with one wait for all answers, each prepared once.

The driver's own pipeline takes a cursor for each statement, asks the socket before and after it and flushes it, so that
the server wakes for every statement and sleeps between them; that took longer than most of the statements. What a
driver is for stays with it: connecting, transactions, adapting values, errors.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from psycopg import Connection, Cursor, errors
from psycopg.abc import PQGen
from psycopg.generators import fetch_many, send
from psycopg.pq import ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from tenants.wire_message import Message, Parameters, Statement

MOST_STATEMENTS, MOST_PLANS = 1000, 400  # that one connection keeps; what comes after is planned each time
_GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
# The server does not know the plan (somebody dropped all), or a migration has changed what it returns.
_STALE_PLAN = (errors.InvalidSqlStatementName, errors.FeatureNotSupported)


class Wire:
    """One connection of the driver: its statements, and the messages that wait."""

    def __init__(self, driver: Connection[Any], teach: Callable[[Cursor[Any]], Cursor[Any]]) -> None:
        self._pgconn = driver.pgconn
        self._context = teach(Cursor(driver))
        self._statements: dict[str, Statement] = {}
        self._named = self._plans = 0  # names that were given to plans; plans that the server has
        self._dropped: list[bytes] = []  # plans that nobody asks for any more, and that the server still has
        self._waiting: list[Message] = []
        self._pushed: list[Message] = []  # on their way, with their answers to come
        self._has_begun = False  # by what was pushed: the answer to BEGIN comes first
        self._is_alone = False  # nothing came before it in its transaction
        self.is_gathering = False

    def put(self, text: str, parameters: Parameters) -> Message:
        """A message, sent at once unless messages are gathered."""
        statement = self._statements.get(text)
        if statement is None:
            if len(self._statements) >= MOST_STATEMENTS:
                self._forget()
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
            messages = [*self._pushed, *self._waiting]
            try:
                self._trip(driver)
            except _STALE_PLAN:
                self._forget()
                if not self._is_alone:
                    raise
                self._begin_anew(messages)
                self._trip(driver)

    def _forget(self) -> None:
        """Begin with new plans: each statement is prepared again when it comes again."""
        for statement in self._statements.values():
            self._dropped += statement.plans.values()
            statement.plans.clear()
        self._plans = 0

    def _drop(self) -> None:
        """Let the server forget them, too, before a transaction: a connection may live for months of migrations."""
        for name in self._dropped:
            self._pgconn.exec_(b"DEALLOCATE " + name)  # an error: the server had forgotten it
        self._dropped.clear()

    def _trip(self, driver: Connection[Any]) -> None:
        self._send(driver)
        self._pgconn.pipeline_sync()
        messages, self._pushed = self._pushed, []
        driver.wait(self._exchange(messages))

    def _begin_anew(self, messages: Sequence[Message]) -> None:
        """A migration came between: nothing of this transaction has happened, so it may happen with new plans."""
        if self._pgconn.transaction_status == TransactionStatus.INERROR:
            self._pgconn.exec_(b"ROLLBACK")
        for message in messages:
            message.statement.plans.clear()
            message.is_new = False
        self._waiting = list(messages)

    @contextmanager
    def _closed_if_cut(self, driver: Connection[Any]) -> Iterator[None]:
        """Nobody knows what has run after an interruption."""
        try:
            yield
        except BaseException:
            if self._pgconn.pipeline_status != PipelineStatus.OFF:
                self._waiting, self._pushed = [], []
                driver.close()
            raise

    def _send(self, driver: Connection[Any]) -> None:
        """Give what waits to libpq, after the beginning of a transaction if there is none."""
        pgconn, messages = self._pgconn, self._waiting
        self._waiting = []
        if pgconn.pipeline_status == PipelineStatus.OFF:
            self._is_alone = pgconn.transaction_status == TransactionStatus.IDLE
            if self._dropped and self._is_alone:
                self._drop()
            self._has_begun = self._is_alone and not driver.autocommit
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
        self._named += 1
        message.plan = statement.plans[message.types] = b"wire_%d" % self._named
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
                    self._plans -= 1
                    failed = failed or planned
            result = message.result = (yield from fetch_many(self._pgconn))[-1]
            if result.status not in _GOOD:
                failed = failed or result  # the first; what comes after it says only that it did not run
        end = yield from fetch_many(self._pgconn)
        while end[-1].status != ExecStatus.PIPELINE_SYNC:
            failed = failed or end[-1]  # what was sent is a transaction of its own, which could not be committed
            end = yield from fetch_many(self._pgconn)
        return failed
