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
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "procrastinate.contrib.django",
    "mainzdigital.schema",
]
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
PROCRASTINATE_ON_APP_READY = "mainzdigital.config.jobs.add_periodic"
