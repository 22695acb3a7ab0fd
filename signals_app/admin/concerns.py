"""What the home page watches in signals."""

from chimeway_py.admin_site import register_concern
from signals_app.models import Signal
from tenants.admin import words
from tenants.admin.concerns import GRACE, concern

register_concern(
    concern(
        label="Unrouted signals",
        hint="accepted and not routed yet",
        url_name="admin:signals_app_signal_changelist",
        query="attention=unrouted",
        rows=lambda: Signal.objects.filter(routed_at__isnull=True, received_at__lt=words.now() - GRACE),
        since="received_at",
    )
)
