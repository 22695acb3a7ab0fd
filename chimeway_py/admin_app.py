"""Makes our site the admin's default site: `admin.register` then registers with it."""

from django.contrib.admin.apps import AdminConfig


class ChimewayAdminConfig(AdminConfig):
    """Stock Django admin with our own site."""

    default_site = "chimeway_py.admin_site.ChimewayAdminSite"
