"""What `bin/demo --once` walks: real journeys of two tenants over HTTP, and what must hold when things break.

Every step says what it promises, does it, and looks at what an outsider can see: answers, inboxes, mail that arrived.
"""

import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chimeway_py.demo import commands
from chimeway_py.demo.client import Answer, Client, DidNotHold, expect, wait_for
from chimeway_py.demo.messages import Messages
from chimeway_py.demo.supervisor import Supervisor
from chimeway_py.embedded.broker import Broker
from chimeway_py.embedded.mailbox import Mailbox

MENTIONS = "mention_escalation"
EARLY = {
    "key": "scenario_early",
    "correlation": ["order_id"],
    "templates": {"hello": {"subject": "Your order", "text": "Order {{ data.order_id }}"}},
    "steps": [
        {"key": "mail", "kind": "deliver", "channel": "email", "template": "hello", "to": "data.email"},
        {
            "key": "answered",
            "kind": "wait",
            "for": "P1D",
            "signals": [{"name": "order.paid", "match": {"order_id": "run.correlation.order_id"}, "then": "complete"}],
        },
    ],
}


class Scenario:
    """One walk. `mail` and `broker` are None where the environment named servers of its own."""

    def __init__(
        self,
        one: Client,
        two: Client,
        supervisor: Supervisor,
        mail: Mailbox | None,
        broker: Broker | None,
        carried: Path,
        carriers_url: str,
    ) -> None:
        self.one, self.two, self.supervisor, self.mail, self.broker = one, two, supervisor, mail, broker
        self.mark = uuid.uuid4().hex[:8]  # this walk's own ids, so that it can be walked again
        self.messages = Messages(one, mail, carried, carriers_url, self.mark)
        self.runs: dict[str, str] = {}

    def walk(self, say: Callable[[str], None]) -> None:
        """All steps, in order. Raises DidNotHold at the first that does not hold."""
        for step in (
            self.a_mention_starts_a_run_in_each_tenant,
            self.the_same_signal_twice_gets_the_first_receipt,
            self.reading_one_message_leaves_the_other_run_waiting,
            self.an_unread_mention_is_mailed_once,
            self.what_was_read_is_never_mailed,
            self.an_early_signal_is_used,
            self.comments_become_one_message,
            self.a_broadcast_starts_a_run_for_each,
            *self.messages.steps(),
            self.a_killed_worker_costs_no_mail_and_doubles_none,
            self.a_flushed_broker_loses_nothing,
            self.the_other_tenant_sees_nothing,
        ):
            held = step()
            say(f"✓ {step.__name__.replace('_', ' ')}" + (f": {held}" if held else ""))

    # -- the steps ---------------------------------------------------------------------------------------------------

    def a_mention_starts_a_run_in_each_tenant(self) -> str:
        """Same workflow key, same subject, same message id; two tenants, two runs."""
        for client in (self.one, self.two):
            for name in ("read", "unread"):
                expect(self._mention(client, name).status == 202, "the webhook was not accepted")
        self.runs["read"] = self._run(self.one, "read")
        self.runs["unread"] = self._run(self.one, "unread")
        self.runs["theirs"] = self._run(self.two, "read")
        wait_for(lambda: len(self._inbox(self.one)) == 2 and len(self._inbox(self.two)) == 2, "four inbox items")
        return "the inbox items are there"

    def the_same_signal_twice_gets_the_first_receipt(self) -> str:
        """The sender repeats itself; nothing happens twice."""
        first, again = self._mention(self.one, "unread"), self._mention(self.one, "unread")
        expect((first.status, again.status) == (200, 200), f"answered {first.status}, {again.status}")
        expect(first.body["id"] == again.body["id"], "the receipts differ")
        other = self._mention(self.one, "unread", excerpt="another body")
        expect(other.status == 409, f"another body under the same id answered {other.status}")
        return "and another body under the same id is a 409"

    def reading_one_message_leaves_the_other_run_waiting(self) -> str:
        """Both are about the same person; the match is on the run."""
        item = next(item for item in self._inbox(self.one) if item["run_id"] == self.runs["read"])
        path = f"inbox/{self._subject}/{item['id']}/read"
        expect(self.one.ask("POST", path).status == 200, "the item could not be marked as read")
        self._wait_for_state(self.one, "read", "completed")
        expect(self._state(self.one, "unread") == "waiting", "the other run did not stay")
        expect(self._state(self.two, "theirs") == "waiting", "the other tenant's run did not stay")
        return "notification.read ended its own run only"

    def an_unread_mention_is_mailed_once(self) -> str:
        """The due time comes, and one mail."""
        self._wait_for_state(self.one, "unread", "completed")
        return self._mails("unread", 1)

    def what_was_read_is_never_mailed(self) -> str:
        """Its due time has passed as well by now."""
        self._wait_for_state(self.two, "theirs", "completed")
        return self._mails("read", 1, of=self.two) + "; none for the tenant who read it"

    def an_early_signal_is_used(self) -> str:
        """The signal comes while the mail before the wait is still under way."""
        self._publish(EARLY)
        order, address = f"order-{self.mark}", f"early-{self.mark}@example.org"
        self._hold(address)
        started = self.one.ask(
            "POST",
            "runs",
            {
                "workflow": EARLY["key"],
                "subject": self._subject,
                "correlation": {"order_id": order},
                "data": {"email": address, "order_id": order},
            },
        )
        expect(started.status == 201, f"the run was not started: {started.body}")
        self.runs["early"] = started.body["runs"][0]["id"]
        self._wait_until_held(address)
        sent = self.one.ask("POST", "signals", {"name": "order.paid", "correlation": {"order_id": order}})
        signal = f"signals/{sent.body['id']}/explain"
        wait_for(lambda: self.one.get(signal)["verdict"] == "buffered" or None, "the verdict buffered")
        self._let_go()
        self._wait_for_state(self.one, "early", "completed")
        expect(self.one.get(signal)["verdict"] == "matched", "the early signal was not used")
        return "buffered first, matched when the wait opened"

    def comments_become_one_message(self) -> str:
        """Three runs collect into one digest, which somebody flushes."""
        author, people = f"author-{self.mark}", ("Grace", "Edsger", "Barbara")
        for who in people:
            data = {"author_id": author, "post_id": "p1", "who": who, "said": "well done"}
            sent = self.one.ask("POST", "signals", {"name": "comment.created", "data": data})
            expect(sent.status == 202, f"the signal was not taken: {sent.body}")
        path = f"digests?subject={author}"
        full = wait_for(lambda: [one for one in self.one.get(path)["items"] if one["count"] == len(people)], "a digest")
        flushed = self.one.ask("POST", f"digests/{full[0]['id']}/flush", {"reason": "the demo does not wait"})
        expect(flushed.status == 200, f"the digest was not flushed: {flushed.body}")
        items = wait_for(lambda: self.one.get(f"inbox/{author}")["items"], "the message about comments")
        expect([item["title"] for item in items] == ["3 comments"], f"the inbox has {items}")
        return "three runs, one inbox item"

    def a_broadcast_starts_a_run_for_each(self) -> str:
        """A draft, a preview, a start; one of the readers is listed twice, and one wants no news."""
        readers = [f"{name}-{self.mark}" for name in ("annie", "katherine", "annie", "dorothy")]
        refusal = {"rules": [{"category": "news", "allowed": False}]}
        refused = self.one.ask("PUT", f"recipients/{readers[-1]}/preferences", refusal)
        expect(refused.status == 200, f"the preference was not taken: {refused.body}")
        whom = {"workflow": "weekly_news", "subjects": readers, "correlation": {"issue": self.mark}}
        draft = self.one.ask("POST", "broadcasts", {**whom, "data": {"headline": "We have moved"}})
        expect(draft.status == 201, f"the draft was not taken: {draft.body}")
        path = f"broadcasts/{draft.body['id']}"
        token = self.one.ask("POST", f"{path}/preview").body["token"]
        started = self.one.ask("POST", f"{path}/start", {"token": token})
        expect(started.status in (200, 202), f"the broadcast did not start: {started.body}")
        wait_for(lambda: self.one.get(path)["status"] == "completed" or None, "the end of the broadcast")
        wait_for(lambda: all(self.one.get(f"inbox/{who}")["items"] for who in readers[:2]), "the news in two inboxes")
        mine = f"runs?broadcast={draft.body['id']}"
        wait_for(lambda: all(one["finished_at"] for one in self.one.get(mine)["items"]), "the end of its runs")
        told = [len(self.one.get(f"inbox/{who}")["items"]) for who in sorted(set(readers))]
        expect(told == [1, 0, 1], f"the inboxes have {told}")
        return "two were told, one twice in the list was told once, one who wants no news was not"

    def a_killed_worker_costs_no_mail_and_doubles_none(self) -> str:
        """SIGKILL to the delivery worker while the mail server has the message and has not answered."""
        address = self._address("killed", self.one)
        self._hold(address)
        self._mention(self.one, "killed")
        self.runs["killed"] = self._run(self.one, "killed")
        self._wait_until_held(address)
        self.supervisor.child("work").kill()
        wait_for(lambda: self.mail is None or not self.mail.is_holding(address), "the connection's end")
        self._let_go()
        self._wait_for_state(self.one, "killed", "completed", seconds=60)
        attempts = self.one.get(f"runs/{self.runs['killed']}/attempts")["items"]
        numbers = [(one["number"], one["status"]) for one in attempts if one["step"] == "email"]
        expect(numbers == [(1, "lost"), (2, "finished")], f"attempts were {numbers}")
        return "attempt 1 lost, attempt 2 delivered; " + self._mails("killed", 1)

    def a_flushed_broker_loses_nothing(self) -> str:
        """Everything in Redis is gone while a run waits."""
        self._mention(self.one, "flushed")
        self.runs["flushed"] = self._run(self.one, "flushed")
        self._wait_for_state(self.one, "flushed", "waiting")
        if self.broker is None:
            return "not done: the broker is yours; " + self._mails_after_end("flushed")
        self.broker.flush()
        return "FLUSHALL while it waited; " + self._mails_after_end("flushed")

    def the_other_tenant_sees_nothing(self) -> str:
        """Tenant two asks for tenant one's run, item and signal by their ids."""
        run = self.runs["unread"]
        item = next(item for item in self._inbox(self.one) if item["run_id"] == run)
        signal = self.one.get("signals?name=mention.created&limit=1")["items"][0]["id"]
        asked = [
            self.two.ask("GET", f"runs/{run}"),
            self.two.ask("GET", f"runs/{run}/explain"),
            self.two.ask("GET", f"runs/{run}/trace"),
            self.two.ask("GET", f"signals/{signal}"),
            self.two.ask("POST", f"runs/{run}/cancel", {"reason": "not mine"}),
            self.two.ask("POST", f"inbox/{self._subject}/{item['id']}/read"),
        ]
        expect([answer.status for answer in asked] == [404] * len(asked), f"{[answer.status for answer in asked]}")
        forged = Client(self.one.url, "forged", "", self.one.source, self.two.secret)
        expect(forged.hook({"type": "mention.created", "id": "forged"}).status == 401, "a forged webhook was taken")
        return f"{len(asked)} × 404, and a webhook with their secret is a 401"

    # -- at the end ----------------------------------------------------------------------------------------------------

    def explanations(self) -> str:
        """One run of each kind, in a sentence, and what its trace proves."""
        lines = []
        for name, run in {**self.runs, **self.messages.runs}.items():
            client = self.two if name == "theirs" else self.one
            said = client.get(f"runs/{run}/explain")
            lines.append(f"  {name:<8} {said['state']:<10} {said['sentence']}")
        return "\n".join(lines)

    def verified(self, env: Mapping[str, str]) -> str:
        """The answer of `manage.py verify_trace` for both tenants. Raises DidNotHold when it finds a fault."""
        answers = []
        for client in (self.one, self.two):
            command = [sys.executable, "manage.py", "verify_trace", "--tenant", client.slug, "--all"]
            done = subprocess.run(command, env=env, cwd=commands.ROOT, capture_output=True, text=True, check=False)
            expect(done.returncode == 0, f"verify_trace: {done.stdout}{done.stderr}")
            answers.append(f"  {client.slug}: {done.stdout.strip().splitlines()[-1]}")
        return "\n".join(answers)

    # -- hands ---------------------------------------------------------------------------------------------------------

    @property
    def _subject(self) -> str:
        return f"ada-{self.mark}"

    def _address(self, name: str, client: Client) -> str:
        return f"{name}-{self.mark}@{client.slug}.example.org"

    def _mention(self, client: Client, name: str, **changed: str) -> Answer:
        return client.hook(
            {
                "type": "mention.created",
                "id": f"{name}-{self.mark}",
                "user_id": self._subject,
                "message_id": f"{name}-{self.mark}",
                "email": self._address(name, client),
                "author": "Grace",
                "excerpt": "Have you seen this?",
            }
            | changed
        )

    def _run(self, client: Client, name: str) -> str:
        """The id of the run that a mention started."""
        path = f"runs?workflow={MENTIONS}&subject={self._subject}&correlation.message_id={name}-{self.mark}"
        found: str = wait_for(lambda: [one["id"] for one in client.get(path)["items"]], f"the run of {name}")[0]
        return found

    def _state(self, client: Client, name: str) -> Any:
        return client.get(f"runs/{self.runs[name]}")["state"]

    def _wait_for_state(self, client: Client, name: str, state: str, seconds: float = 30.0) -> None:
        wait_for(lambda: self._state(client, name) == state or None, f"the run {name!r} {state}", seconds)

    def _inbox(self, client: Client) -> list[Any]:
        items: list[Any] = client.get(f"inbox/{self._subject}?limit=50")["items"]
        return items

    def _publish(self, document: Mapping[str, Any]) -> None:
        saved = self.one.ask("POST", "definitions", document)
        expect(saved.status in (200, 201), f"the definition was not taken: {saved.body}")
        version = saved.body["version"]
        published = self.one.ask("POST", f"definitions/{document['key']}/versions/{version}/publish")
        expect(published.status == 200, f"the definition was not published: {published.body}")

    def _mails_after_end(self, name: str) -> str:
        self._wait_for_state(self.one, name, "completed")
        return self._mails(name, 1)

    def _mails(self, name: str, count: int, of: Client | None = None) -> str:
        """Exactly so many mails arrived, and none for the address of the tenant who read."""
        if self.mail is None:
            return "mail not looked at: the mail server is yours"
        client = of or self.one
        try:
            found = self.mail.wait_for(self._address(name, client), count=count)
        except TimeoutError as error:
            raise DidNotHold(str(error)) from error
        expect(len(found) == count, f"{len(found)} mails for {name}, expected {count}")
        if of is self.two:
            expect(not self.mail.to(self._address(name, self.one)), "a mail for a message that was read")
        return f"{count} mail"

    def _hold(self, address: str) -> None:
        expect(self.mail is not None, "this step needs the embedded mail server: unset EMAIL_URL")
        if self.mail:
            self.mail.hold(address)

    def _wait_until_held(self, address: str) -> None:
        wait_for(lambda: self.mail is not None and self.mail.is_holding(address), "the mail server holding the mail")

    def _let_go(self) -> None:
        if self.mail:
            self.mail.answer_normally()
