"""Row-level security on the tables of deliveries, and keys that cannot name another tenant's row."""

from django.db import migrations

from tenants.rls import isolate


class Migration(migrations.Migration):
    """After the runs and step runs that deliveries belong to."""

    dependencies = [("deliveries", "0001_initial"), ("workflows", "0002_isolation")]
    operations = [
        *isolate("deliveries_template"),
        *isolate("deliveries_endpoint"),
        *isolate(
            "deliveries_delivery",
            references={
                "run_id": "workflows_run",
                "step_run_id": "workflows_steprun",
                "resend_of_id": "deliveries_delivery",
            },
        ),
        *isolate("deliveries_inboxitem", references={"delivery_id": "deliveries_delivery"}),
    ]
