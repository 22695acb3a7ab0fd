"""Events out: what happened, who wants to hear of it, what is owed to whom, and how each try went."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.ids
from tenants.rls import isolate, lookup

DUE = """
SELECT DISTINCT s.tenant_id FROM workflows_eventsubscription s
 WHERE s.enabled AND (s.hold_until IS NULL OR s.hold_until <= clock_timestamp())
   AND EXISTS (SELECT 1 FROM workflows_eventdispatch d WHERE d.tenant_id = s.tenant_id AND d.subscription_id = s.id
                  AND d.due_at <= clock_timestamp())
"""
NUMBERS = """
SELECT 'events_due', '', count(*)::float8
  FROM workflows_eventsubscription s
  JOIN workflows_eventdispatch d ON d.tenant_id = s.tenant_id AND d.subscription_id = s.id
   AND d.due_at <= clock_timestamp() - interval '5 seconds'
 WHERE s.enabled
UNION ALL
SELECT 'event_subscriptions',
       CASE WHEN NOT s.enabled THEN 'disabled' WHEN s.failing_since IS NOT NULL THEN 'failing' ELSE 'healthy' END,
       count(*) FROM workflows_eventsubscription s GROUP BY 2
"""


class Migration(migrations.Migration):
    """The subscription of a dispatch has no foreign key: see the model."""

    dependencies = [
        ("tenants", "0008_subject_scopes"),
        ("workflows", "0026_wait_version_changed"),
    ]

    operations = [
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("type", models.CharField(max_length=64)),
                ("run_public_id", models.UUIDField(null=True)),
                ("data", models.JSONField(default=dict)),
                ("occurred_at", models.DateTimeField()),
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
            name="EventDispatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("owed", "Owed"),
                            ("running", "Running"),
                            ("delivered", "Delivered"),
                            ("exhausted", "Exhausted"),
                        ],
                        default="owed",
                        max_length=16,
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("attempts_made", models.PositiveIntegerField(default=0)),
                ("fence", models.PositiveIntegerField(default=0)),
                ("due_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="dispatches",
                        to="workflows.event",
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
            options={
                "verbose_name_plural": "event dispatches",
            },
        ),
        migrations.CreateModel(
            name="EventAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("status_code", models.PositiveSmallIntegerField(null=True)),
                ("error", models.CharField(blank=True, default="", max_length=100)),
                ("started_at", models.DateTimeField()),
                ("duration_ms", models.PositiveIntegerField(null=True)),
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
                    "dispatch",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="workflows.eventdispatch",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="EventSubscription",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("key", models.CharField(max_length=64)),
                ("url", models.CharField(max_length=2000)),
                (
                    "types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), default=list, size=None
                    ),
                ),
                ("description", models.CharField(blank=True, default="", max_length=200)),
                ("secrets", models.JSONField(default=list)),
                ("enabled", models.BooleanField(default=True)),
                (
                    "disabled_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("asked", "somebody switched it off"),
                            ("gone", "the receiver answered 410"),
                            ("failing", "every try failed for 120 hours"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("disabled_at", models.DateTimeField(null=True)),
                ("failing_since", models.DateTimeField(null=True)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("hold_until", models.DateTimeField(null=True)),
                ("succeeded_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
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
        migrations.AddField(
            model_name="eventdispatch",
            name="subscription",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="dispatches",
                to="workflows.eventsubscription",
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["tenant", "run_public_id", "id"], name="event_of_run"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["tenant", "occurred_at"], name="event_by_time"),
        ),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.UniqueConstraint(fields=("tenant", "public_id"), name="event_public_id"),
        ),
        migrations.AddConstraint(
            model_name="eventattempt",
            constraint=models.UniqueConstraint(fields=("tenant", "dispatch", "number"), name="event_attempt_number"),
        ),
        migrations.AddConstraint(
            model_name="eventsubscription",
            constraint=models.UniqueConstraint(fields=("tenant", "key"), name="event_subscription_key"),
        ),
        migrations.AddConstraint(
            model_name="eventsubscription",
            constraint=models.UniqueConstraint(fields=("tenant", "public_id"), name="event_subscription_public_id"),
        ),
        migrations.AddIndex(
            model_name="eventdispatch",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)),
                fields=["tenant", "subscription", "due_at", "id"],
                name="event_dispatch_due",
            ),
        ),
        migrations.AddIndex(
            model_name="eventdispatch",
            index=models.Index(
                condition=models.Q(("status", "running")),
                fields=["tenant", "subscription"],
                name="event_dispatch_running",
            ),
        ),
        migrations.AddIndex(
            model_name="eventdispatch",
            index=models.Index(fields=["tenant", "subscription", "-id"], name="event_dispatch_newest"),
        ),
        migrations.AddConstraint(
            model_name="eventdispatch",
            constraint=models.UniqueConstraint(fields=("tenant", "event", "subscription"), name="event_dispatch_once"),
        ),
        *isolate("workflows_eventsubscription"),
        *isolate("workflows_event"),
        *isolate("workflows_eventdispatch", references={"event_id": "workflows_event"}),
        *isolate("workflows_eventattempt", references={"dispatch_id": "workflows_eventdispatch"}),
        lookup("tenants_with_due_events()", "TABLE (tenant_id bigint)", DUE),
        lookup("event_numbers()", "TABLE (number text, word text, value double precision)", NUMBERS),
    ]
