"""What every refusal is: a code that never changes, a sentence for people, and a detail for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

Detail = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class ChimewayError(Exception):
    """Base of all our refusals. `code` is the same in trace, log, command line and response.

    `status` is the HTTP status that REST answers with; `retryable` says whether the same call may succeed later.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    retryable: ClassVar[bool] = False
    headers: Mapping[str, str] = {}  # that REST answers with besides

    def __init__(self, message: str = "", detail: Detail | None = None) -> None:
        self.message = message or (self.__doc__ or self.code).splitlines()[0]
        self.detail: Detail = {} if detail is None else detail
        super().__init__(self.message)

    @property
    def line(self) -> str:
        """What a command says of it: the message, and the detail where there is one."""
        return f"{self.message} {json.dumps(self.detail)}" if self.detail else self.message


class NotFound(ChimewayError):
    """No such object in this tenant."""

    code = "not_found"
    status = 404


class Conflict(ChimewayError):
    """The request contradicts what is stored."""

    code = "conflict"
    status = 409


class Invalid(ChimewayError):
    """The input is not valid. `detail` lists every fault as {path, code, message}."""

    code = "invalid"
    status = 400


def fault(path: str, code: str, message: str) -> dict[str, str]:
    """One entry of an `Invalid` detail. `path` is a JSON Pointer (RFC 6901) into the input."""
    return {"path": path, "code": code, "message": message}
