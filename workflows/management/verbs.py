"""Verbs: the parts of a command such as `runs cancel`, each an object that reads its options and says what it did."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any


class Verb:
    """One verb of a command."""

    name: str
    help: str

    def arguments(self, parser: ArgumentParser) -> None:
        """Declare its options, besides the tenant."""
        raise NotImplementedError

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """Do it; what to print. Raises `ChimewayError`."""
        raise NotImplementedError
