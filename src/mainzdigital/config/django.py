"""Django's settings, derived from the typed settings; nothing is configured here that an operator should change."""

from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from mainzdigital.config.settings import settings

_settings = settings()
_package = Path(__file__).resolve().parent.parent
_libpq = conninfo_to_dict(_settings.dsn)

SECRET_KEY = _settings.secret_key
DEBUG = _settings.debug
ALLOWED_HOSTS = ["*"] if DEBUG else [_settings.origin.split("://")[1].split(":")[0], "127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "mainzdigital.web",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "mainzdigital.schema",
]
MIDDLEWARE = [
    "mainzdigital.web.security.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "mainzdigital.web.errors.CityErrors",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mainzdigital.web.context.frame",
            ],
        },
    }
]
# The portal: config/portal.py gives the frame its city; the built files carry their hash in the name.
PORTAL_SHELL = "mainzdigital.config.portal.shell"
CSRF_FAILURE_VIEW = "mainzdigital.web.errors.csrf_failure"
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 3600
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _libpq.get("dbname", ""),
        "USER": _libpq.get("user", ""),
        "PASSWORD": _libpq.get("password", ""),
        "HOST": _libpq.get("host", ""),
        "PORT": str(_libpq.get("port", "")),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = _settings.city.time_zone
LANGUAGE_CODE = "de"
LANGUAGES = [("de", "Deutsch"), ("en", "English")]
USE_I18N = True
ROOT_URLCONF = "mainzdigital.config.urls"
STATIC_URL = "/static/"
STATIC_ROOT = _package / "web" / "static" / "collected"
