"""Bodies that are definitions: YAML or JSON, within the limits of the loader."""

from collections.abc import Mapping
from typing import IO, Any, ClassVar

from rest_framework.parsers import BaseParser

from chimeway_py.api.parsers import check_charset
from workflows.definitions.loader import MOST_BYTES, Form, load


class DefinitionJSONParser(BaseParser):
    """A definition in JSON."""

    media_type = "application/json"
    form: ClassVar[Form] = "json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The document in the stream, not yet validated. Raises `Invalid`."""
        check_charset(media_type or "")
        return load(stream.read(MOST_BYTES + 1), self.form)


class DefinitionYAMLParser(DefinitionJSONParser):
    """A definition in YAML."""

    media_type = "application/yaml"
    form: ClassVar[Form] = "yaml"
