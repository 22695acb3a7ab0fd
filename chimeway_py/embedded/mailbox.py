"""The mail server of the demo and the tests, seen from outside: start it, read what arrived, make it difficult."""

import email
import email.policy
import json
import sys
import time
from email.message import EmailMessage
from pathlib import Path

from chimeway_py.embedded.memory import LOOPBACK, Memory, is_listening
from chimeway_py.embedded.processes import Child, DidNotStart
from chimeway_py.embedded.smtp_sink import HOLD


class Mailbox:
    """A process of `smtp_sink` and its folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.absolute()
        self.memory = Memory(self.folder / "memory.json")
        self.port = 0
        self._server: Child | None = None
        self._rules: dict[str, str] = {}

    @property
    def url(self) -> str:
        """The address for `EMAIL_URL`."""
        return f"smtp://{LOOPBACK}:{self.port}"

    @property
    def url_with_password(self) -> str:
        """The same for a sender who signs in, as most mail servers ask it: this one takes who has the password."""
        return f"smtp://chimeway:{self.memory.password('mail')}@{LOOPBACK}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether it was started and is alive."""
        return self._server is not None and self._server.is_running

    @property
    def server(self) -> Child:
        """The running server's process. Raises RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("the mail server was not started")
        return self._server

    def start(self, *, patience: float = 15.0) -> None:
        """Start the server without rules; returns when it listens. Mail of earlier starts stays. Raises DidNotStart."""
        self.answer_normally()
        self.port = self.memory.port("smtp", self.port or None)
        module = ["-m", "chimeway_py.embedded.smtp_sink"]
        self._server = Child("mail", [sys.executable, *module, str(self.port), self.folder], log=self.folder / "log")
        self._server.start()
        deadline = time.monotonic() + patience
        while not is_listening(self.port):
            if not self._server.is_running or time.monotonic() >= deadline:
                self._server.kill()
                raise DidNotStart(f"The mail server did not start:\n{self._server.log_tail()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End the server. Stopping twice is harmless."""
        if self._server is not None:
            self._server.stop(grace=2)

    def empty(self) -> None:
        """Remove every message kept."""
        for file in (self.folder / "mail").glob("*.eml"):
            file.unlink(missing_ok=True)

    def to(self, recipient: str) -> list[EmailMessage]:
        """The messages kept for one address, oldest first."""
        return [mail for mail in self.all() if recipient in str(mail["X-Envelope-To"]).split(", ")]

    def all(self) -> list[EmailMessage]:
        """Every message kept, oldest first."""
        files = sorted((self.folder / "mail").glob("*.eml"))
        return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]

    def wait_for(self, recipient: str, *, count: int = 1, seconds: float = 60.0) -> list[EmailMessage]:
        """The messages of an address once there are `count` of them. Raises TimeoutError with the number found."""
        deadline = time.monotonic() + seconds
        while len(found := self.to(recipient)) < count:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{len(found)} of {count} messages for {recipient} after {seconds} s")
            time.sleep(0.05)
        return found

    def hold(self, pattern: str) -> None:
        """Keep the reply to mail for matching addresses (`*` and `?` allowed) back until `answer_normally`."""
        self.answer(pattern, HOLD)

    def answer(self, pattern: str, reply: str) -> None:
        """Refuse mail for matching addresses, e.g. with "550 5.1.1 No such user" or "451 4.3.0 Try later"."""
        self._write_rules(self._rules | {pattern: reply})

    def answer_normally(self) -> None:
        """Forget every rule: held messages are accepted now."""
        self._write_rules({})

    def is_holding(self, recipient: str) -> bool:
        """Whether a sender is waiting at this moment for the reply to a message for the address."""
        return (self.folder / "held" / recipient.replace("/", "_")).exists()

    @property
    def holding(self) -> int:
        """For how many recipients somebody is waiting at this moment."""
        return len(list((self.folder / "held").glob("*")))

    def _write_rules(self, rules: dict[str, str]) -> None:
        self._rules = rules
        draft = self.folder / "rules.new"
        draft.write_text(json.dumps(rules))
        draft.replace(self.folder / "rules.json")
