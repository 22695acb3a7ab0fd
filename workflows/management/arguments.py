"""What the commands read alike: the tenant, ids and times."""

import uuid
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime


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


def instant(text: str) -> datetime:
    """An argument that is a time with its offset."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found
    except ValueError:
        pass
    raise ArgumentTypeError(f"{text!r} is not a time with its offset, such as 2026-11-20T09:30:00+01:00")
