"""A canary goes through the whole service, real processes and all, and is then looked for in every store there is.

It must come out where its owner asks for it: the mail, the inbox, the export, the calls that carry it. It must be seen
nowhere else. So must every secret: of senders, endpoints, subscriptions, providers, steps and keys, and what the
service runs on: its own keys, and its passwords for the mail server, the database and the broker.
"""

import json
import os
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client, override_settings
from django.urls import NoReverseMatch, reverse

from chimeway_py.embedded.broker import Broker
from chimeway_py.embedded.mailbox import Mailbox
from deliveries.services import put_endpoint
from deliveries.services.endpoints import rotate_secret
from deliveries.services.providers import put_provider
from signals_app.services.sources import create_source
from tenants.admin.paging import page_of
from tenants.models import Role, Tenant
from tenants.models.api_key import Scope
from tenants.models.tenant import TenantRow
from tenants.scope import tenant_scope
from tenants.services import create_api_key, create_tenant, set_role
from tenants.services.secrets import put_secret
from tests.fleet import Web, Workers
from tests.journeys import publish
from tests.leaks import of_settings
from tests.plugin import Servers
from tests.privacy.conftest import JOURNEY, tables_with
from workflows.events.subscriptions import put_subscription, rotate_subscription_secret

PAYLOAD = "canary-of-a-payload-kx9"
SECRETS = ["canary-of-a-signing-secret", "canary-of-a-secret-that-steps-name"]
CREDENTIALS = ["canary-of-a-twilio-token", "canary-of-a-slack-hook", "canary-of-a-mail-password"]


class Receiver(ThreadingHTTPServer):
    """Takes whatever goes out and answers with all that it was told: with 500 at /broken, 400 at /bad."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.told: list[tuple[str, str]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def wait_for(self, *paths: str) -> None:
        """Return when each of these was asked for."""
        deadline = time.monotonic() + 60
        while missing := set(paths) - {path.partition("?")[0] for path, _ in self.told}:
            assert time.monotonic() < deadline, f"nobody asked for {missing}"
            time.sleep(0.1)


class Echo(BaseHTTPRequestHandler):
    """One request."""

    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        said = f"{self.path}\n{self.headers}\n{body}"
        self.server.told.append((self.path, said))
        answer = json.dumps({"echo": said, "message": said, "code": 21211}).encode()
        self.send_response(500 if "/broken" in self.path else 400 if "/bad" in self.path else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def calling(url: str) -> dict[str, Any]:
    """A journey that tells the receiver everything, by every way out, and is refused by half of them."""
    header = {"Authorization": {"secret": "token", "prefix": "Bearer "}, "X-Note": "data.secret"}
    call = {"kind": "http", "headers": header, "body": {"note": "data.secret"}, "sign": "token"}
    refused = {"retry": {"max_attempts": 1}, "on_outcome": {"permanent_failure": "next", "retries_exhausted": "next"}}
    words = {"title": "To {{ data.secret }}", "subject": "To {{ data.secret }}", "text": "Dear {{ data.secret }}"}
    return {
        "key": "calling",
        "templates": {"words": words},
        "steps": [
            {"key": "call", **call, "url": f"{url}/call?note={{{{ data.secret }}}}", "answer": "told"},
            {"key": "bad", **call, **refused, "url": f"{url}/bad/call"},
            {"key": "broken", **call, **refused, "url": f"{url}/broken/call"},
            {"key": "nowhere", **call, **refused, "url": "http://127.0.0.1:65533/{{ data.secret }}"},
            {"key": "short", "kind": "deliver", "channel": "sms", "template": "words", **refused},
            {"key": "chat", "kind": "deliver", "channel": "chat", "template": "words", **refused},
            {"key": "letter", "kind": "deliver", "channel": "email", "template": "words", **refused},
            {"key": "hook", "kind": "deliver", "channel": "webhook", "endpoint": "broken", **refused},
        ],
    }


class Monitor(threading.Thread):
    """Everything that is said to the broker, as it is said."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(daemon=True)
        self.client = redis.Redis.from_url(broker.url)
        self.heard: list[str] = []
        self.ends = threading.Event()

    def run(self) -> None:
        with self.client.monitor() as monitor:
            while not self.ends.is_set():
                self.heard.append(str(monitor.next_command()["command"]))


class Walked:
    """A journey with canaries in it, walked by real processes."""

    def __init__(self, tenant: Tenant, url: str, token: str, receiver: Receiver, broker_heard: list[str]) -> None:
        self.tenant, self.url, self.token, self.receiver, self.broker_heard = tenant, url, token, receiver, broker_heard

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        """The status and text of an answer of REST."""
        data = json.dumps(body).encode() if body is not None else None
        said = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        request = urllib.request.Request(f"{self.url}{path}", data, said, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture(scope="module")
def walked(servers: Servers) -> Iterator[Walked]:
    """Signals, a run, an inbox item and a mail with the canary in them, and secrets of every kind."""
    logs = servers.folder / "canary-logs"
    before, os.environ["LOG_LEVEL"] = os.environ.get("LOG_LEVEL", ""), "DEBUG"
    os.environ["CELERY_LOG_LEVEL"] = "DEBUG"
    workers, web, monitor, receiver = Workers(logs), Web(logs), Monitor(servers.broker), Receiver()
    try:
        monitor.start()
        workers.start()
        web.start()
        with override_settings(OUTBOUND_ALLOWED_NETWORKS=["127.0.0.0/8"]):
            tenant, token = _furnished(receiver.url)
        walked = Walked(tenant, web.url, token, receiver, monitor.heard)
        _walk(walked, servers.mailbox)
        with override_settings(OUTBOUND_ALLOWED_NETWORKS=["127.0.0.0/8"]):
            _give_mail_account(tenant, servers.mailbox)
        _call(walked)
        _break(walked, servers)
        yield walked
    finally:
        monitor.ends.set()
        web.stop()
        workers.stop()
        receiver.shutdown()
        os.environ["LOG_LEVEL"] = before
        del os.environ["CELERY_LOG_LEVEL"]


def _furnished(url: str) -> tuple[Tenant, str]:
    tenant = create_tenant(slug=f"canary-{os.getpid()}-{time.time_ns()}")
    publish(tenant, JOURNEY)
    mapping = {"name": "type", "external_id": "id"}
    create_source(tenant_id=tenant.pk, key="crm", scheme="github", mapping=mapping, secret=SECRETS[0])
    put_secret(tenant_id=tenant.pk, key="token", value=SECRETS[1])
    SECRETS.append(put_endpoint(tenant_id=tenant.pk, key="pager", url="https://example.com/hook").secret)
    SECRETS.append(put_endpoint(tenant_id=tenant.pk, key="broken", url=f"{url}/broken/hook").secret)
    SECRETS.append(rotate_secret(tenant_id=tenant.pk, key="broken").secret)
    SECRETS.append(put_subscription(tenant_id=tenant.pk, key="crm", url=f"{url}/broken/events").secret)
    SECRETS.append(rotate_subscription_secret(tenant_id=tenant.pk, key="crm", overlap=timedelta(hours=1)).secret)
    _give_providers(tenant, url)
    publish(tenant, calling(url))
    SECRETS.extend([*CREDENTIALS, *of_settings()])
    SECRETS.append(create_api_key(tenant_id=tenant.pk, name="canary", scopes=Scope.values).token)
    return tenant, SECRETS[-1]


def _give_providers(tenant: Tenant, url: str) -> None:
    """Accounts whose messages are refused."""
    token, hook, _ = CREDENTIALS
    sid = {"account_sid": "AC1", "from": "+4312345", "url": f"{url}/bad"}
    put_provider(tenant_id=tenant.pk, key="texts", kind="twilio", config=sid, credentials={"auth_token": token})
    put_provider(tenant_id=tenant.pk, key="room", kind="slack", credentials={"url": f"{url}/broken/{hook}"})


def _give_mail_account(tenant: Tenant, mailbox: Mailbox) -> None:
    """The tenant's own, from now on. Its server knows no TLS, without which no password is told."""
    config = {"host": "127.0.0.1", "port": mailbox.port, "security": "starttls", "from": "us@example.com"}
    told = {"username": "us", "password": CREDENTIALS[2]}
    put_provider(tenant_id=tenant.pk, key="mails", kind="smtp", config=config, credentials=told)


def _walk(walked: Walked, mailbox: Mailbox) -> None:
    data = {"user": "ada", "secret": PAYLOAD, "email": f"{PAYLOAD}@example.com", "thread": "t1"}
    started = {"workflow": "mention", "subject": "ada", "data": data, "correlation": {"thread": "t1"}}
    assert walked.ask("POST", "/v1/runs", started, **{"Idempotency-Key": "start"})[0] in (200, 201)
    assert walked.ask("POST", "/v1/signals", {"name": "mention.created", "data": data})[0] == 202
    mailbox.wait_for(f"{PAYLOAD}@example.com", count=2)
    refused = {"name": "user.paid", "correlation": {"thread": "t1"}, "data": {"secret": PAYLOAD}}
    status, receipt = walked.ask("POST", "/v1/signals", refused, **{"Idempotency-Key": "paid"})
    assert status == 202
    deadline = time.monotonic() + 60
    while '"rejected"' not in walked.ask("GET", f"/v1/signals/{json.loads(receipt)['id']}")[1]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    item = json.loads(walked.ask("GET", "/v1/inbox/ada")[1])["items"][0]["id"]
    assert walked.ask("POST", f"/v1/inbox/ada/{item}/read", **{"Idempotency-Key": "read"})[0] == 200
    bad = {"name": "Not A Name", "data": {"secret": PAYLOAD}}
    assert walked.ask("POST", "/v1/signals", bad)[0] == 400


def _call(walked: Walked) -> None:
    """Go out by every way, and be refused and broken off there."""
    data = {"secret": PAYLOAD, "phone": "+436601234567", "email": "bob@example.com"}
    started = {"workflow": "calling", "subject": "bob", "data": data}
    assert walked.ask("POST", "/v1/runs", started, **{"Idempotency-Key": "calling"})[0] in (200, 201)
    hook = f"/broken/{CREDENTIALS[1]}"
    ways = ("/call", "/bad/call", "/broken/call", hook, "/broken/hook", "/broken/events")
    walked.receiver.wait_for(*ways, "/bad/2010-04-01/Accounts/AC1/Messages.json")
    deadline = time.monotonic() + 60
    while '"completed"' not in walked.ask("GET", "/v1/runs?workflow=calling")[1]:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _break(walked: Walked, servers: Servers) -> None:
    """Let the service fail in the middle of what it does with the canary."""
    with servers.postgres.connect() as owner:
        owner.execute("ALTER TABLE signals_app_signalkey RENAME TO away")
        owner.commit()
        body = {"name": "user.seen", "subject": "ada", "data": {"secret": PAYLOAD}}
        try:
            status, text = walked.ask("POST", "/v1/signals", body)
        finally:
            owner.execute("ALTER TABLE away RENAME TO signals_app_signalkey")
            owner.commit()
    assert status >= 500
    assert PAYLOAD not in text


def test_its_owner_finds_the_payload(walked: Walked, servers: Servers) -> None:
    assert PAYLOAD in walked.ask("GET", "/v1/inbox/ada")[1]
    assert PAYLOAD in walked.ask("GET", "/v1/subjects/ada/export")[1]
    assert PAYLOAD in str(servers.mailbox.to(f"{PAYLOAD}@example.com")[0])


def test_whom_they_are_for_hears_payload_and_secrets(walked: Walked, servers: Servers) -> None:
    """What is looked for below was on its way: otherwise nothing would be found for want of anything to find."""
    told = dict(walked.receiver.told)
    call = next(said for path, said in told.items() if path.startswith("/call"))

    assert PAYLOAD in call
    assert f"Bearer {SECRETS[1]}" in call
    twilio = told["/bad/2010-04-01/Accounts/AC1/Messages.json"]
    assert b64encode(f"AC1:{CREDENTIALS[0]}".encode()).decode() in twilio
    assert servers.mailbox.to(f"{PAYLOAD}@example.com")[0]["X-Envelope-Login"] == "chimeway"
    assert urlsplit(os.environ["EMAIL_URL"]).password in SECRETS
    tried = {one["step"]: one for one in json.loads(walked.ask("GET", "/v1/deliveries?channel=email")[1])["items"]}
    assert tried["letter"]["error"] == "connect SMTPNotSupportedError"  # of the tenant's own account
    assert all("webhook-signature" in told[path].lower() for path in ("/broken/hook", "/broken/events"))


def test_no_table_shows_it(walked: Walked, servers: Servers) -> None:
    assert tables_with(servers, PAYLOAD) == set()
    assert tables_with(servers, *SECRETS, *(secret.removeprefix("whsec_") for secret in SECRETS)) == set()


def test_no_log_shows_it(walked: Walked, servers: Servers) -> None:
    files = [path for path in servers.folder.rglob("*") if path.is_file()]
    logs = [path for path in files if "log" in path.relative_to(servers.folder).as_posix()]
    said = {path: path.read_bytes().decode(errors="replace") for path in logs}

    assert any("attempt_finished" in text for text in said.values())  # the right files, at the right level
    assert any("does not exist" in text for text in said.values())
    shown = {path.name for path, text in said.items() if any(one in text for one in (PAYLOAD, *SECRETS))}
    assert shown == set()


def test_the_broker_never_hears_of_it(walked: Walked, broker: Broker) -> None:
    with redis.Redis.from_url(broker.url) as client:
        kept = [client.dump(key) for key in client.scan_iter()]

    assert any("workflows.tasks.run_engine" in said for said in walked.broker_heard)
    for canary in (PAYLOAD, *SECRETS):
        assert not any(canary in said for said in walked.broker_heard)
        assert not any(canary.encode() in (dumped or b"") for dumped in kept)


def test_no_metric_shows_it(walked: Walked) -> None:
    status, text = walked.ask("GET", "/metrics")

    assert (status, "chimeway_runs" in text) == (200, True)
    assert not any(canary in text for canary in (PAYLOAD, *SECRETS))


def test_no_error_shows_it(walked: Walked) -> None:
    """Whatever is wrong with a request, the answer quotes nothing of it; nor does it tell what is stored."""
    said = {"name": "user.seen", "subject": "ada", "data": {"secret": PAYLOAD}, "more": SECRETS[1]}
    wrong: list[tuple[str, str, Any, dict[str, str]]] = [
        ("POST", "/v1/signals", said, {}),
        ("POST", "/v1/signals", {**said, "name": PAYLOAD}, {}),
        ("POST", "/v1/signals", [said], {}),
        ("POST", "/v1/runs", {"workflow": "calling", "subject": "x", "data": PAYLOAD, "more": SECRETS[1]}, {}),
        ("POST", "/v1/signals", said, {"Authorization": f"Bearer {walked.token}x"}),
        ("DELETE", "/v1/signals", said, {}),
        ("PUT", "/v1/providers/texts", {"kind": "twilio", "credentials": {"auth_token": [SECRETS[1]]}}, {}),
        ("PUT", "/v1/providers/room", {"kind": "slack", "credentials": {"url": CREDENTIALS[1]}}, {}),
        ("PUT", "/v1/secrets/token", {"value": [SECRETS[1]]}, {}),
        ("POST", "/hooks/crm", said, {"X-Hub-Signature-256": f"sha256={SECRETS[0]}"}),
        ("GET", "/admin/nowhere/", None, {}),
        ("POST", "/admin/login/", {"username": "x", "password": SECRETS[1]}, {}),
    ]

    for method, path, body, headers in wrong:
        status, text = walked.ask(method, path, body, **headers)
        assert 400 <= status < 500 or path.startswith("/admin"), (status, path)
        shown = [one for one in (PAYLOAD, *SECRETS) if one in text]
        assert shown == [], (method, path, text)


def test_nothing_else_of_rest_shows_it(walked: Walked) -> None:
    runs = [run["id"] for run in json.loads(walked.ask("GET", "/v1/runs")[1])["items"]]
    signals = [one["id"] for one in json.loads(walked.ask("GET", "/v1/signals")[1])["items"]]
    pages = ["/v1/runs", "/v1/signals", "/v1/deliveries", "/v1/sources", "/v1/definitions", "/v1/tenant"]
    pages += [f"/v1/runs/{run}{part}" for run in runs for part in ("", "/explain", "/trace", "/attempts")]
    pages += [f"/v1/signals/{signal}" for signal in signals]
    pages += [f"/v1/{kind}" for kind in ("endpoints", "providers", "secrets", "event-subscriptions", "events")]
    pages += ["/v1/endpoints/broken", "/v1/providers/texts", "/v1/providers/room", "/v1/secrets/token"]
    pages.append("/v1/providers/mails")

    for page in pages:
        status, text = walked.ask("GET", page)
        assert status == 200, page
        assert not any(canary in text for canary in (PAYLOAD, *SECRETS)), page
    assert len(runs) == 3


def test_no_page_of_the_admin_shows_it(walked: Walked) -> None:
    user = get_user_model().objects.create(username=f"canary-{time.time_ns()}", is_staff=True, is_superuser=True)
    set_role(tenant_id=walked.tenant.pk, user_id=user.pk, role=Role.ADMIN)
    client = Client()
    client.force_login(user)

    seen = 0
    for address in _admin_pages(walked.tenant):
        answer = client.get(address)
        assert answer.status_code in (200, 302, 403), address
        text = answer.content.decode()
        assert not any(canary in text for canary in (PAYLOAD, *SECRETS)), address
        seen += answer.status_code == 200
    assert seen > 25


def _admin_pages(tenant: Tenant) -> Iterator[str]:
    """Every list, and every page of every row of the tenant, with its history and its form."""
    yield reverse("admin:index")
    for model in admin.site._registry:
        yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        if not issubclass(model, TenantRow):
            continue
        with tenant_scope(tenant.pk):
            rows = list(model._default_manager.filter(tenant_id=tenant.pk)[:5])
        for row in rows:
            try:
                page = page_of(row)
            except NoReverseMatch:
                continue
            yield from (page, page.replace("/change/", "/history/"), page.replace("/change/", "/edit/"))


def test_every_table_of_a_tenant_was_looked_at(walked: Walked, servers: Servers) -> None:
    """The dump covers all tables there are, and those where the journey must have left something are not empty."""
    from tests.privacy.conftest import tables

    dumped = tables(servers)
    ours = {model._meta.db_table for model in apps.get_models()}
    assert ours <= set(dumped)
    filled: Callable[[str], bool] = lambda name: bool(dumped[name])  # noqa: E731
    expected = ["signals_app_payload", "deliveries_inboxitem", "tenants_idempotencyrecord", "workflows_transition"]
    assert all(map(filled, [*expected, "tenants_secret", "signals_app_signalsource", "deliveries_endpoint"]))
