"""Templates have versions: what each says moves to its first one, published."""

import hashlib
import json
from typing import Any

import django.db.models.deletion
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from tenants.rls import isolate
from tenants.vault.migrating import values

_INSERT = """
INSERT INTO deliveries_templateversion
    (tenant_id, template_id, number, status, layout, wordings, checksum, created_at, updated_at, published_at)
SELECT tenant_id, id, 1, 'published', '', %s::jsonb, %s, created_at, updated_at, updated_at
  FROM deliveries_template WHERE tenant_id = %s AND id = %s
"""
_POINT = """
UPDATE deliveries_template t SET current_id = v.id FROM deliveries_templateversion v
 WHERE v.tenant_id = t.tenant_id AND v.template_id = t.id
"""
_KEY = "deliveries_template_current_id_tenant_fk"


def move_words(apps: Any, schema_editor: Any) -> None:
    """Make version 1 of each template, and let the template point to it."""
    cursor = schema_editor.connection.cursor()
    columns = "subject", "text", "html"
    for tenant_id, row_id, subject, text, html in list(values(cursor, "deliveries_template", *columns)):
        wordings = {"default": {"subject": subject, "text": text, "html": html}}
        checksum = hashlib.sha256(json.dumps([wordings, ""], sort_keys=True).encode()).hexdigest()
        cursor.execute(_INSERT, [json.dumps(wordings), checksum, tenant_id, row_id])
    cursor.execute(_POINT)


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0004_sealed_content"),
        ("tenants", "0008_subject_scopes"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="layout_version",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="locale",
            field=models.CharField(blank=True, db_default="", max_length=35),
        ),
        migrations.AddField(
            model_name="delivery",
            name="template_version",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="template",
            name="is_layout",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.CreateModel(
            name="TemplateVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[("draft", "Draft"), ("published", "Published")], default="draft", max_length=16
                    ),
                ),
                (
                    "layout",
                    models.CharField(blank=True, help_text="The key of a layout on the same channel.", max_length=100),
                ),
                ("wordings", models.JSONField()),
                ("checksum", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("published_at", models.DateTimeField(null=True)),
                (
                    "template",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="deliveries.template",
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
        migrations.AddField(
            model_name="template",
            name="current",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="deliveries.templateversion",
            ),
        ),
        migrations.AddConstraint(
            model_name="templateversion",
            constraint=models.UniqueConstraint(fields=("tenant", "template", "number"), name="template_version_number"),
        ),
        migrations.AddConstraint(
            model_name="templateversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "draft")), fields=("tenant", "template"), name="template_one_draft"
            ),
        ),
        *isolate("deliveries_templateversion", references={"template_id": "deliveries_template"}),
        migrations.RunSQL(
            f"ALTER TABLE deliveries_template ADD CONSTRAINT {_KEY} FOREIGN KEY (tenant_id, current_id)"
            " REFERENCES deliveries_templateversion (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE",
            f"ALTER TABLE deliveries_template DROP CONSTRAINT {_KEY}",
        ),
        migrations.RunPython(move_words, migrations.RunPython.noop),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RemoveField(
            model_name="template",
            name="checksum",
        ),
        migrations.RemoveField(
            model_name="template",
            name="html",
        ),
        migrations.RemoveField(
            model_name="template",
            name="subject",
        ),
        migrations.RemoveField(
            model_name="template",
            name="text",
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="templateversion",
            trigger=pgtrigger.compiler.Trigger(
                name="published_words_are_frozen",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.status <> 'draft')",
                    func="\nIF TG_OP = 'DELETE' OR NEW.status = 'draft'\n   OR (NEW.tenant_id, NEW.template_id, NEW.number, NEW.layout, NEW.wordings, NEW.checksum)\n      IS DISTINCT FROM (OLD.tenant_id, OLD.template_id, OLD.number, OLD.layout, OLD.wordings, OLD.checksum) THEN\n    RAISE EXCEPTION 'a published version of a template never changes';\nEND IF;\nRETURN NEW;\n",
                    hash="ddbaad2d9d76f550b9d79fe8fead7c57c56aa052",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_published_words_are_frozen_bc0ce",
                    table="deliveries_templateversion",
                    when="BEFORE",
                ),
            ),
        ),
    ]
