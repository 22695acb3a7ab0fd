"""Values as YAML, for people who change them in a form."""

from collections.abc import Mapping
from typing import Any

import yaml


def as_yaml(values: Mapping[str, Any]) -> str:
    """The values in the order in which they stand."""
    return yaml.safe_dump(dict(values), allow_unicode=True, sort_keys=False) if values else ""
