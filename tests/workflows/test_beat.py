"""What beat asks for: every periodic task that the documentation promises, as often as it promises it."""

from django.conf import settings

from chimeway_py.celery import app

# What docs/architecture.md, privacy.md, retention.md, history.md, evidence.md and performance.md say, in seconds.
PROMISED = {
    "workflows.tasks.sweep": settings.SWEEP_EVERY,
    "signals_app.tasks.collect_payloads": 60,
    "workflows.tasks.prune_events": 3600,
    "workflows.tasks.expire_signals": 60,
    "workflows.tasks.analyze_grown_tables": 2,
    "workflows.tasks.take_snapshots": 3600,
    "workflows.tasks.sign_heads": 300,
    "workflows.tasks.prune": 300,
}


def test_beat_asks_for_everything_that_is_promised_and_a_worker_knows_it() -> None:
    asked = [(one["task"], one["schedule"]) for one in settings.CELERY_BEAT_SCHEDULE.values()]
    app.loader.import_default_modules()

    assert sorted(asked) == sorted(PROMISED.items())
    assert PROMISED.keys() <= app.tasks.keys()
    assert dict(app.conf.beat_schedule) == settings.CELERY_BEAT_SCHEDULE  # of the app that beat runs
