"""A file of targets, by what its sender says that it is."""

from collections.abc import Iterator
from typing import IO

from deliveries.broadcasts.reading import read_csv, read_json_lines
from deliveries.broadcasts.targets import Faulty, Target
from deliveries.models import Broadcast
from workflows.services.start_checks import startable

CSV, JSON_LINES = (
    ("text/csv", "application/csv"),
    ("application/x-ndjson", "application/json", "application/jsonl", "application/json-lines"),
)


def targets_in(
    broadcast: Broadcast, file: IO[bytes], media_type: str, charset: str = ""
) -> Iterator[Target | Faulty] | None:
    """The targets in a file; None if it is of a type that nobody reads. Needs the tenant's scope."""
    if media_type in JSON_LINES:
        return read_json_lines(file)
    if media_type not in CSV:
        return None
    loaded = startable(broadcast.tenant_id, broadcast.definition_key, broadcast.version)
    properties = loaded.document.raw.get("data_schema", {}).get("properties", {})
    return read_csv(file, broadcast.columns, properties if isinstance(properties, dict) else {}, charset)
