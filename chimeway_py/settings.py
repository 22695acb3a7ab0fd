"""All settings, read top to bottom. Everything that differs between machines comes from the environment.

Unsafe defaults refuse to start outside `DEBUG`: `manage.py check --deploy` must be clean.
"""

import base64
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
import structlog
from django.core.exceptions import ImproperlyConfigured

from chimeway_py.safe_log import SafeFormatter, format_error, hide_path

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# -- Safety -----------------------------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured("Set SECRET_KEY (50 random characters), or DEBUG=1 on your own machine.")
    SECRET_KEY = "django-insecure-only-for-debug"  # noqa: S105
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])


def keys_of_32_bytes(name: str, encoded: list[str]) -> list[bytes]:
    """Keys from base64, those that are in use and those of before: the first is used from now on."""
    try:
        keys = [base64.b64decode(text, validate=True) for text in encoded]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} are not base64: openssl rand -base64 32 makes one.") from error
    if any(len(key) != 32 for key in keys):
        raise ImproperlyConfigured(f"Each of {name} has 32 bytes: openssl rand -base64 32 makes one.")
    return keys


# Master keys. The first wraps the keys of tenants, all of them unwrap.
PAYLOAD_KEYS = keys_of_32_bytes("PAYLOAD_KEYS", env.list("PAYLOAD_KEYS", default=[]))
if not PAYLOAD_KEYS:
    if not DEBUG:
        raise ImproperlyConfigured("Set PAYLOAD_KEYS (openssl rand -base64 32), or DEBUG=1 on your own machine.")
    PAYLOAD_KEYS = [b"django-insecure-only-for-debug..".ljust(32)[:32]]
# Ed25519 keys that sign the heads of traces. The first signs; without one no heads are made.
HEAD_KEYS = keys_of_32_bytes("HEAD_KEYS", env.list("HEAD_KEYS", default=[]))
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
HTTPS = env.bool("HTTPS", default=not DEBUG)  # false only behind nothing: on one machine, for oneself
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # probes come from inside, without TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_TLS_PROXY", default=False) else None
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "chimeway_session", "chimeway_csrf"
SESSION_COOKIE_AGE = 12 * 3600
X_FRAME_OPTIONS = "DENY"

# -- Apps -------------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "chimeway_py",
    "tenants",
    "signals_app",
    "workflows",
    "deliveries",
    "chimeway_py.admin_app.ChimewayAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "django_structlog",
    "pgtrigger",
    "axes",
]
MIDDLEWARE = [
    "chimeway_py.content_policy.ContentPolicyMiddleware",  # first: what others answer by themselves has it, too
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "deliveries.api.origins.InboxOriginsMiddleware",
    "chimeway_py.request_log.RequestLogMiddleware",
    "chimeway_py.form_text.FormTextMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "chimeway_py.large_forms.LargeFormsMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "tenants.second_factor.middleware.SecondFactorMiddleware",
    "tenants.operator_scope.OperatorScopeMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "chimeway_py.urls"
WSGI_APPLICATION = "chimeway_py.wsgi.application"
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "chimeway_py" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# -- PostgreSQL: `default` is the app role, which owns nothing; `owner` exists only where migrations run --------------
PROCESS_ROLE = env.str("CHIMEWAY_PROCESS", default="command")  # web, worker, beat or command
DATABASE_OPTIONS: dict[str, Any] = {
    # Statements are prepared when a connection uses them for the third time: planning took longer than running them.
    # 0 turns it off, for a pooler in transaction mode that does not carry prepared statements (PgBouncer before 1.21).
    "prepare_threshold": env.int("DATABASE_PREPARE_THRESHOLD", default=2) or None,
    "application_name": f"chimeway-{PROCESS_ROLE}",
    "connect_timeout": 5,  # seconds, for each address: of a host that answers nothing
    # Statements are planned once per connection, often while a table is nearly empty. A plan that reads all of it would
    # stay until the next ANALYZE, and there is an index for everything that the service asks.
    "options": "-c lock_timeout=5s -c statement_timeout=30s -c idle_in_transaction_session_timeout=60s "
    "-c enable_seqscan=off -c jit=off -c random_page_cost=1.1 -c plan_cache_mode=force_generic_plan",
}


def database(name: str, default: str = "") -> dict[str, Any]:
    """One connection from a URL such as postgres://app:secret@db:5432/chimeway?sslmode=require.

    Percent-encode passwords.
    """
    found: dict[str, Any] = env.db_url(name, default=default)
    found["ENGINE"] = "chimeway_py.postgres"
    found["OPTIONS"] = DATABASE_OPTIONS | found.get("OPTIONS", {})
    found["CONN_HEALTH_CHECKS"] = True
    found["DISABLE_SERVER_SIDE_CURSORS"] = True  # PgBouncer in transaction mode changes backends between statements
    return found


DATABASES = {"default": database("DATABASE_URL", "postgres:///chimeway")}
if env.str("DATABASE_OWNER_URL", default=""):
    DATABASES["owner"] = database("DATABASE_OWNER_URL")
if PROCESS_ROLE == "web":  # only here: Celery closes a pool at each task, and a pool does not survive a fork
    DATABASES["default"]["OPTIONS"]["pool"] = {
        "min_size": 1,
        "max_size": env.int("DATABASE_POOL_SIZE", default=16),
        "timeout": 2,
        # Left alone, its pauses between two tries double, and the service would be away about as long again as
        # PostgreSQL was. Whoever asks after it has given up makes it try at once.
        "reconnect_timeout": 2,
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = None
DATABASE_APP_ROLE = env.str("DATABASE_APP_ROLE", default="chimeway_app")
DATABASE_OPERATOR_ROLE = env.str("DATABASE_OPERATOR_ROLE", default="chimeway_operator")

# -- Celery: messages are nudges, so no results, no ETA, no retries in the broker -------------------------------------
CELERY_BROKER_URL = env.str("BROKER_URL", default="redis://127.0.0.1:6379/0")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "engine"
CELERY_TASK_ROUTES = {
    "workflows.tasks.perform_work": {"queue": "work"},
    "workflows.tasks.send_events": {"queue": "work"},
    "workflows.tasks.prune_events": {"queue": "sweep"},
    "workflows.tasks.sweep": {"queue": "sweep"},
    "signals_app.tasks.collect_payloads": {"queue": "sweep"},
    "workflows.tasks.expire_signals": {"queue": "sweep"},
    "workflows.tasks.take_snapshots": {"queue": "sweep"},
    "workflows.tasks.prune": {"queue": "sweep"},
    "workflows.tasks.analyze_grown_tables": {"queue": "sweep"},
    "workflows.tasks.run_engine": {"queue": "engine"},
    "workflows.tasks.close_digests": {"queue": "engine"},
    "deliveries.tasks.run_broadcasts": {"queue": "engine"},
    "deliveries.tasks.release_held": {"queue": "engine"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "socket_timeout": 2,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "visibility_timeout": 3600,
        "queue_order_strategy": "round_robin",
    }
    if CELERY_BROKER_URL.startswith(("redis", "valkey"))
    else {"confirm_publish": True}
)
if CELERY_BROKER_URL.startswith("amqp"):  # replicated by the broker; a lost node takes no queue with it
    CELERY_TASK_DEFAULT_QUEUE_TYPE = CELERY_TASK_CREATE_MISSING_QUEUE_TYPE = "quorum"
SWEEP_EVERY = env.float("SWEEP_EVERY_SECONDS", default=1.0)
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "workflows.tasks.sweep", "schedule": SWEEP_EVERY},
    "collect": {"task": "signals_app.tasks.collect_payloads", "schedule": 60.0},
    "prune_events": {"task": "workflows.tasks.prune_events", "schedule": 3600.0},
    "expire_signals": {"task": "workflows.tasks.expire_signals", "schedule": 60.0},
    "analyze_grown_tables": {"task": "workflows.tasks.analyze_grown_tables", "schedule": 2.0},
    "take_snapshots": {"task": "workflows.tasks.take_snapshots", "schedule": 3600.0},
    "sign_heads": {"task": "workflows.tasks.sign_heads", "schedule": 300.0},  # of tenants whose last is an hour old
    "prune": {"task": "workflows.tasks.prune", "schedule": 300.0},
}

# -- The service ------------------------------------------------------------------------------------------------------
LEASE_SECONDS = env.int("LEASE_SECONDS", default=10)  # how long a silent worker keeps a claim
STUCK_AFTER_SECONDS = env.float("STUCK_AFTER_SECONDS", default=300)  # a worker leaves; longer than any task may take
OUTBOUND_ALLOWED_NETWORKS = env.list("OUTBOUND_ALLOWED_NETWORKS", default=[])  # private CIDRs that webhooks may reach
SIGNAL_TTL_DAYS = env.int("SIGNAL_TTL_DAYS", default=7)  # how long an unused signal may still be used
PUBLIC_URL = env.str("PUBLIC_URL", default="")  # where people reach us from outside: links in mails begin with it
RETENTION_ARCHIVE_DIR = env.str("RETENTION_ARCHIVE_DIR", default="")  # where runs are written before they are pruned
EVENTS_KEPT_DAYS = env.int("EVENTS_KEPT_DAYS", default=30)  # how long events can be listed and replayed
BROADCAST_MAX_TARGETS = env.int("BROADCAST_MAX_TARGETS", default=250_000)
BROADCAST_MAX_BYTES = env.int("BROADCAST_MAX_BYTES", default=64 * 1024 * 1024)  # of a file of targets
BROADCAST_BACKLOG = env.int("BROADCAST_BACKLOG", default=2_000)  # due runs or messages at which a broadcast waits
CHANNEL_MODULES = env.list("CHANNEL_MODULES", default=[])  # Python modules with channels and providers of your own
INBOX_STREAMS = env.int("INBOX_STREAMS", default=4)  # of one web process; each holds a thread
INBOX_STREAMS_PER_TENANT = env.int("INBOX_STREAMS_PER_TENANT", default=0)  # of those; 0 is half of them
INBOX_STREAM_SECONDS = env.int("INBOX_STREAM_SECONDS", default=300)  # how long one lives before the browser asks again
INBOX_ORIGINS = env.list("INBOX_ORIGINS", default=[])  # whose pages may ask for inboxes from a browser
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])  # networks whose X-Forwarded-For tells who asks
FAILED_KEYS_PER_MINUTE = env.int("FAILED_KEYS_PER_MINUTE", default=60)  # from one address; 0 is no limit
FAILED_SIGN_INS = env.int("FAILED_SIGN_INS", default=5)  # of a name from an address, before it is locked out
SIGN_IN_LOCK_MINUTES = env.int("SIGN_IN_LOCK_MINUTES", default=15)
OPERATOR_SECOND_FACTOR = env.str("OPERATOR_SECOND_FACTOR", default="optional")  # or superusers, or everybody
TENANT_LIMITS = {name: int(amount) for name, amount in env.dict("TENANT_LIMITS", default={}).items()}
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")  # without one, /metrics answers this machine only

# -- Mail -------------------------------------------------------------------------------------------------------------
for _name, _value in env.email_url("EMAIL_URL", default="smtp://127.0.0.1:25").items():
    globals()[_name] = _value
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="notifications@localhost")

# -- REST -------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenants.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tenants.api.authentication.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["chimeway_py.api.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "chimeway_py.api.paging.CursorPages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "chimeway_py.api.errors.answer_error",
    "UNAUTHENTICATED_USER": None,
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "chimeway_py",
    "DESCRIPTION": "Notification journeys, driven by signals, that can always say why.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "chimeway_py.api.openapi.tell_shared_refusals",
    ],
    "ENUM_NAME_OVERRIDES": {
        "DefinitionStatus": "workflows.models.definition.DefinitionStatus",
        "DeliveryStatus": "deliveries.states.DeliveryStatus",
        "TemplateStatus": "deliveries.models.template.TemplateStatus",
        "StepRunStatus": "workflows.models.step_run.StepRunStatus",
        "RunState": "workflows.states.RunState",
        "Cause": "workflows.states.Cause",
        "Reason": "workflows.states.Reason",
        "Verdict": "signals_app.verdicts.Verdict",
        "HoldOn": "workflows.models.retention.HoldOn",
        "Moved": ["moved", "refused"],
        "MoveOutcome": "workflows.engine.version_moves.MoveOutcome",
        "BroadcastStatus": "deliveries.models.broadcast.BroadcastStatus",
        "TargetOutcome": ["waiting", "started", "skipped"],
        "EndState": ["completed", "stopped", "expired"],
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# -- Sign-in, language, files -----------------------------------------------------------------------------------------
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
# A name from an address is locked out, not the name: a stranger must not shut out an operator from elsewhere.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT, AXES_COOLOFF_TIME = FAILED_SIGN_INS, timedelta(minutes=SIGN_IN_LOCK_MINUTES)
AXES_CLIENT_IP_CALLABLE = "chimeway_py.addresses.client_address"
AXES_LOCKOUT_CALLABLE = "tenants.second_factor.sign_in.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG, AXES_ENABLE_ADMIN, AXES_VERBOSE = True, False, False
AXES_SENSITIVE_PARAMETERS = ["username", "code", "next", "csrfmiddlewaretoken"]  # besides the password
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "UserAttributeSimilarityValidator")
]
LANGUAGE_CODE, TIME_ZONE, USE_TZ, USE_I18N = "en", "UTC", True, False
DATE_FORMAT, DATETIME_FORMAT = "Y-m-d", "Y-m-d H:i:s"  # as every page of ours writes them
STATIC_URL, STATIC_ROOT = "/static/", env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

# -- Logs: one JSON object a line, ids and names only -----------------------------------------------------------------
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG  # the line about its end says all
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
_shared: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": SafeFormatter,
            "processors": [
                hide_path,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                format_error,
                structlog.processors.JSONRenderer(),
            ],
            "foreign_pre_chain": _shared,
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "axes": {"level": "ERROR"},  # it writes names and addresses; we say what matters ourselves
        "celery": {"level": env.str("CELERY_LOG_LEVEL", default="WARNING")},
        # They write addresses and headers of what we call: hooks whose address is the secret, values of payloads.
        **{name: {"level": "WARNING"} for name in ("httpx2", "httpcore2", "urllib3")},
    },
}
logging.raiseExceptions = False  # it would print the arguments of a line that cannot be written
structlog.configure(
    processors=[structlog.stdlib.filter_by_level, *_shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
