"""Lists Django's applications, middleware and templates, in the order in which they run."""

from __future__ import annotations

from inference.settings import BASE_DIR

INSTALLED_APPS = [
    "chat.core.site_config.SiteConfig",  # django.contrib.admin, with this service's rules
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "csp",
    "channels",
    "django_prometheus",
    "chat.core",
    "chat.accounts",
    "chat.model_cards",
    "chat.conversations",
    "chat.quotas",
    "chat.moderation",
    "chat.search",
    "chat.feedback",
    "chat.files",
    "chat.personas",
    "chat.tools",
    "chat.turns",
    "chat.push",
    "chat.sharing",
    "chat.transfer",
    "chat.account_deletion",
    "chat.staff",
    "grokweb",
]
MIDDLEWARE = [
    "grokweb.live_settings.LiveSettingsMiddleware",
    "chat.sharing.middleware.UnlistedMiddleware",
    "chat.core.addresses.AddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "chat.core.middleware.PrivateMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "chat.accounts.middleware.LanguageMiddleware",
    "chat.accounts.middleware.SeenMiddleware",
    "chat.accounts.middleware.KnownMiddleware",
    "chat.accounts.middleware.SuspensionMiddleware",
    "chat.core.middleware.ErrorMiddleware",
]
ROOT_URLCONF = "grokweb.urls"
ASGI_APPLICATION = "grokweb.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "csp.context_processors.nonce",
                "chat.core.context.site",
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
