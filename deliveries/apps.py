"""App configuration."""

from django.apps import AppConfig


class DeliveriesConfig(AppConfig):
    """What reaches people and systems: channels, templates, deliveries, the inbox."""

    name = "deliveries"
    verbose_name = "Deliveries"

    def ready(self) -> None:
        """Plug the `deliver` step into workflows; say which rows belong to a run, and where sealed values are kept."""
        from deliveries import retention
        from deliveries.broadcasts.holding import BroadcastHolder
        from deliveries.broadcasts.turn import broadcast_turn
        from deliveries.models import Delivery, InboxItem
        from deliveries.recipients.holding import RecipientHolder
        from deliveries.recipients.starting import RecipientCompanion
        from deliveries.recipients.zones import zones_on_file
        from deliveries.services.afterwards import afterwards
        from deliveries.steps.deliver import DeliverStep
        from deliveries.subjects import DeliveryHolder
        from deliveries.timing.releasing import release_turn
        from signals_app.services.payload_names import register_name
        from signals_app.subjects import registry
        from tenants.vault import columns
        from tenants.vault.columns import SealedBytes, SealedSecrets
        from workflows.explain.afterwards import register_afterwards
        from workflows.history.parts import Part, register_part
        from workflows.services.companions import register_companion
        from workflows.services.lanes import register_lane
        from workflows.services.zones import register_zones
        from workflows.steps.registry import register

        register(DeliverStep())
        register_part(Part("delivery", Delivery))
        register_part(Part("inbox_item", InboxItem, parent="delivery", is_sealed=True))
        registry.register(BroadcastHolder())
        registry.register(DeliveryHolder())
        registry.register(RecipientHolder())
        register_companion(RecipientCompanion())
        register_zones(zones_on_file)
        register_afterwards(DeliverStep.name, afterwards)
        register_lane("broadcasts", broadcast_turn, "tenants_with_due_broadcasts")
        register_lane("releases", release_turn, "tenants_with_releases")
        register_name("deliveries_broadcast", "data_sha")
        retention.register_all()
        columns.register(SealedBytes("deliveries_inboxitem", "sealed"), SealedSecrets("deliveries_endpoint", "secrets"))
        columns.register(SealedBytes("deliveries_recipient", "sealed"))
        columns.register(SealedBytes("deliveries_provider", "sealed"))
        columns.register(SealedBytes("deliveries_broadcastchunk", "sealed"))
