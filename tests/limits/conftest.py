"""Operators and sources, as other tests have them."""

from tests.admin.conftest import operator
from tests.signals.conftest import new_source, post_hook

__all__ = ["new_source", "operator", "post_hook"]
