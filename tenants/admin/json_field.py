"""JSON in a form passes the same gate as a body of REST: a person who pastes can bring what a program can."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from chimeway_py.api.bodies import MAX_BODY
from chimeway_py.api.json_gate import read_value
from chimeway_py.errors import Invalid


class JSONText(forms.JSONField):
    """An object (or a list) on several lines. What was sent is shown again as it was sent, never parsed for that."""

    widget = forms.Textarea(
        attrs={"rows": 6, "cols": 80, "class": "cw-code", "spellcheck": "false", "data-holds": "json"}
    )

    def __init__(self, *, shape: type[dict[str, Any]] | type[list[Any]] = dict, **given: Any) -> None:
        super().__init__(**given)
        self.shape = shape

    def to_python(self, value: Any) -> Any:
        """The value of the text; None where nothing was said."""
        if self.disabled or not isinstance(value, str) or value in self.empty_values:
            return None if value in self.empty_values else value
        if len(value) > MAX_BODY:
            raise ValidationError("It is too long.", code="too_long")
        try:
            said = read_value(value.encode(errors="surrogatepass"))
        except Invalid as refused:
            faults = refused.detail if isinstance(refused.detail, list) else []
            told = [f"{one['path']}: {one['message']}".removeprefix(": ") for one in faults]
            raise ValidationError(told, code="invalid") from None
        if said is not None and not isinstance(said, self.shape):
            raise ValidationError("A JSON object." if self.shape is dict else "A JSON list.", code="invalid")
        return said

    def bound_data(self, data: Any, initial: Any) -> Any:
        return initial if self.disabled else data

    def prepare_value(self, value: Any) -> Any:
        if value is None:  # nothing was said yet, which is not a null
            return ""
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
