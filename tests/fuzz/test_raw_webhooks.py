"""Webhooks as bytes: whatever is posted, signed or not, is taken or refused in our words; a refusal writes nothing."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import hypothesis.strategies as st
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as rounds
from rest_framework.test import APIClient

from deliveries.providers import sns
from deliveries.providers.base import ProviderKind
from deliveries.providers.registry import provider_kinds
from deliveries.services.providers import put_provider
from signals_app.models import Scheme
from signals_app.services.sources import create_source
from tenants.models import Tenant
from tests.api.test_tenancy_sweep import contents
from tests.fuzz.raw import HEADER, TYPES, raw
from tests.fuzz.senders import BASE, CERTIFICATE, EVENT, MAPPING, PROVIDERS, RSA_KEY, SCHEMES, SECRET
from tests.fuzz.test_document import EXAMPLES, REFUSAL, SEED

MANY = 11 + EXAMPLES
TAKEN = {200, 202}
REFUSED = {400, 401, 404, 409, 413, 415}
COUNTED = "signals_app_signalsource"
"""Here it is counted what was refused last, and nothing else."""


def fuzzed(body: Any) -> Any:
    """Runs a test that draws its data, as often as was asked for."""
    chosen = rounds(
        max_examples=MANY,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seed(SEED)(chosen(given(st.data())(body)))()


class Poster:
    """Posts to one address of a tenant, and holds what comes of it against what the tenant has."""

    def __init__(self, tenant: Tenant, path: str) -> None:
        self.tenant, self.path, self.before = tenant, path, self._rows(tenant)

    def post(self, body: bytes, headers: Mapping[str, str], media: str = TYPES[0]) -> Any:
        """Taken, or refused with our error body; a 400 says where; what is refused is nowhere."""
        client = APIClient(raise_request_exception=False)
        answer = client.generic("POST", self.path, body, content_type=media, headers=dict(headers), secure=True)
        assert answer.status_code in TAKEN | REFUSED, (answer.status_code, answer.content)
        rows = self._rows(self.tenant)
        if answer.status_code in REFUSED:
            said = answer.json()
            assert said.keys() == REFUSAL
            assert said["code"] != "invalid" or {"path", "code", "message"} == said["detail"][0].keys()
            assert rows == self.before
        self.before = rows
        return answer

    @staticmethod
    def _rows(tenant: Tenant) -> Mapping[str, Any]:
        return {table: rows for table, rows in contents(tenant).items() if table != COUNTED}


def bent_headers(data: st.DataObject, headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers as they should be, or one of them something else, or not there."""
    if not headers or data.draw(st.integers(0, 2)):
        return headers
    name = data.draw(st.sampled_from(sorted(headers)))
    return {**headers, name: data.draw(HEADER)} if data.draw(st.booleans()) else {name: headers[name]}


def test_every_scheme_and_every_provider_that_reports_is_tried() -> None:
    reporting = {name for name, kind in provider_kinds().items() if type(kind).reports is not ProviderKind.reports}

    assert SCHEMES.keys() == {*Scheme.values}
    assert PROVIDERS.keys() == reporting


@pytest.mark.parametrize("scheme", SCHEMES)
def test_any_bytes_of_a_sender_are_taken_or_refused(scheme: str, tenant: Tenant) -> None:
    made = create_source(tenant_id=tenant.pk, key="upstream", scheme=scheme, mapping=MAPPING, secret=SECRET)
    poster = Poster(tenant, f"/hooks/{made.row.public_id}")
    signed = partial(SCHEMES[scheme], path="")
    assert poster.post(*signed(json.dumps(EVENT).encode())).status_code == 202

    def any_bytes(data: st.DataObject) -> None:
        body, headers = signed(data.draw(raw([EVENT])))
        poster.post(body, bent_headers(data, headers), data.draw(st.sampled_from(TYPES)))

    fuzzed(any_bytes)


@pytest.mark.parametrize("kind", PROVIDERS)
def test_any_bytes_of_a_provider_are_taken_or_refused(
    kind: str, tenant: Tenant, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PUBLIC_URL = BASE
    monkeypatch.setattr(sns, "certificate_at", {CERTIFICATE: certificate()}.get)
    sender = PROVIDERS[kind]
    known = {"config": dict(sender.config), "credentials": dict(sender.credentials)}
    provider = put_provider(tenant_id=tenant.pk, key=kind, kind=kind, **known)[0]
    poster = Poster(tenant, f"/hooks/providers/{provider.public_id}")
    good = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in sender.good]
    for one in good:
        body, headers = sender.sign(one, poster.path)
        said = {"accepted": 0, "repeated": 0, "late": 0, "ignored": 1}
        assert poster.post(body, headers, sender.media).json() == said

    def any_bytes(data: st.DataObject) -> None:
        drawn = data.draw(raw(sender.good))
        body, headers = sender.sign(drawn, poster.path) if data.draw(st.integers(0, 3)) else (drawn, {})
        media = sender.media if data.draw(st.booleans()) else data.draw(st.sampled_from(TYPES))
        poster.post(body, bent_headers(data, headers), media)

    fuzzed(any_bytes)


def certificate() -> bytes:
    """What is at Amazon's address: the one thing here that is not real."""
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")]), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, RSA_KEY.public_key(), 1, now, now + timedelta(days=1))
    return made.sign(RSA_KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
