"""Receivers and mail servers that say nothing, or not now."""

import smtplib
import time
from contextlib import suppress

from chimeway_py.embedded.memory import LOOPBACK
from tests.faults.chaos.world import Fault, World

HELD_WITHIN = 30.0  # seconds until a sender waits for an answer: a busy machine sends little


def silence_providers(world: World) -> Fault:
    """Receivers and the mail server take messages and say nothing."""
    provider, mailbox = world.ground.provider, world.ground.mailbox
    before, mails = provider.held, 0
    provider.hold.set()
    mailbox.hold("*")
    began = time.monotonic()
    while (now := time.monotonic()) < began + 3 or (
        not (mails and provider.held > before) and now < began + HELD_WITHIN
    ):
        mails = max(mails, mailbox.holding)
        yield 0.1
    provider.hold.clear()
    mailbox.answer_normally()
    posts = provider.held - before
    if posts and mails:
        world.count("webhooks kept waiting", posts)
        world.count("mails kept waiting", mails)
    else:
        world.give_up(f"{posts} webhooks and {mails} mails were kept waiting")


def refuse_mail(world: World) -> Fault:
    """The mail server asks to come back later."""
    mailbox = world.ground.mailbox
    mailbox.answer("*", "451 4.3.0 Try later")
    world.count("refusals", int(_code(mailbox.port) == 451))
    yield 3
    mailbox.answer_normally()


def _code(port: int) -> int:
    """What the mail server says to a mail that nobody owes."""
    with suppress(OSError, smtplib.SMTPException), smtplib.SMTP(LOOPBACK, port, timeout=2) as client:
        client.ehlo()
        client.mail("probe@example.org")
        client.rcpt("probe@example.org")
        return client.data(b"Subject: Probe\r\n\r\n")[0]
    return 0


FAULTS = (silence_providers, refuse_mail)
