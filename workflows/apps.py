"""App configuration."""

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    """Registers the step kinds that come with the engine."""

    name = "workflows"
    verbose_name = "Workflows"

    def ready(self) -> None:
        """Make the built-in step kinds known, and answer for verdicts where signals are shown."""
        from signals_app.services.payload_names import register_name
        from signals_app.subjects import registry
        from signals_app.verdict_reader import register_verdict_reader
        from tenants.limits.kinds import LimitKind
        from tenants.limits.taking import register_counter
        from tenants.vault import columns
        from tenants.vault.columns import SealedSecrets
        from workflows.explain.signal import read_verdicts
        from workflows.history import own_parts
        from workflows.retention import pruners
        from workflows.services.live_runs import count_live
        from workflows.steps import builtin
        from workflows.subjects.digests import DigestHolder
        from workflows.subjects.holds import HoldHolder
        from workflows.subjects.runs import RunHolder
        from workflows.subjects.schedules import ScheduleHolder
        from workflows.subjects.throttles import ThrottleHolder

        builtin.register_all()
        register_counter(LimitKind.LIVE_RUNS, count_live)
        own_parts.register_all()
        pruners.register_all()
        register_verdict_reader(read_verdicts)
        register_name("workflows_run", "data_sha")
        register_name("workflows_schedule", "data_sha")
        register_name("workflows_wait", "decision_sha")
        register_name("workflows_answer", "payload_sha")
        register_name("workflows_runreason", "payload_sha")
        register_name("workflows_externalwork", "answer_sha")
        register_name("workflows_digest", "name_sha")
        register_name("workflows_digestitem", "payload_sha")
        register_name("workflows_throttlepass", "name_sha")
        registry.register(HoldHolder())
        columns.register(SealedSecrets("workflows_eventsubscription", "secrets"))
        registry.register(ScheduleHolder())
        registry.register(RunHolder())
        registry.register(DigestHolder())
        registry.register(ThrottleHolder())
