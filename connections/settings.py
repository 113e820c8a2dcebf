"""All settings, read from the environment. Each variable can also come as `<NAME>_FILE`, the path of a file that holds it.

Without SECRET_KEY, ENCRYPTION_KEYS and PUBLIC_URL nothing starts: there is no default that could be forgotten in production.
"""

import sys
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF

env = environ.FileAwareEnv()
BASE_DIR = Path(__file__).resolve().parent.parent

HOW_TO_MAKE = {
    "SECRET_KEY": 'python3 -c "import secrets; print(secrets.token_urlsafe(50))"',
    "ENCRYPTION_KEYS": 'python3 -c "import base64, os; print(base64.b64encode(os.urandom(32)).decode())"',
    "PUBLIC_URL": "the address people open in their browser, for example https://gatehouse.example.com",
}
missing = [name for name in HOW_TO_MAKE if not env.str(name, default="").strip()]
if missing:
    lines = [f"  {name}  {HOW_TO_MAKE[name]}" for name in missing]
    sys.exit(
        "Gatehouse does not start: the environment lacks " + ", ".join(missing) + ".\n"
        "Set each one (or <NAME>_FILE with the path of a file that holds it). How to make it:\n" + "\n".join(lines)
    )

SECRET_KEY = env.str("SECRET_KEY").strip()
ENCRYPTION_KEYS = [key.strip() for key in env.str("ENCRYPTION_KEYS").replace("\n", ",").split(",") if key.strip()]
PUBLIC_URL = env.str("PUBLIC_URL").strip().rstrip("/")
SIMULATOR_URL = env.str("SIMULATOR_URL", default="").strip().rstrip("/")
PRIVATE_HOSTS_ALLOWED = [
    host.strip() for host in env.str("PRIVATE_HOSTS_ALLOWED", default="").split(",") if host.strip()
]
DEBUG = env.bool("DEBUG", default=False)

public = urlsplit(PUBLIC_URL)
if public.scheme not in ("http", "https") or not public.hostname or public.path or public.query:
    sys.exit(f"Gatehouse does not start: PUBLIC_URL must look like https://gatehouse.example.com, not {PUBLIC_URL!r}.")
IS_HTTPS = public.scheme == "https"

# The loopback names let health checks and a person on the machine itself in; links and redirects use PUBLIC_URL alone.
ALLOWED_HOSTS = [public.hostname, "127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "connections",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "template_partials",
    "csp",
    "django_tasks",
    "django_tasks_db",
    "allauth",
    "allauth.account",
    "allauth.mfa",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "connections.api.front.ApiFirst",  # answers what is below /api/: nothing that follows runs there
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "connections.views.errors.PlainErrors",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "connections.views.setup.SetupFirst",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "connections.views.access.CurrentTeam",
]

ROOT_URLCONF = "connections.urls"
WSGI_APPLICATION = "connections.wsgi.application"

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
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR}/var/gatehouse.sqlite3")}
# A connection per request costs nine tenths of the speed on PostgreSQL; each thread keeps its own.
DATABASES["default"]["CONN_MAX_AGE"] = None
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # A transaction that will write takes the write lock at once and waits for it, instead of failing half-way.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # FULL: a rotated refresh token that was committed survives a power cut.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "connections.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/connections/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "connections.views.accounts.AccountAdapter"
ACCOUNT_LOGOUT_REDIRECT_URL = "/accounts/login/"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = public.scheme

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = f"Gatehouse <gatehouse@{public.hostname}>"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "var" / "static")))
STORAGES = {
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

LANGUAGE_CODE = "en-gb"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True

# Lax, not Strict: the browser comes back from the provider by a top-level navigation and must be known.
SESSION_COOKIE_NAME = "gatehouse_session"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
CSRF_COOKIE_NAME = "gatehouse_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "connections.views.errors.csrf_failure"
# The consent page opens in a window of its own; `same-origin`, Django's default, would cut that window off.
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin-allow-popups"
# Nothing to other sites. Not `no-referrer`: under it browsers post our own forms with `Origin: null`, which CSRF protection refuses.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
# The proxy in front ends TLS and redirects. Whether subdomains are HTTPS too is for their owner to say, not for us.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
if not IS_HTTPS:
    SILENCED_SYSTEM_CHECKS += ["security.W004", "security.W012", "security.W016"]  # connections.W001 says it once
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DEFAULT_EXCEPTION_REPORTER_FILTER = "connections.views.errors.NoVariables"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django.server": {"handlers": ["console"], "level": "INFO", "propagate": False},
        # At DEBUG these print tokens, codes and client secrets.
        "requests_oauthlib": {"level": "WARNING"},
        "oauthlib": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
    },
}

SETUP_LINK_SECONDS = 7 * 24 * 3600
USAGE_FLUSH_SECONDS = 5  # how far behind the counts of token reads may be
ATTEMPT_SECONDS = 600  # how long an authorization may take; Amazon's own limit
