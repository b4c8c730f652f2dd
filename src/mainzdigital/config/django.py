"""Django's settings, derived from the typed settings; nothing is configured here that an operator should change."""

from pathlib import Path
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

from mainzdigital.config import accounts, registry
from mainzdigital.config.settings import settings
from mainzdigital.store.connect import conninfo

_settings = settings()
_libpq = conninfo_to_dict(conninfo(_settings.dsn, name="web"))

SECRET_KEY = _settings.secret_key
DEBUG = _settings.debug
_origin = urlsplit(_settings.origin)
ALLOWED_HOSTS = ["*"] if DEBUG else [_origin.hostname or "", "127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [_settings.origin]
# `web` is reached over the relay's Unix socket only, and the relay writes this header itself.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
_https = _origin.scheme == "https"
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
    "mainzdigital.web",
    "mainzdigital.identity",
    *registry.installed_apps(),
    "mainzdigital.schema",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "allauth",
    "django.contrib.admin",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",  # the sign-in library's page of sessions
    "procrastinate.contrib.django",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "mainzdigital.web.security.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "mainzdigital.identity.middleware.acting",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "mainzdigital.identity.middleware.language",
    "mainzdigital.identity.middleware.portal_reader",
    "allauth.account.middleware.AccountMiddleware",
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
CITY = _settings.city
# The portal: config/portal.py gives the frame its city; the built files carry their hash in the name.
PORTAL_SHELL = "mainzdigital.config.portal.shell"
CSRF_FAILURE_VIEW = "mainzdigital.web.errors.csrf_failure"
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 3600
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
# connect is no app of Django, but its reject files speak to people.
LOCALE_PATHS = [Path(__file__).resolve().parent.parent / "connect" / "locale"]
ROOT_URLCONF = "mainzdigital.config.urls"
STATIC_URL = "/static/"

PROCRASTINATE_ON_APP_READY = "mainzdigital.config.jobs.add_periodic"
# The process configures its log before Django is loaded (config/log.py); Django adds no handlers of its own.
LOGGING_CONFIG = None

# Accounts: the operator's choices come from config/accounts.py.
_accounts = accounts.account_settings()
AUTH_USER_MODEL = "identity.Account"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
SESSION_COOKIE_NAME = "md_session"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _https
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache_entry",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
EMAIL_BACKEND = "mainzdigital.identity.outbox.Outbox"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = f"{_settings.city.platform} <{_settings.city.contact.email}>"
MAIL_BACKEND = _accounts.mail.backend
EMAIL_HOST, EMAIL_PORT = _accounts.mail.host, _accounts.mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _accounts.mail.user, _accounts.mail.password
EMAIL_USE_TLS, EMAIL_USE_SSL = _accounts.mail.starttls, _accounts.mail.tls
EMAIL_FILE_PATH = _settings.home / "outbox"
EMAIL_TIMEOUT = 20
STAFF_TWO_FACTOR = _accounts.staff_two_factor

ACCOUNT_ADAPTER = "mainzdigital.identity.adapters.AccountAdapter"
ACCOUNT_SIGN_UP_OPEN = _accounts.sign_up
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_PRESERVE_USERNAME_CASING = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{_settings.city.platform}] "
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_USER_DISPLAY = "mainzdigital.identity.adapters.display"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if _https else "http"
MFA_ADAPTER = "mainzdigital.identity.adapters.SecondFactorAdapter"
MFA_TOTP_ISSUER = _settings.city.platform
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
SOCIALACCOUNT_ADAPTER = "mainzdigital.identity.adapters.ConnectionAdapter"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [provider.app() for provider in _accounts.providers]}
}
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False  # an equal address is no proof: accounts are joined by hand, signed in
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_QUERY_EMAIL = True
