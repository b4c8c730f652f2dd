"""Django's settings, derived from the typed settings; nothing is configured here that an operator should change."""

from pathlib import Path
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

from mainzdigital.config.settings import settings
from mainzdigital.store.connect import conninfo

_settings = settings()
_package = Path(__file__).resolve().parent.parent
_libpq = conninfo_to_dict(conninfo(_settings.dsn, name="web"))

SECRET_KEY = _settings.secret_key
DEBUG = _settings.debug
_origin = urlsplit(_settings.origin)
ALLOWED_HOSTS = ["*"] if DEBUG else [_origin.hostname or "", "127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [_settings.origin]
# `web` is reached over the relay's Unix socket only, and the relay writes this header itself.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
_https = _origin.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _https else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Bodies beyond this go to disk or are refused, never to memory.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5_000_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
FILE_UPLOAD_PERMISSIONS = 0o600

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "procrastinate.contrib.django",
    "mainzdigital.schema",
]
_named = ("dbname", "user", "password", "host", "port")
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
        "OPTIONS": {name: value for name, value in _libpq.items() if name not in _named},
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
# The process configures its log before Django is loaded (config/log.py); Django adds no handlers of its own.
LOGGING_CONFIG = None
