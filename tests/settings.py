"""The product's own settings, with an environment made for tests. `DATABASE_URL` chooses the database, as everywhere."""

import base64
import os
import tempfile
from pathlib import Path

os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "0" * 50)
os.environ.setdefault("ENCRYPTION_KEYS", base64.b64encode(bytes(range(32))).decode())
os.environ.setdefault("PUBLIC_URL", "https://gatehouse.example.com")
os.environ["PRIVATE_HOSTS_ALLOWED"] = os.environ["SIMULATOR_URL"] = ""

from connections.settings import *
from connections.settings import DATABASES, MIDDLEWARE, STORAGES

ALLOWED_HOSTS = ["*"]
MIDDLEWARE = [name for name in MIDDLEWARE if "whitenoise" not in name]
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
USAGE_FLUSH_SECONDS = float(os.environ.get("USAGE_FLUSH_SECONDS", "0"))  # 0: no thread; a test writes what was counted
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, so that threads and other processes of a test see the same rows.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    DATABASES["default"]["TEST"] = {"NAME": str(Path(tempfile.gettempdir()) / f"gatehouse-test-{run}.sqlite3")}
