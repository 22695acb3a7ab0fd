"""What is said of a recipient in JSON: every fault with its path, before anything is written."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.api.json_gate import pointer
from chimeway_py.errors import fault
from chimeway_py.text import is_storable
from deliveries.channels.registry import channels
from deliveries.timing.reading import quiet_faults
from workflows.steps.resting import is_zone

MOST_ADDRESSES, LONGEST_ADDRESS = 20, 2000
MOST_OF_ONE_CHANNEL = 20  # devices and browsers of one person
LARGEST = 16 * 1024  # characters of addresses and attributes as JSON
KEY = re.compile(r"[a-z0-9_]{1,32}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
LOCALE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
MEMBERS = ("addresses", "zone", "locale", "attributes", "quiet_hours")
SUB_PAGES = ("/history", "/preferences")  # below a recipient's address
Faults = Iterator[dict[str, str]]


def recipient_faults(said: Any, path: str = "") -> Faults:
    """Every fault of one recipient at JSON Pointer `path`. Null and an empty text stand for nothing."""
    if not isinstance(said, Mapping):
        yield fault(path, "bad_type", "Must be an object.")
        return
    for name in said:
        if name not in MEMBERS:
            yield fault(pointer(path, name), "unknown_key", f"A recipient has {', '.join(MEMBERS)}.")
    yield from _address_faults(said.get("addresses"), f"{path}/addresses")
    yield from _attribute_faults(said.get("attributes"), f"{path}/attributes")
    if said.get("quiet_hours") is not None:
        yield from quiet_faults(said["quiet_hours"], f"{path}/quiet_hours")
    zone, locale = said.get("zone"), said.get("locale")
    if zone not in (None, "") and not (isinstance(zone, str) and len(zone) <= 64 and is_zone(zone)):
        yield fault(f"{path}/zone", "time_zone", "A time zone such as Europe/Berlin.")
    if locale not in (None, "") and not (isinstance(locale, str) and len(locale) <= 35 and LOCALE.fullmatch(locale)):
        yield fault(f"{path}/locale", "locale", "A language tag such as de or pt-BR.")


def subject_faults(external_id: Any, path: str) -> Faults:
    """The fault of a recipient's id: it is a subject, and follows the rules of subjects."""
    if not external_id or not is_storable(external_id, 200):
        yield fault(path, "bad_id", "Text of 1 to 200 characters, without NUL or lone surrogates.")
    elif external_id.endswith(SUB_PAGES):
        yield fault(path, "bad_id", f"No text that ends in {' or '.join(SUB_PAGES)}: such addresses have a meaning.")


def _address_faults(addresses: Any, path: str) -> Faults:
    if addresses is None:
        return
    if not isinstance(addresses, Mapping) or len(addresses) > MOST_ADDRESSES:
        yield fault(path, "bad_type", f"An object of at most {MOST_ADDRESSES} channels, each with its address.")
        return
    for channel, address in addresses.items():
        at = pointer(path, channel)
        if not KEY.fullmatch(channel):
            yield fault(at, "bad_key", "The name of a channel: 1 to 32 of the letters a-z, digits and _.")
        elif address is None:
            continue  # takes one away, also of a channel that is no more
        elif channel not in channels():
            yield fault(at, "unknown_channel", f"One of {', '.join(sorted(channels()))}.")
        elif not _is_address(channel, address):
            yield fault(at, "bad_address", channels()[channel].address or _ANY)


def _is_address(channel: str, address: Any) -> bool:
    """Text; where one person has several, a list; where an address is more than text (web push), an object.

    The channel says more.
    """
    several = address if isinstance(address, list) else [address]
    if not (0 < len(several) <= MOST_OF_ONE_CHANNEL and all(map(_is_one, several))):
        return False
    return channels()[channel].is_address(address)


def _is_one(address: Any) -> bool:
    if isinstance(address, Mapping):
        return 0 < len(address) <= 20 and len(json.dumps(address)) <= LONGEST_ADDRESS
    return isinstance(address, str) and bool(address.strip()) and is_storable(address, LONGEST_ADDRESS)


def _attribute_faults(attributes: Any, path: str) -> Faults:
    if attributes is None:
        return
    if not isinstance(attributes, Mapping):
        yield fault(path, "bad_type", "Must be an object.")
        return
    for name in attributes:
        if not NAME.fullmatch(name):
            yield fault(pointer(path, name), "bad_name", "A letter or _, then letters, digits, - or _; at most 64.")
    if len(json.dumps(attributes, ensure_ascii=False)) > LARGEST:
        yield fault(path, "too_large", f"At most {LARGEST} characters of JSON.")


_ANY = f"Text of at most {LONGEST_ADDRESS} characters, an object, or a list of at most {MOST_OF_ONE_CHANNEL} of them."
