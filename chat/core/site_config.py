"""Names our site to Django's admin; apart from site.py, because it is read before any model."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class SiteConfig(AdminConfig):
    default_site = "chat.core.site.Site"
