"""The part of the scenario that is about messages: who carries them, in whose words, and who does not get them."""

import json
import re
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chimeway_py.demo.carriers import CHAT, CHAT_DOWN, NOT_REACHED, PUSH, TEXTS, subscription
from chimeway_py.demo.client import Client, DidNotHold, expect, wait_for
from chimeway_py.embedded.mailbox import Mailbox

MOST_TEXTS = 20  # a day, as the cap that is made at the start says
REFUSED = "the recipient said no to category news, channel email"


class Messages:
    """The steps of one tenant. `carried` is the folder of those who carry; `mail` is None where the server is yours."""

    def __init__(self, client: Client, mail: Mailbox | None, carried: Path, carriers_url: str, mark: str) -> None:
        self.client, self.mail, self.carried, self.carriers_url, self.mark = client, mail, carried, carriers_url, mark
        self.runs: dict[str, str] = {}

    def steps(self) -> tuple[Callable[[], str], ...]:
        """All of them, in order."""
        return (
            self.a_text_speaks_german_and_is_reported_as_delivered,
            self.a_text_that_did_not_arrive_becomes_a_mail_in_its_layout,
            self.another_provider_steps_in_for_one_that_is_down,
            self.only_the_browser_reads_a_push,
            self.a_throttle_lets_two_pass,
            self.one_click_unsubscribes,
            self.a_mail_that_bounced_is_the_last_one,
            self.what_bounced_is_sent_again_by_hand,
            self.quiet_hours_hold_a_mail_back,
            self.what_is_held_goes_out_when_the_hours_are_lifted,
            self.a_cap_holds_one_text_too_many_back,
            self.a_segment_gets_a_broadcast,
            self.a_file_gets_a_broadcast,
        )

    # -- words and providers -------------------------------------------------------------------------------------------

    def a_text_speaks_german_and_is_reported_as_delivered(self) -> str:
        """A stored template in German; the carrier's signed report ends the wait of the run."""
        number = self._person("lise", "sms", self._number("11"), locale="de-AT")
        self.runs["text"] = run = self._parcel("lise")
        text = self._carried(TEXTS, number)
        expect(text["Body"].startswith("Ihr Paket"), f"the text was {text['Body']}")
        self._ended(run, "completed")
        (sent,) = self._deliveries(run)
        expect((sent["status"], bool(sent["confirmed_at"])) == ("delivered", True), f"the delivery was {sent}")
        return "“Ihr Paket …”, and notification.delivered ended the wait"

    def a_text_that_did_not_arrive_becomes_a_mail_in_its_layout(self) -> str:
        """The carrier reports a failure after it took the message; the step's `on_outcome` leads to a mail."""
        self._person("katherine", "sms", self._number("00"), locale="de")
        self.runs["no text"] = run = self._parcel("katherine")
        self._ended(run, "completed")
        by_channel = {one["channel"]: one for one in self._deliveries(run)}
        failed = by_channel["sms"]
        expect(failed["status"] == "permanent_failure", f"the text was {failed}")
        expect(NOT_REACHED in failed["error"], f"the error was {failed['error']}")
        expect(by_channel["email"]["status"] == "delivered", f"the mail was {by_channel['email']}")
        mail = self._mail("katherine", "unterwegs")
        if mail is not None:
            said = mail.get_body(("plain",)).get_content()
            expect("Das Paketamt" in said, f"the mail was not in its layout: {said}")
        return f"reported as {NOT_REACHED}, then a mail in the layout “letter”, in German"

    def another_provider_steps_in_for_one_that_is_down(self) -> str:
        """The first chat answers 503, the second takes it, in the same try."""
        self._person("ada", "push", subscription(self.carriers_url, self._named("ada")))
        self.sign_in = self._sign_in("1")
        self._ended(self.sign_in, "completed")
        chat = next(one for one in self._deliveries(self.sign_in) if one["channel"] == "chat")
        expect((chat["status"], chat["provider"]) == ("delivered", "team_chat_too"), f"the chat was {chat}")
        mine = {path for path, body in self._posts() if self.mark in body and "AdaptiveCard" in body}
        expect(CHAT in mine, f"the card came to {mine}")
        tries = [one for one in self.client.get(f"runs/{self.sign_in}/attempts")["items"] if one["step"] == "team"]
        expect(len(tries) == 1, f"it took {len(tries)} tries")
        how = "asked first, answered 503" if CHAT_DOWN in mine else "not asked, as it is known to be down"
        return f"team_chat {how}; team_chat_too took it in the same try"

    def only_the_browser_reads_a_push(self) -> str:
        """Encrypted for one browser, which shows it."""
        shown = self._carried(PUSH, self._named("ada"), where="path")
        expect(shown["title"] == "A new device signed in", f"the browser shows {shown}")
        return f"the browser shows “{shown['title']}”"

    def a_throttle_lets_two_pass(self) -> str:
        """Two alerts an hour; the third stops, says what used the budget up, and is in the history."""
        self._ended(self._sign_in("2"), "completed")
        self.runs["third"] = third = self._sign_in("3")
        self._ended(third, "stopped")
        sentence = self.client.get(f"runs/{third}/explain")["sentence"]
        expect("2 per PT1H, used up by" in sentence, f"the explanation was {sentence}")
        withheld = self.client.get(f"recipients/{self._named('ada')}/history?error=throttled")["items"]
        expect([one["run_id"] for one in withheld] == [third], f"what was withheld is {withheld}")
        return "the third stopped: 2 per PT1H are used up"

    # -- who does not get them -----------------------------------------------------------------------------------------

    def one_click_unsubscribes(self) -> str:
        """What a mail program posts (RFC 8058); the next news stays away and says why."""
        self._person("grace", "email", self._address("grace"))
        self._ended(self._news("grace", "1"), "completed")
        mail = self._mail("grace", "News")
        if mail is None:
            return "not done: the mail server is yours"
        link = re.sub(r"[<>\s]", "", str(mail["List-Unsubscribe"]))
        click = urllib.request.Request(link, b"List-Unsubscribe=One-Click", method="POST")  # noqa: S310  our own
        urllib.request.urlopen(click, timeout=30).close()  # noqa: S310
        self.runs["refused"] = self._news("grace", "2")
        self._ended(self.runs["refused"], "completed")
        whys = [one["why"] for one in self._history("grace", "email")]
        expect(REFUSED in whys[0] and whys[1].startswith("Sent"), f"the history was {whys}")
        return f"“{whys[0]}”"

    def a_mail_that_bounced_is_the_last_one(self) -> str:
        """A report by REST, from a system without an account here; the address is left alone from then on."""
        self._person("linus", "email", self._address("linus"))
        first = self._news("linus", "1")
        self._ended(first, "completed")
        mail = next(one for one in self._deliveries(first) if one["channel"] == "email")
        told = self.client.ask("POST", f"deliveries/{mail['id']}/bounce", {"code": "5.1.1"})
        expect(told.status == 200, f"the bounce was not taken: {told.body}")
        self._ended(self._news("linus", "2"), "completed")
        found = [(one["status"], one["error"]) for one in self._history("linus", "email")]
        expect(found == [("suppressed", "bounced_before"), ("bounced", "bounced 5.1.1")], f"the history was {found}")
        by_address = self.client.ask("POST", "deliveries/search", {"address": self._address("linus").upper()})
        expect(len(by_address.body["items"]) == len(found), f"by the address there was {by_address.body}")
        return "bounced 5.1.1, then suppressed (bounced_before); both are found by the address"

    def what_bounced_is_sent_again_by_hand(self) -> str:
        """A support desk does; the run had ended, and tells of both all the same."""
        bounced = next(one for one in self._history("linus", "email") if one["status"] == "bounced")
        again = self.client.ask("POST", f"deliveries/{bounced['id']}/resend", {"reason": "a new box"})
        expect(again.status == 201, f"it was not sent again: {again.body}")
        path = f"deliveries/{again.body['id']}"
        wait_for(lambda: self.client.get(path)["status"] == "delivered", "the mail that is sent again")
        told = self.client.get(f"runs/{bounced['run_id']}/explain")["afterwards"]
        whats = [one["what"] for one in told]
        expect(whats == ["bounced", "resent"], f"what became of it was {told}")
        expect(self.client.get(path)["resend_of"] == bounced["id"], "the new message does not name the old")
        return "sent again; the run that had ended tells of the bounce and of the resend"

    def quiet_hours_hold_a_mail_back(self) -> str:
        """It is night where somebody lives, whatever the time here."""
        night = self._night("edsger")
        self.runs["night"] = run = self._held("edsger")
        sentence = self.client.get(f"runs/{run}/explain")["sentence"]
        expect(f"quiet hours {night['from']}–{night['to']}" in sentence, f"the explanation was {sentence}")
        return f"“{sentence.partition(': ')[2]}”"

    def what_is_held_goes_out_when_the_hours_are_lifted(self) -> str:
        """Nobody waits for the morning."""
        self._night("alan")
        run = self._held("alan")
        self._person("alan", "email", self._address("alan"), quiet_hours=[])
        self._ended(run, "completed")
        reasons = [line["reason"] for line in self.client.get(f"runs/{run}/trace")["items"]]
        expect("work_released" in reasons, f"the trace was {reasons}")
        statuses = [one["status"] for one in self._history("alan", "email")]
        expect(statuses == ["delivered"], f"the history was {statuses}")
        return "the mail went out hours before the end of the night, and the trace says why"

    def a_cap_holds_one_text_too_many_back(self) -> str:
        """At most 20 texts a day to one person; one more waits until there is room."""
        self._person("barbara", "sms", self._number("12"))
        for number in range(MOST_TEXTS + 1):
            self._tell_of_parcel(f"barbara-{number}", self._named("barbara"))
        hers = f"deliveries?subject={self._named('barbara')}&channel=sms&limit=50"
        held = wait_for(lambda: self.client.get(f"{hers}&held=true")["items"], "a text that is held back")
        wait_for(
            lambda: len(self.client.get(f"{hers}&status=delivered")["items"]) == MOST_TEXTS, "all others to be sent"
        )
        expect([one["held_by"] for one in held] == ["cap"], f"held back was {held}")
        return f"{MOST_TEXTS} were sent, one waits until {held[0]['held_until'][:16].replace('T', ' ')} UTC"

    # -- to many -------------------------------------------------------------------------------------------------------

    def a_segment_gets_a_broadcast(self) -> str:
        """Whoever meets a condition when it starts."""
        for name in ("mary", "joan"):
            self._person(name, "email", self._address(name), attributes={"group": self.mark})
        condition = {"path": "recipient.attributes.group", "eq": self.mark}
        stored = self.client.ask("PUT", f"segments/group_{self.mark}", {"name": "The demo's", "condition": condition})
        expect(stored.status in (200, 201), f"the segment was not taken: {stored.body}")
        return self._broadcast({"segment": f"group_{self.mark}"}, expected=2)

    def a_file_gets_a_broadcast(self) -> str:
        """A CSV with headings of its own; one line is there twice."""
        people = [self._named(name) for name in ("hedy", "radia", "hedy")]
        lines = [f"{person},{person}@example.org" for person in people]
        columns = {"Customer": "subject", "E-mail": "recipient.addresses.email"}
        return self._broadcast({"columns": columns}, expected=2, file="\n".join(["Customer,E-mail", *lines]))

    def _broadcast(self, whom: dict[str, Any], *, expected: int, file: str = "") -> str:
        said = {"workflow": "weekly_news", "correlation": {"issue": self.mark}, "data": {"headline": "We have moved"}}
        draft = self.client.ask("POST", "broadcasts", {**said, **whom})
        expect(draft.status == 201, f"the draft was not taken: {draft.body}")
        path = f"broadcasts/{draft.body['id']}"
        if file:
            taken = self.client.upload(f"{path}/targets", file, "text/csv")
            expect(taken.status == 200, f"the file was not taken: {taken.body}")
        token = self.client.ask("POST", f"{path}/preview").body["token"]
        started = self.client.ask("POST", f"{path}/start", {"token": token})
        expect(started.status in (200, 202), f"the broadcast did not start: {started.body}")
        wait_for(lambda: self.client.get(path)["status"] == "completed" or None, "the end of the broadcast")
        end = self.client.get(path)
        expect(end["started"] == expected, f"the broadcast was {end}")
        return str(end["sentence"])

    # -- hands ---------------------------------------------------------------------------------------------------------

    def _named(self, name: str) -> str:
        return f"{name}-{self.mark}"

    def _address(self, name: str) -> str:
        return f"{self._named(name)}@example.org"

    def _number(self, end: str) -> str:
        return f"+4366{int(self.mark, 16) % 10**7:07}{end}"

    def _person(self, name: str, channel: str, address: Any, **more: Any) -> Any:
        """A recipient of this walk, with an address for mail in any case; returns the address that was asked for."""
        said = {"addresses": {"email": self._address(name), channel: address}, **more}
        stored = self.client.ask("PUT", f"recipients/{self._named(name)}", said)
        expect(stored.status in (200, 201), f"the recipient was not taken: {stored.body}")
        return address

    def _night(self, name: str) -> dict[str, str]:
        """Somebody where it is night now, and lasts for hours."""
        now = datetime.now(UTC)
        night = {"from": f"{now - timedelta(hours=2):%H:%M}", "to": f"{now + timedelta(hours=2):%H:%M}"}
        self._person(name, "email", self._address(name), zone="UTC", quiet_hours=[night])
        return night

    def _held(self, name: str) -> str:
        """A run with news for them, whose mail is held back by the night."""
        run = self._news(name, "1")
        held = wait_for(lambda: [one for one in self._deliveries(run) if one["held_by"]], "a mail that is held back")
        expect(held[0]["held_by"] == "quiet_hours", f"the mail was {held[0]}")
        return run

    def _parcel(self, name: str) -> str:
        parcel = self._tell_of_parcel(name, self._named(name))
        return self._run_of("parcel_sent", f"correlation.parcel_id={parcel}")

    def _tell_of_parcel(self, number: str, customer: str) -> str:
        data = {"customer_id": customer, "parcel_id": f"P-{self.mark}-{number}", "arrives_on": "24.12."}
        self._signal("parcel.sent", data)
        return data["parcel_id"]

    def _sign_in(self, number: str) -> str:
        sign_in = f"{self.mark}-{number}"
        data = {"user_id": self._named("ada"), "sign_in_id": sign_in, "device": "a phone"}
        self._signal("sign_in.new", data)
        return self._run_of("sign_in_alert", f"correlation.sign_in_id={sign_in}")

    def _signal(self, name: str, data: dict[str, str]) -> None:
        sent = self.client.ask("POST", "signals", {"name": name, "data": data})
        expect(sent.status == 202, f"the signal was not taken: {sent.body}")

    def _run_of(self, workflow: str, which: str) -> str:
        """The run that a signal starts."""
        path = f"runs?workflow={workflow}&{which}"
        found: str = wait_for(lambda: [one["id"] for one in self.client.get(path)["items"]], f"a run of {workflow}")[0]
        return found

    def _news(self, name: str, issue: str) -> str:
        said = {"correlation": {"issue": f"{self.mark}-{issue}"}, "data": {"headline": "All is well"}}
        started = self.client.ask("POST", "runs", {"workflow": "weekly_news", "subject": self._named(name), **said})
        expect(started.status == 201, f"the run was not started: {started.body}")
        run: str = started.body["runs"][0]["id"]
        return run

    def _ended(self, run: str, state: str) -> None:
        ended = wait_for(lambda: (at := self.client.get(f"runs/{run}"))["finished_at"] and at, f"the end of run {run}")
        expect(ended["state"] == state, f"the run {run} is {ended['state']}, expected {state}")

    def _deliveries(self, run: str) -> list[Any]:
        found: list[Any] = self.client.get(f"deliveries?run={run}")["items"]
        return found

    def _history(self, name: str, channel: str) -> list[Any]:
        found: list[Any] = self.client.get(f"recipients/{self._named(name)}/history?channel={channel}")["items"]
        return found

    def _mail(self, name: str, words: str) -> Any:
        """The mail to a person; None where nobody can look."""
        if self.mail is None:
            return None
        try:
            found = self.mail.wait_for(self._address(name))
        except TimeoutError as error:
            raise DidNotHold(str(error)) from error
        expect(words in str(found[0]["Subject"]), f"the subject was {found[0]['Subject']}")
        return found[0]

    def _posts(self) -> list[tuple[str, str]]:
        """(path, body) of everything that was carried."""
        read = (json.loads(file.read_text()) for file in sorted(self.carried.glob("*.json")))
        return [(one["path"], one["body"]) for one in read]

    def _carried(self, below: str, word: str, where: str = "body") -> Any:
        """What somebody carried below a path that names a word, once it is there."""

        def look() -> list[str]:
            posts = [(path, body) for path, body in self._posts() if path.startswith(below)]
            return [body for path, body in posts if word in (path if where == "path" else body)]

        return json.loads(wait_for(look, f"what was carried for {word}")[0])
