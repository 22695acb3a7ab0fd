"""Input that is read by a serializer: every member known, or refused by its path."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from chimeway_py.api.paging import check_query
from chimeway_py.errors import Invalid, fault


def name_choices(field: serializers.Field[Any, Any, Any, Any]) -> None:
    """Let a field that takes one of a few words name them when it is given another one."""
    if isinstance(field, serializers.ListField):
        name_choices(field.child)
    if isinstance(field, serializers.ChoiceField):
        words = ", ".join(str(word) for word in field.choices if word != "")
        field.error_messages["invalid_choice"] = f"One of {words}.".replace("{", "{{").replace("}", "}}")


class InstantField(serializers.DateTimeField):
    """ISO 8601 with an offset. Without one nobody can tell which instant is meant, so it is refused."""

    default_error_messages = {"no_time_zone": "An instant with an offset, such as 2026-11-20T09:30:00Z."}

    def enforce_timezone(self, value: datetime) -> datetime:
        """The instant, as the field keeps it."""
        if value.tzinfo is None:
            self.fail("no_time_zone")
        return super().enforce_timezone(value)


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses members it does not know: a misspelt option must not be silently ignored."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """The fields; each names its choices in refusals."""
        fields = super().get_fields()
        for field in fields.values():
            name_choices(field)
        return fields

    def to_internal_value(self, data: Any) -> Any:
        """The values, or `ValidationError` naming every unknown member."""
        if isinstance(data, Mapping) and (unknown := [name for name in data if name not in self.fields]):
            refused = {name: [serializers.ErrorDetail("No such member.", code="unknown_key")] for name in unknown}
            raise serializers.ValidationError(refused)
        return super().to_internal_value(data)


def read_object(request: Request) -> Mapping[str, Any]:
    """The body of a request: the parser let nothing but an object through; no body is an empty one."""
    return request.data if isinstance(request.data, Mapping) else {}


def read_input(
    serializer: type[StrictSerializer], request: Request, said: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The body of a request, or what is said instead, as `serializer` reads it.

    Raises `ValidationError`, which becomes `invalid`.
    """
    reader = serializer(data=request.data if said is None else said)
    reader.is_valid(raise_exception=True)
    return dict(reader.validated_data)


def read_input_or_query(serializer: type[StrictSerializer], request: Request) -> dict[str, Any]:
    """The body of a request, or its query, where many a client sends no body: with a DELETE. Both at once is `Invalid`.

    Raises `ValidationError` as `read_input`.
    """
    check_query(request, tuple(serializer().fields))
    said = request.query_params.dict()
    if request.body and said:
        raise Invalid("The request is not valid.", [fault(f"/{name}", "repeated", "Give it once.") for name in said])
    return read_input(serializer, request, None if request.body else said)
