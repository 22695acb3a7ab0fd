"""The WSGI application that a web server loads: `gunicorn chimeway_py.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

from chimeway_py.garbage import look_less_often

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chimeway_py.settings")
os.environ.setdefault("CHIMEWAY_PROCESS", "web")

application = get_wsgi_application()
look_less_often()
