"""Retiring templates: no new message gets their words. What was said with them stays readable."""

from django.db.models import Q

from chimeway_py.errors import Conflict, NotFound
from deliveries.models import Template, TemplateVersion
from tenants.scope import tenant_scope
from workflows.models import Definition

MOST_NAMED = 20


class TemplateInUse(Conflict):
    """Published definitions, or templates inside this layout, use the template. `detail` names them."""

    code = "template_in_use"


def retire_template(*, tenant_id: int, key: str, channel: str, force: bool = False) -> bool:
    """Let no message that was not yet tried have these words any more; storing or publishing words brings it back.

    A template that was never published is forgotten. False: it was retired already. With `force`, messages that would
    use it fail with `no_template`, and those inside this layout go out without it. Raises `NotFound`, `TemplateInUse`.
    """
    with tenant_scope(tenant_id) as scope:
        mine = Template.objects.filter(tenant_id=tenant_id, key=key, channel=channel)
        template = mine.select_for_update(no_key=True).first()
        if template is None:
            raise NotFound
        users = users_of(template)
        if any(users.values()) and not force:
            raise TemplateInUse(detail=users)
        drafts = TemplateVersion.objects.filter(tenant_id=tenant_id, template_id=template.pk, status="draft")
        if template.current_id is None:
            drafts.delete()
            template.delete()
            return True
        return bool(mine.filter(retired_at__isnull=True).update(retired_at=scope.now, updated_at=scope.now))


def users_of(template: Template) -> dict[str, list[str]]:
    """Published versions of definitions that take words here, and templates that are put into this layout.

    The first of them. Needs the tenant's scope.
    """
    step = {"template": template.key, "channel": template.channel}
    named = Q(document__contains={"steps": [step]}) | Q(document__contains={"steps": [{"compensate": step}]})
    found = Definition.objects.for_tenant(template.tenant_id).published().filter(named).order_by("key", "version")
    definitions = [
        f"{one.key} v{one.version}" for one in found if template.key not in one.document.get("templates", {})
    ]
    inside = Template.objects.filter(tenant_id=template.tenant_id, channel=template.channel, retired_at__isnull=True)
    templates = inside.filter(current__layout=template.key) if template.is_layout else inside.none()
    return {"definitions": definitions[:MOST_NAMED], "templates": [one.key for one in templates[:MOST_NAMED]]}
