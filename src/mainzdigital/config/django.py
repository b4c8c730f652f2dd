"""Django's settings, derived from the typed settings; nothing is configured here that an operator should change."""

from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from mainzdigital.config import accounts, registry
from mainzdigital.config.settings import settings

_settings = settings()
_package = Path(__file__).resolve().parent.parent
_libpq = conninfo_to_dict(_settings.dsn)

SECRET_KEY = _settings.secret_key
DEBUG = _settings.debug
ALLOWED_HOSTS = ["*"] if DEBUG else [_settings.origin.split("://")[1].split(":")[0], "127.0.0.1", "localhost", "[::1]"]

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
    "django.contrib.humanize",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
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
            ],
        },
    }
]
CITY = _settings.city
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

# Accounts: the operator's choices come from config/accounts.py.
_accounts = accounts.account_settings()
_https = _settings.origin.startswith("https://")
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
CSRF_TRUSTED_ORIGINS = [_settings.origin]
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
