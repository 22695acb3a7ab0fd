"""A mail server that delivers to a folder: `python -m chimeway_py.embedded.smtp_sink PORT FOLDER`.

Every accepted message becomes one file below `mail/`, in the order of arrival, with its envelope in headers. The
file `rules.json` says, per pattern of recipient, how to answer: hold the reply back while the rule stands, or refuse
with a code. Whoever wants to sign in needs the password that the folder remembers; nobody has to.
"""

import asyncio
import fnmatch
import hmac
import json
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from chimeway_py.embedded.memory import LOOPBACK, Memory

HOLD = "hold"
LOOK_AGAIN = 0.05  # seconds between two looks at the rules while a reply is held


class Folder:
    """The handler of the SMTP server: rules in, messages out."""

    def __init__(self, folder: Path) -> None:
        self.mail = folder / "mail"
        self.held = folder / "held"
        self.rules = folder / "rules.json"
        self.mail.mkdir(parents=True, exist_ok=True)
        self.held.mkdir(exist_ok=True)
        self.memory = Memory(folder / "memory.json")
        self.count = len(list(self.mail.iterdir()))

    def sign_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, said: object) -> AuthResult:
        """Whether the password is ours."""
        self.memory.reload()
        known = self.memory.password("mail").encode()
        is_known = isinstance(said, LoginPassword) and hmac.compare_digest(said.password, known)
        return AuthResult(success=is_known, handled=False, auth_data=said)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Answer by the rules. A sender that goes away while its reply is held has delivered nothing."""
        for recipient in envelope.rcpt_tos:
            answer = await self._answer_for(recipient)
            if answer:
                return answer
        self._store(envelope, session.login_data)
        return "250 2.0.0 Kept"

    async def _answer_for(self, recipient: str) -> str:
        mark = self.held / recipient.replace("/", "_")
        try:
            while (answer := self._rule_for(recipient)) == HOLD:
                mark.touch()
                await asyncio.sleep(LOOK_AGAIN)
        finally:
            mark.unlink(missing_ok=True)
        return answer

    def _rule_for(self, recipient: str) -> str:
        rules: dict[str, str] = json.loads(self.rules.read_text()) if self.rules.exists() else {}
        return next((answer for pattern, answer in rules.items() if fnmatch.fnmatch(recipient, pattern)), "")

    def _store(self, envelope: Envelope, login: bytes | None) -> None:
        self.count += 1
        content = envelope.original_content or b""
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        head += f"X-Envelope-Login: {login.decode()}\r\n" if login else ""
        draft = self.mail.parent / "draft"
        draft.write_bytes(head.encode() + content)
        draft.rename(self.mail / f"{self.count:06}.eml")


async def serve(port: int, folder: Path) -> None:
    """Accept mail on the loopback port until the process ends."""
    handler = Folder(folder)
    signing_in: dict[str, Any] = {"authenticator": handler.sign_in, "auth_require_tls": False}
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, hostname="localhost", data_size_limit=10_000_000, **signing_in),
        host=LOOPBACK,
        port=port,
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
