"""The tables of the workflow engine."""

import django.db.models.deletion
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import tenants.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("signals_app", "0002_isolation"),
        ("tenants", "0002_isolation"),
    ]

    operations = [
        migrations.CreateModel(
            name="Definition",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("key", models.CharField(max_length=64)),
                ("version", models.PositiveIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[("draft", "Draft"), ("published", "Published"), ("retired", "Retired")],
                        default="draft",
                        max_length=16,
                    ),
                ),
                ("document", models.JSONField()),
                ("checksum", models.CharField(max_length=64)),
                ("start_signal", models.CharField(blank=True, default="", max_length=100)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("published_at", models.DateTimeField(blank=True, null=True)),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("definition_key", models.CharField(max_length=64)),
                ("subject", models.CharField(max_length=200)),
                ("correlation", models.JSONField(default=dict)),
                ("data_sha", models.BinaryField(max_length=32, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("active", "Active"),
                            ("waiting", "Waiting"),
                            ("paused", "Paused"),
                            ("completed", "Completed"),
                            ("stopped", "Stopped"),
                            ("cancelled", "Cancelled"),
                            ("failed", "Failed"),
                            ("expired", "Expired"),
                        ],
                        max_length=16,
                    ),
                ),
                ("step", models.CharField(blank=True, default="", max_length=64)),
                ("visits", models.JSONField(default=dict)),
                (
                    "status_reason",
                    models.CharField(
                        choices=[
                            ("created", "Created"),
                            ("started", "Started"),
                            ("scheduled", "Scheduled"),
                            ("step_owed", "Step Owed"),
                            ("step_settled", "Step Settled"),
                            ("retry_scheduled", "Retry Scheduled"),
                            ("outcome_noted", "Outcome Noted"),
                            ("branch_taken", "Branch Taken"),
                            ("wait_opened", "Wait Opened"),
                            ("signal_matched", "Signal Matched"),
                            ("early_signal_used", "Early Signal Used"),
                            ("signal_buffered", "Signal Buffered"),
                            ("signal_rejected", "Signal Rejected"),
                            ("wait_timed_out", "Wait Timed Out"),
                            ("woken", "Woken"),
                            ("last_step_done", "Last Step Done"),
                            ("rule_completed", "Rule Completed"),
                            ("rule_stopped", "Rule Stopped"),
                            ("cancelled", "Cancelled"),
                            ("deadline_passed", "Deadline Passed"),
                            ("step_quarantined", "Step Quarantined"),
                            ("unknown_outcome", "Unknown Outcome"),
                            ("attempt_lost", "Attempt Lost"),
                            ("stale_attempt", "Stale Attempt"),
                            ("step_kind_unknown", "Step Kind Unknown"),
                            ("engine_error", "Engine Error"),
                        ],
                        max_length=32,
                    ),
                ),
                ("status_context", models.JSONField(default=dict)),
                ("terminal_reason", models.CharField(blank=True, default="", max_length=64)),
                ("revision", models.PositiveIntegerField(default=0)),
                ("seq", models.PositiveIntegerField(default=0)),
                ("chain_head", models.BinaryField(max_length=32)),
                ("pending_signals", models.PositiveIntegerField(default=0)),
                (
                    "started_by",
                    models.CharField(
                        choices=[
                            ("trigger", "Trigger"),
                            ("step", "Step"),
                            ("signal", "Signal"),
                            ("timer", "Timer"),
                            ("operator", "Operator"),
                            ("api", "Api"),
                            ("sweep", "Sweep"),
                        ],
                        max_length=16,
                    ),
                ),
                ("started_by_ref", models.CharField(blank=True, default="", max_length=200)),
                ("idempotency_key", models.CharField(max_length=255, null=True)),
                ("request_digest", models.BinaryField(max_length=32, null=True)),
                ("began_at", models.DateTimeField()),
                ("step_entered_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(null=True)),
                ("deadline_at", models.DateTimeField(null=True)),
                ("suspended_until", models.DateTimeField(null=True)),
                ("engine_failures", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "definition",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="runs",
                        to="workflows.definition",
                    ),
                ),
                (
                    "replayed_from",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="replays",
                        to="workflows.run",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Listener",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                ("key", models.CharField(max_length=300)),
                ("rest", models.JSONField(default=dict)),
                ("live", models.BooleanField(default=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="listeners",
                        to="workflows.run",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SignalVerdict",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("wait_step", models.CharField(blank=True, default="", max_length=64)),
                ("name", models.CharField(max_length=100)),
                ("received_at", models.DateTimeField()),
                (
                    "verdict",
                    models.CharField(
                        choices=[
                            ("matched", "Matched"),
                            ("started", "Started"),
                            ("buffered", "Buffered"),
                            ("duplicate", "Duplicate"),
                            ("rejected", "Rejected"),
                            ("late", "Late"),
                            ("unmatched", "Unmatched"),
                            ("expired", "Expired"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reason", models.CharField(blank=True, default="", max_length=64)),
                ("context", models.JSONField(default=dict)),
                ("decided_at", models.DateTimeField()),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signal_verdicts",
                        to="workflows.run",
                    ),
                ),
                (
                    "signal",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="run_verdicts",
                        to="signals_app.signal",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Step",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64)),
                ("position", models.PositiveIntegerField()),
                ("kind", models.CharField(max_length=32)),
                ("config", models.JSONField()),
                (
                    "definition",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps",
                        to="workflows.definition",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="StepRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("step", models.CharField(max_length=64)),
                ("visit", models.PositiveIntegerField()),
                ("resend", models.PositiveIntegerField(default=0)),
                ("kind", models.CharField(max_length=32)),
                ("key", models.CharField(max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("owed", "Owed"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("unknown", "Unknown"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="owed",
                        max_length=16,
                    ),
                ),
                ("outcome", models.CharField(blank=True, default="", max_length=32)),
                ("attempts_made", models.PositiveIntegerField(default=0)),
                ("lost_attempts", models.PositiveIntegerField(default=0)),
                ("fence", models.PositiveIntegerField(default=0)),
                ("due_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="step_runs",
                        to="workflows.run",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("fence", models.PositiveIntegerField()),
                ("worker", models.CharField(max_length=100)),
                (
                    "status",
                    models.CharField(
                        choices=[("running", "Running"), ("finished", "Finished"), ("lost", "Lost")],
                        default="running",
                        max_length=16,
                    ),
                ),
                ("outcome", models.CharField(blank=True, default="", max_length=32)),
                ("error", models.CharField(blank=True, default="", max_length=200)),
                ("retryable", models.BooleanField(default=False)),
                ("lease_until", models.DateTimeField()),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("retry_at", models.DateTimeField(null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "step_run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="workflows.steprun",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Transition",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seq", models.PositiveIntegerField()),
                ("step", models.CharField(blank=True, default="", max_length=64)),
                ("visit", models.PositiveIntegerField(default=0)),
                ("delivery", models.UUIDField(null=True)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("trigger", "Trigger"),
                            ("step", "Step"),
                            ("signal", "Signal"),
                            ("timer", "Timer"),
                            ("operator", "Operator"),
                            ("api", "Api"),
                            ("sweep", "Sweep"),
                        ],
                        max_length=16,
                    ),
                ),
                ("cause_ref", models.CharField(blank=True, default="", max_length=200)),
                (
                    "from_state",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("pending", "Pending"),
                            ("active", "Active"),
                            ("waiting", "Waiting"),
                            ("paused", "Paused"),
                            ("completed", "Completed"),
                            ("stopped", "Stopped"),
                            ("cancelled", "Cancelled"),
                            ("failed", "Failed"),
                            ("expired", "Expired"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                (
                    "to_state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("active", "Active"),
                            ("waiting", "Waiting"),
                            ("paused", "Paused"),
                            ("completed", "Completed"),
                            ("stopped", "Stopped"),
                            ("cancelled", "Cancelled"),
                            ("failed", "Failed"),
                            ("expired", "Expired"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("created", "Created"),
                            ("started", "Started"),
                            ("scheduled", "Scheduled"),
                            ("step_owed", "Step Owed"),
                            ("step_settled", "Step Settled"),
                            ("retry_scheduled", "Retry Scheduled"),
                            ("outcome_noted", "Outcome Noted"),
                            ("branch_taken", "Branch Taken"),
                            ("wait_opened", "Wait Opened"),
                            ("signal_matched", "Signal Matched"),
                            ("early_signal_used", "Early Signal Used"),
                            ("signal_buffered", "Signal Buffered"),
                            ("signal_rejected", "Signal Rejected"),
                            ("wait_timed_out", "Wait Timed Out"),
                            ("woken", "Woken"),
                            ("last_step_done", "Last Step Done"),
                            ("rule_completed", "Rule Completed"),
                            ("rule_stopped", "Rule Stopped"),
                            ("cancelled", "Cancelled"),
                            ("deadline_passed", "Deadline Passed"),
                            ("step_quarantined", "Step Quarantined"),
                            ("unknown_outcome", "Unknown Outcome"),
                            ("attempt_lost", "Attempt Lost"),
                            ("stale_attempt", "Stale Attempt"),
                            ("step_kind_unknown", "Step Kind Unknown"),
                            ("engine_error", "Engine Error"),
                        ],
                        max_length=32,
                    ),
                ),
                ("context", models.JSONField(default=dict)),
                ("prev_hash", models.BinaryField(max_length=32)),
                ("hash", models.BinaryField(max_length=32)),
                ("occurred_at", models.DateTimeField()),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transitions",
                        to="workflows.run",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Wait",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("step", models.CharField(max_length=64)),
                ("visit", models.PositiveIntegerField()),
                ("signals", models.JSONField(default=list)),
                ("look_back_from", models.DateTimeField(null=True)),
                ("opened_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(null=True)),
                ("on_timeout", models.JSONField(default=str)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("signal", "Signal"),
                            ("timeout", "Timeout"),
                            ("outcome", "Outcome"),
                            ("woken", "Woken"),
                            ("cancelled", "Cancelled"),
                            ("expired", "Expired"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="waits",
                        to="workflows.run",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="definition",
            index=models.Index(
                condition=models.Q(("status", "published")),
                fields=["tenant", "start_signal"],
                name="definition_start_signal",
            ),
        ),
        migrations.AddConstraint(
            model_name="definition",
            constraint=models.UniqueConstraint(fields=("tenant", "key", "version"), name="definition_key_version"),
        ),
        migrations.AddConstraint(
            model_name="definition",
            constraint=models.UniqueConstraint(fields=("tenant", "public_id"), name="definition_public_id"),
        ),
        migrations.AddConstraint(
            model_name="definition",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "draft")), fields=("tenant", "key"), name="definition_one_draft"
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["tenant", "due_at"], name="run_due"
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["tenant", "state", "id"], name="run_state"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["tenant", "subject", "id"], name="run_subject"),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.UniqueConstraint(fields=("tenant", "public_id"), name="run_public_id"),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.UniqueConstraint(
                condition=models.Q(("idempotency_key__isnull", False)),
                fields=("tenant", "definition_key", "idempotency_key"),
                name="run_idempotency_key",
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["pending", "active", "waiting", "paused"]),
                    models.Q(("due_at__isnull", True), ("pending_signals", 0)),
                    _connector="OR",
                ),
                name="run_finished_is_at_rest",
            ),
        ),
        migrations.AddIndex(
            model_name="listener",
            index=models.Index(fields=["tenant", "name", "key", "run"], name="listener_key"),
        ),
        migrations.AddIndex(
            model_name="signalverdict",
            index=models.Index(fields=["tenant", "run"], name="signal_verdict_by_run"),
        ),
        migrations.AddConstraint(
            model_name="signalverdict",
            constraint=models.UniqueConstraint(fields=("tenant", "signal", "run"), name="signal_verdict_run"),
        ),
        migrations.AddConstraint(
            model_name="step",
            constraint=models.UniqueConstraint(fields=("tenant", "definition", "position"), name="step_position"),
        ),
        migrations.AddConstraint(
            model_name="step",
            constraint=models.UniqueConstraint(fields=("tenant", "definition", "key"), name="step_key"),
        ),
        migrations.AddIndex(
            model_name="steprun",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["tenant", "due_at"], name="step_run_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="steprun",
            constraint=models.UniqueConstraint(
                fields=("tenant", "run", "step", "visit", "resend"), name="step_run_visit"
            ),
        ),
        migrations.AddConstraint(
            model_name="steprun",
            constraint=models.UniqueConstraint(fields=("tenant", "key"), name="step_run_key"),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(fields=("tenant", "step_run", "number"), name="attempt_number"),
        ),
        migrations.AddConstraint(
            model_name="transition",
            constraint=models.UniqueConstraint(fields=("tenant", "run", "seq"), name="transition_run_seq"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="transition",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="ea3a643caed6158dc66c6e6c2f91a734664d5334",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_5abae",
                    table="workflows_transition",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="wait",
            constraint=models.UniqueConstraint(fields=("tenant", "run", "step", "visit"), name="wait_visit"),
        ),
        migrations.AddConstraint(
            model_name="wait",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at__isnull", True)), fields=("tenant", "run"), name="wait_one_open"
            ),
        ),
    ]
