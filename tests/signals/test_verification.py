"""Signature schemes: what passes, which part fails, and that nothing a sender writes makes them raise."""

import hmac
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given

from signals_app.verification import Rejection, scheme_named, verify
from tests.signals.signing import SIGNERS, standard_webhooks, whsec

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BODY = b'{"type": "invoice.paid"}'
A, B, C = (whsec(seed) for seed in (b"a", b"b", b"c"))
SCHEMES = sorted(SIGNERS)
TIMED = ["standard_webhooks", "stripe"]


def judge(scheme: str, secrets: list[str], headers: dict[str, str], body: bytes = BODY) -> Rejection | None:
    return verify(scheme=scheme, secrets=secrets, headers=headers, body=body, now=NOW)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_signed_body_passes(scheme: str) -> None:
    assert judge(scheme, [A], SIGNERS[scheme](A, BODY, NOW)) is None


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_fresh_secret_is_a_secret_of_its_scheme_and_signs(scheme: str) -> None:
    secret = scheme_named(scheme).new_secret()

    assert scheme_named(scheme).is_secret(secret)
    assert judge(scheme, [secret], SIGNERS[scheme](secret, BODY, NOW)) is None


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("live", [[A], [A, B], [B, A], [C, B, A]])
def test_any_live_secret_may_sign(scheme: str, live: list[str]) -> None:
    assert judge(scheme, live, SIGNERS[scheme](A, BODY, NOW)) is None


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("live", [[B], [B, C]])
def test_a_secret_that_is_not_live_signs_nothing(scheme: str, live: list[str]) -> None:
    refused = judge(scheme, live, SIGNERS[scheme](A, BODY, NOW))

    assert refused is not None
    assert refused.reason == "no signature matches"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_without_a_live_secret_nothing_passes(scheme: str) -> None:
    assert judge(scheme, [], SIGNERS[scheme](A, BODY, NOW)) == Rejection("secret", "no live secret")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("changed", [BODY + b" ", b'{"type":"invoice.paid"}', b"", BODY + b"\0", BODY[:-1]])
def test_one_changed_byte_is_refused(scheme: str, changed: bytes) -> None:
    assert judge(scheme, [A], SIGNERS[scheme](A, BODY, NOW), changed) is not None


@pytest.mark.parametrize("scheme", TIMED)
@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(-301, "timestamp too old"), (-300, ""), (0, ""), (300, ""), (301, "timestamp in the future")],
)
def test_a_signed_time_may_differ_by_300_seconds(scheme: str, seconds: int, reason: str) -> None:
    refused = judge(scheme, [A], SIGNERS[scheme](A, BODY, NOW + timedelta(seconds=seconds)))

    assert (refused.reason if refused else "") == reason


@pytest.mark.parametrize(
    "text",
    [
        "1_763_640_000",
        "-1",
        "+1763640000",
        "1e9",
        " 1763640000",
        "１７６３６４００００",
        "9" * 400,
        "0x1",
        "NaN",
        "1.5",
    ],
)
def test_a_time_that_is_not_plain_digits_is_refused(text: str) -> None:
    for scheme, headers in [
        ("standard_webhooks", {"webhook-id": "m", "webhook-timestamp": text, "webhook-signature": "v1,x"}),
        ("stripe", {"Stripe-Signature": f"t={text},v1=00"}),
    ]:
        refused = judge(scheme, [A], headers)

        assert refused is not None
        assert refused.reason in {"not a number of seconds", "timestamp too old"}


@pytest.mark.parametrize(
    ("scheme", "changes", "part", "reason"),
    [
        ("standard_webhooks", {"webhook-id": None}, "webhook-id", "missing"),
        ("standard_webhooks", {"webhook-id": "msg_2"}, "webhook-signature", "no signature matches"),
        ("standard_webhooks", {"webhook-timestamp": None}, "webhook-timestamp", "missing"),
        ("standard_webhooks", {"webhook-signature": None}, "webhook-signature", "missing"),
        ("standard_webhooks", {"webhook-signature": "v1a,AAAA v2,BBBB"}, "webhook-signature", "no v1 signature"),
        ("standard_webhooks", {"webhook-signature": "v1,"}, "webhook-signature", "no signature matches"),
        ("standard_webhooks", {"webhook-signature": "v1,\xe9\xff"}, "webhook-signature", "no signature matches"),
        ("github", {"X-Hub-Signature-256": None}, "X-Hub-Signature-256", "missing"),
        ("github", {"X-Hub-Signature-256": "sha1=00"}, "X-Hub-Signature-256", "no sha256 signature"),
        ("github", {"X-Hub-Signature-256": "sha256="}, "X-Hub-Signature-256", "no signature matches"),
        ("github", {"X-Hub-Signature-256": "sha256=\u2028"}, "X-Hub-Signature-256", "no signature matches"),
        ("stripe", {"Stripe-Signature": None}, "Stripe-Signature", "missing"),
        ("stripe", {"Stripe-Signature": "v1=00"}, "Stripe-Signature t", "missing"),
        ("stripe", {"Stripe-Signature": "t=1,t=2,v1=00"}, "Stripe-Signature t", "repeated"),
        ("stripe", {"Stripe-Signature": f"t={int(NOW.timestamp())},v0=00"}, "Stripe-Signature v1", "no v1 signature"),
        (
            "stripe",
            {"Stripe-Signature": f"t={int(NOW.timestamp())},v1=é"},
            "Stripe-Signature v1",
            "no signature matches",
        ),
    ],
)
def test_the_part_that_failed_is_named(scheme: str, changes: dict[str, str | None], part: str, reason: str) -> None:
    headers = {**SIGNERS[scheme](A, BODY, NOW), **changes}

    refused = judge(scheme, [A], {name: value for name, value in headers.items() if value is not None})

    assert refused == Rejection(part, reason)


def test_one_of_several_signatures_is_enough() -> None:
    signed = standard_webhooks(A, BODY, NOW)
    other = standard_webhooks(C, BODY, NOW)["webhook-signature"]

    assert (
        judge("standard_webhooks", [A, B], signed | {"webhook-signature": f"{other} {signed['webhook-signature']}"})
        is None
    )


@pytest.mark.parametrize("position", [0, 1, 2])
def test_comparing_never_ends_early(monkeypatch: pytest.MonkeyPatch, position: int) -> None:
    compared = []
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda ours, theirs: compared.append(1) or compare(ours, theirs))
    signed = standard_webhooks(A, BODY, NOW)
    presented = ["v1,AAAA"] * 3
    presented[position] = signed["webhook-signature"]

    assert judge("standard_webhooks", [A, B, C], signed | {"webhook-signature": " ".join(presented)}) is None
    assert len(compared) == 9


@given(
    st.sampled_from(SCHEMES),
    st.dictionaries(
        st.sampled_from(
            ["webhook-id", "webhook-timestamp", "webhook-signature", "X-Hub-Signature-256", "Stripe-Signature"]
        ),
        st.text(max_size=40) | st.sampled_from(["v1,", "sha256=", "t=1763640000,v1=", "v1,v1, v1,", "=,=,="]),
    ),
    st.binary(max_size=40),
)
def test_nothing_that_a_sender_writes_raises_or_passes(scheme: str, headers: dict[str, str], body: bytes) -> None:
    assert isinstance(judge(scheme, [A, B], headers, body), Rejection)


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        ("standard_webhooks", "short"),
        ("standard_webhooks", "whsec_notbase64!"),
        ("standard_webhooks", "whsec_" + "é" * 30),
        ("github", "short"),
        ("github", "é" * 30),
        ("stripe", "with a space in the middle"),
        ("stripe", "line\nbreak" * 4),
    ],
)
def test_what_cannot_be_a_secret_is_refused(scheme: str, secret: str) -> None:
    assert not scheme_named(scheme).is_secret(secret)
