"""Addresses that are left alone, in a table of their own: they stay when the messages that they came from are pruned."""

from typing import Any

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.ids
from tenants.rls import isolate

# What the messages there are have said so far: a bounce after which nothing arrived, and every complaint.
FILL = """
INSERT INTO deliveries_suppression AS s (tenant_id, public_id, channel, recipient_digest, recipient_masked, subject,
       bounced_at, complained_at, delivery, provider, code, lifted_by, lifted_why, created_at)
SELECT DISTINCT ON (d.tenant_id, d.recipient_digest, d.channel)
       d.tenant_id, gen_random_uuid(), d.channel, d.recipient_digest, d.recipient_masked, d.subject,
       CASE WHEN {bounced} THEN coalesce(d.bounced_at, d.settled_at) END, CASE WHEN NOT {bounced} THEN d.complained_at END,
       d.public_id, d.provider, CASE WHEN {bounced} THEN d.error ELSE 'complained' END, '', '', clock_timestamp()
  FROM deliveries_delivery d
 WHERE d.recipient_digest <> '' AND d.channel IN ('email', 'sms', 'push') AND {where}
 ORDER BY d.tenant_id, d.recipient_digest, d.channel, d.id
    ON CONFLICT (tenant_id, recipient_digest, channel) DO UPDATE SET
       complained_at = coalesce(s.complained_at, excluded.complained_at),
       bounced_at = coalesce(s.bounced_at, excluded.bounced_at)
"""
BOUNCED = """d.status = 'bounced' AND NOT EXISTS (
    SELECT 1 FROM deliveries_delivery l WHERE l.tenant_id = d.tenant_id AND l.recipient_digest = d.recipient_digest
       AND l.channel = d.channel AND l.status = 'delivered' AND l.settled_at > d.settled_at)"""


def fill(apps: Any, schema_editor: Any) -> None:
    """From the deliveries there are. Again, nothing changes."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(FILL.format(bounced="true", where=BOUNCED))
        cursor.execute(FILL.format(bounced="false", where="d.complained_at IS NOT NULL"))


class Migration(migrations.Migration):
    """What an older process takes while the new ones start is known from its deliveries, and not here."""

    dependencies = [("deliveries", "0022_held_index"), ("tenants", "0010_recipient_scopes")]

    operations = [
        migrations.CreateModel(
            name="Suppression",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("channel", models.CharField(max_length=32)),
                ("recipient_digest", models.CharField(max_length=64)),
                ("recipient_masked", models.CharField(blank=True, max_length=200)),
                ("subject", models.CharField(blank=True, max_length=200)),
                ("bounced_at", models.DateTimeField(blank=True, null=True)),
                ("complained_at", models.DateTimeField(blank=True, null=True)),
                ("delivery", models.UUIDField(blank=True, null=True)),
                ("provider", models.CharField(blank=True, max_length=64)),
                ("code", models.CharField(blank=True, max_length=200)),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
                ("lifted_by", models.CharField(blank=True, max_length=200)),
                ("lifted_why", models.CharField(blank=True, max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "recipient_digest", "channel"), name="suppression_address"
                    ),
                    models.UniqueConstraint(fields=("tenant", "public_id"), name="suppression_public_id"),
                ],
                "indexes": [models.Index(fields=["tenant", "subject", "-id"], name="suppression_of_subject")],
            },
        ),
        *isolate("deliveries_suppression"),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
