"""Whom a test goes to: what the channel could send to, or nobody named where its accounts lead to one place."""

import json
from collections.abc import Mapping
from typing import Any

from chimeway_py.errors import Invalid, fault
from deliveries.channels.base import Channel, Undeliverable
from workflows.steps.sources import facts_of


def check_test_address(chosen: Channel, to: Any) -> None:
    """Raise `Invalid` for an address that the channel could not send to, or when it needs one and none is given.

    Where a message is nothing but rows somebody has to be named: no account leads anywhere.
    """
    step: Mapping[str, Any] = {"to": "data.to"} if to else {}
    data = {"to": to} if to else {}
    facts = facts_of(run_public_id="", subject="test", correlation={}, definition_key="test", data=data)
    try:
        chosen.recipient(step, facts)
        fits = chosen.is_address(to) if to else not chosen.settles_at_once
    except Undeliverable:
        fits = False
    if not fits and not to:
        raise Invalid("The test is not valid.", [fault("/to", "required", "Say whom to send it to.")])
    if not fits:
        raise Invalid("The test is not valid.", [fault("/to", "bad_address", chosen.address)])


def address_in(text: str) -> Any:
    """What is typed as an address: text, or an object or a list in JSON, as browsers have them."""
    if text.strip().startswith(("{", "[")):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text
