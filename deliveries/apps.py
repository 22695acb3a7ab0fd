"""App configuration."""

from django.apps import AppConfig


class DeliveriesConfig(AppConfig):
    """What reaches people and systems: channels, templates, deliveries, the inbox."""

    name = "deliveries"
    verbose_name = "Deliveries"

    def ready(self) -> None:
        """Plug the `deliver` step into workflows."""
        from deliveries.steps.deliver import DeliverStep
        from workflows.steps.registry import register

        register(DeliverStep())
