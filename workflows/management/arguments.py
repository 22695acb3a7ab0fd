"""What the commands read alike: the tenant, ids and times."""

import json
import uuid
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any


def add_tenant(parser: ArgumentParser, *, required: bool = True) -> None:
    """The option that says whose rows a command works on; where it is not required, all tenants' by default."""
    text = "Whose runs these are." if required else "Whose runs these are (default: all tenants)."
    parser.add_argument("--tenant", required=required, metavar="SLUG", help=text)


def public_id(text: str) -> uuid.UUID:
    """An argument that is a public id, as REST shows it."""
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not an id such as 01939f3a-7c1e-7b1a-9d5e-0b6a3c2f4d10") from error


def members(text: str) -> dict[str, Any]:
    """An argument that is a JSON object."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ArgumentTypeError("it is not a JSON object")
    return value


def at_most(text: str) -> int:
    """An argument that says how many: a whole number from 0."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def instant(text: str) -> datetime:
    """An argument that is a time with its offset."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found
    except ValueError:
        pass
    raise ArgumentTypeError(f"{text!r} is not a time with its offset, such as 2026-11-20T09:30:00+01:00")
