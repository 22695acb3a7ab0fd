"""Telling of deliveries that settled: to subscribers in the same transaction, to hooks after the commit."""

from collections.abc import Sequence

from deliveries.models import Delivery
from deliveries.states import OWED
from workflows import hooks
from workflows.events.record import is_watched, record, recording

_ENDED = """
SELECT d.tenant_id, 'delivery.' || d.status AS type, r.public_id AS run_public_id, clock_timestamp() AS occurred_at,
       d.id AS position,
       jsonb_build_object('delivery_id', d.public_id, 'run_id', r.public_id, 'workflow', d.definition_key,
                          'step', d.step_key, 'visit', d.visit, 'channel', d.channel, 'status', d.status)
       || CASE WHEN d.key LIKE '%%:compensate%%' THEN '{"compensation": true}'::jsonb ELSE '{}' END AS data
  FROM deliveries_delivery d JOIN workflows_run r ON r.tenant_id = d.tenant_id AND r.id = d.run_id
 WHERE d.tenant_id = %s AND d.id = ANY (%s) AND d.status NOT IN ('planned', 'sending')
"""
_RECORD = recording(_ENDED)


def record_settled(tenant_id: int, delivery_ids: Sequence[int]) -> None:
    """Record an event for each of these deliveries that has ended. Needs the scope of whoever changed them."""
    if not delivery_ids:
        return
    if is_watched(tenant_id):
        record(tenant_id, _RECORD, [tenant_id, list(delivery_ids)])
    if hooks.is_anybody_listening(hooks.DeliveryEvent):
        hooks.tell_after_commit(_told(tenant_id, delivery_ids))


def _told(tenant_id: int, delivery_ids: Sequence[int]) -> list[hooks.DeliveryEvent]:
    rows = Delivery.objects.for_tenant(tenant_id).filter(id__in=delivery_ids).exclude(status__in=OWED)
    return [
        hooks.DeliveryEvent(
            type=f"delivery.{one.status}",
            tenant_id=tenant_id,
            delivery=str(one.public_id),
            run=str(one.run.public_id),
            workflow=one.definition_key,
            step=one.step_key,
            visit=one.visit,
            channel=one.channel,
            status=one.status,
            is_compensation=":compensate" in one.key,
        )
        for one in rows.select_related("run").order_by("id")
    ]
