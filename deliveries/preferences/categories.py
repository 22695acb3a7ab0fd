"""Categories: what a tenant calls its messages."""

from typing import Any

from chimeway_py.errors import Invalid, fault
from chimeway_py.text import is_storable
from deliveries.models import Category
from deliveries.services.template_checks import KEY
from deliveries.timing.releasing import PREFERENCES, judge_held_anew
from tenants.scope import tenant_scope


def put_category(*, tenant_id: int, key: str, name: str = "", required: bool = False) -> tuple[Category, bool]:
    """The category of that key, and whether it is new. Made required, it is sent to whoever refused it before, too.

    Raises `Invalid`.
    """
    faults = []
    if not KEY.fullmatch(key):
        faults.append(fault("/key", "bad_key", "1 to 64 of the letters a-z, digits and _."))
    if not is_storable(name, 200):
        faults.append(fault("/name", "bad_text", "Text of at most 200 characters, without NUL."))
    if faults:
        raise Invalid("The category is not valid.", faults)
    said: dict[str, Any] = {"name": name, "required": required}
    with tenant_scope(tenant_id) as scope:
        made = {**said, "updated_at": scope.now}
        row, created = Category.objects.get_or_create(tenant_id=tenant_id, key=key, defaults=made)
        if not created and (row.name, row.required) != (name, required):
            was_required = row.required
            Category.objects.filter(tenant_id=tenant_id, key=key).update(**made)
            if required != was_required:
                judge_held_anew(tenant_id=tenant_id, changed=PREFERENCES, now=scope.now)
            row.name, row.required, row.updated_at = name, required, scope.now
        return row, created
