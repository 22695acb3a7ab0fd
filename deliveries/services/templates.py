"""Storing templates."""

import hashlib
import json
import re

from chimeway_py.errors import Invalid, fault
from chimeway_py.rendering import TemplateFault, check_source
from chimeway_py.text import is_storable
from deliveries.channels.registry import channels
from deliveries.models import Template
from tenants.scope import tenant_scope

KEY = re.compile(r"[a-z0-9_]{1,64}")
LONGEST_SUBJECT, LONGEST_PART = 1000, 32 * 1024


def put_template(
    *, tenant_id: int, key: str, channel: str, subject: str = "", text: str = "", html: str = ""
) -> tuple[Template, bool]:
    """The stored template of (key, channel), holding these sources in Liquid, and whether it is new.

    Putting what is there already writes nothing. Messages planned before and not yet sent get the new wording. Raises
    `Invalid` with every fault.
    """
    parts = {"subject": subject, "text": text, "html": html}
    _check(key, channel, parts)
    checksum = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    with tenant_scope(tenant_id) as scope:
        template, created = Template.objects.get_or_create(
            tenant_id=tenant_id,
            key=key,
            channel=channel,
            defaults={**parts, "checksum": checksum, "updated_at": scope.now},
        )
        if not created and template.checksum != checksum:
            changed = {**parts, "checksum": checksum, "updated_at": scope.now}
            for name, value in changed.items():
                setattr(template, name, value)
            Template.objects.filter(tenant_id=tenant_id, key=key, channel=channel).update(**changed)
        return template, created


def _check(key: str, channel: str, parts: dict[str, str]) -> None:
    faults = []
    if not KEY.fullmatch(key):
        faults.append(fault("/key", "bad_key", "1 to 64 of the letters a-z, digits and _."))
    if channel not in channels():
        faults.append(fault("/channel", "unknown_channel", f"One of {', '.join(sorted(channels()))}."))
    if not parts["text"].strip():
        faults.append(fault("/text", "required", "Every message has a text; HTML is an addition to it."))
    for name, source in parts.items():
        longest = LONGEST_SUBJECT if name == "subject" else LONGEST_PART
        if not is_storable(source, longest):
            faults.append(fault(f"/{name}", "bad_text", f"Text of at most {longest} characters, without NUL."))
            continue
        try:
            check_source(source, html=name == "html")
        except TemplateFault as error:
            faults.append(fault(f"/{name}", error.code, error.message))
    if faults:
        raise Invalid("The template is not valid.", faults)
