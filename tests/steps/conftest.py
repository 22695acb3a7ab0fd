"""Fixtures of the tests of steps."""

from tests.workflows.conftest import probe

__all__ = ["probe"]
