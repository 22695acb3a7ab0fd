"""The kinds of providers this process knows, by name."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from deliveries.plugins import instances_of
from deliveries.providers import kinds as package
from deliveries.providers.base import ProviderKind


@lru_cache(maxsize=1)
def provider_kinds() -> Mapping[str, ProviderKind]:
    """All of them. Looked for when first asked: they speak of channels, which speak of providers."""
    return MappingProxyType({kind.name: kind for kind in _found()})


def _found() -> list[ProviderKind]:
    return instances_of(ProviderKind, package)  # type: ignore[type-abstract]


def provider_kind(name: str) -> ProviderKind:
    """The kind of that name. Raises KeyError when there is none."""
    return provider_kinds()[name]
