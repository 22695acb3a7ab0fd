"""What the commands read alike: the tenant, and ids."""

import uuid
from argparse import ArgumentParser, ArgumentTypeError


def add_tenant(parser: ArgumentParser) -> None:
    """The option that says whose rows a command works on."""
    parser.add_argument("--tenant", required=True, metavar="SLUG", help="Whose runs these are.")


def public_id(text: str) -> uuid.UUID:
    """An argument that is a public id, as REST shows it."""
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not an id such as 01939f3a-7c1e-7b1a-9d5e-0b6a3c2f4d10") from error
