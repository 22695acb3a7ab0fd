"""Bodies that are files: kept on disk while they come, never in memory, and never more than the limit."""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.http import parse_header_parameters
from rest_framework.parsers import BaseParser

from chimeway_py.api.bodies import BodyEncoded, BodyIncomplete, BodyTooLarge, declared_length
from chimeway_py.errors import Invalid, fault

_CHUNK = 64 * 1024


@dataclass(slots=True)
class Upload:
    """A file that came: what its sender says that it is, and its bytes on disk. Close it."""

    media_type: str
    charset: str
    file: IO[bytes]

    def close(self) -> None:
        """Forget the file."""
        self.file.close()


class AnyParser(BaseParser):
    """Stands where REST framework wants a parser: the view took the file before."""

    media_type = "*/*"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Nothing."""
        return {}


def take_upload(request: HttpRequest, most: int) -> Upload:
    """The file in a body, or the one file of a form. What stands for the body afterwards is its digest.

    Raises `BodyTooLarge`, `BodyEncoded`, `BodyIncomplete`, `LengthRequired` and `Invalid`.
    """
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise BodyEncoded
    declared = declared_length(request)
    if declared is not None and declared > most:
        raise BodyTooLarge(f"The file is larger than {most} bytes.")
    source: Any = request if declared is not None else request.environ["wsgi.input"]  # type: ignore[attr-defined]
    file = tempfile.TemporaryFile()  # noqa: SIM115  the upload closes it
    try:
        size, digest = _spool(source, file, most)
        if declared is not None and size < declared:
            raise BodyIncomplete
        request._body = digest.encode()
        upload = _as_upload(request.headers.get("Content-Type", ""), file)
        return _in_form(request, file, size) if upload.media_type == "multipart/form-data" else upload
    except BaseException:
        file.close()
        raise


def _spool(source: Any, file: IO[bytes], most: int) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    try:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise BodyTooLarge(f"The file is larger than {most} bytes.")
            digest.update(chunk)
            file.write(chunk)
    except OSError as error:
        raise BodyIncomplete from error
    file.seek(0)
    return size, digest.hexdigest()


def _as_upload(content_type: str, file: IO[bytes]) -> Upload:
    try:
        media_type, parameters = parse_header_parameters(content_type)
    except ValueError:  # Django refuses to read a very long header
        media_type, parameters = "", {}
    return Upload(media_type.lower(), parameters.get("charset", "").strip("\"' "), file)


def _in_form(request: HttpRequest, body: IO[bytes], size: int) -> Upload:
    """The one file of a form, by the type that its part declares. Raises `Invalid`."""
    told = {"CONTENT_TYPE": request.META.get("CONTENT_TYPE", ""), "CONTENT_LENGTH": str(size)}
    try:
        fields, files = MultiPartParser(told, body, [TemporaryFileUploadHandler(request)], "utf-8").parse()  # type: ignore[arg-type]
    except MultiPartParserError as error:
        raise Invalid("The form cannot be read.", [fault("", "bad_form", str(error))]) from None
    found = [file for _, group in files.lists() for file in group]
    if len(found) != 1 or fields:
        raise Invalid(
            "The form is not valid.", [fault("", "one_file", "A form of exactly one file, and nothing else.")]
        )
    body.close()
    (one,) = found
    upload = _as_upload(one.content_type or "", one.file)
    upload.charset = upload.charset or str((one.content_type_extra or {}).get("charset", b"") or "")
    if upload.media_type in {"", "application/octet-stream", "text/plain"}:
        upload.media_type = "text/csv" if str(one.name).lower().endswith(".csv") else "application/x-ndjson"
    return upload
