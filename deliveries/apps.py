"""App configuration."""

from django.apps import AppConfig


class DeliveriesConfig(AppConfig):
    """What reaches people and systems: channels, templates, deliveries, the inbox."""

    name = "deliveries"
    verbose_name = "Deliveries"

    def ready(self) -> None:
<<<<<<< HEAD
        """Plug the `deliver` step into workflows, and say where sealed values are kept."""
        from deliveries.steps.deliver import DeliverStep
        from tenants.vault import columns
        from tenants.vault.columns import SealedBytes, SealedSecrets
        from workflows.steps.registry import register

        register(DeliverStep())
        columns.register(SealedBytes("deliveries_inboxitem", "sealed"), SealedSecrets("deliveries_endpoint", "secrets"))
=======
        """Plug the `deliver` step into workflows, and say which rows of ours belong to a run."""
        from deliveries.models import Delivery, InboxItem
        from deliveries.steps.deliver import DeliverStep
        from workflows.history.parts import Part, register_part
        from workflows.steps.registry import register

        register(DeliverStep())
        register_part(Part("delivery", Delivery))
        register_part(Part("inbox_item", InboxItem, parent="delivery", is_sealed=True))
>>>>>>> a1e7cc7 (wip)
