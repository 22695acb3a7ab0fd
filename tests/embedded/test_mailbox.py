"""The embedded mail server keeps what it accepted, once, and can be made difficult."""

import smtplib
import threading
import time

import pytest

from chimeway_py.embedded.mailbox import Mailbox


def send(mailbox: Mailbox, recipient: str, subject: str = "hello") -> None:
    with smtplib.SMTP("127.0.0.1", mailbox.port, timeout=10) as server:
        server.sendmail("from@example.org", [recipient], f"Subject: {subject}\r\n\r\nbody")


def until(condition: object, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_accepted_mail_is_kept_in_order(smtp_sink: Mailbox) -> None:
    for number in range(3):
        send(smtp_sink, "order@example.org", f"mail {number}")

    assert [mail["Subject"] for mail in smtp_sink.to("order@example.org")] == ["mail 0", "mail 1", "mail 2"]


def test_refused_mail_is_not_kept(smtp_sink: Mailbox) -> None:
    smtp_sink.answer("nobody@*", "550 5.1.1 No such user")

    with pytest.raises(smtplib.SMTPDataError, match="550"):
        send(smtp_sink, "nobody@example.org")

    assert smtp_sink.to("nobody@example.org") == []


def test_a_held_reply_is_given_when_the_rule_falls(smtp_sink: Mailbox) -> None:
    smtp_sink.hold("slow@*")
    sender = threading.Thread(target=send, args=[smtp_sink, "slow@example.org"])
    sender.start()

    assert until(lambda: smtp_sink.is_holding("slow@example.org"))
    assert smtp_sink.to("slow@example.org") == []
    smtp_sink.answer_normally()
    sender.join()
    assert len(smtp_sink.to("slow@example.org")) == 1


def test_a_sender_that_dies_while_held_has_delivered_nothing(smtp_sink: Mailbox) -> None:
    smtp_sink.hold("dying@*")
    server = smtplib.SMTP("127.0.0.1", smtp_sink.port)
    server.helo()
    server.mail("from@example.org")
    server.rcpt("dying@example.org")
    server.putcmd("data")
    server.getreply()
    server.send(b"Subject: lost\r\n\r\nbody\r\n.\r\n")
    assert until(lambda: smtp_sink.is_holding("dying@example.org"))

    server.close()

    assert until(lambda: not smtp_sink.is_holding("dying@example.org"))
    smtp_sink.answer_normally()
    assert smtp_sink.to("dying@example.org") == []
