"""Gatehouse's own settings, with no middleware and the floor's addresses alone."""

from connections.settings import *  # noqa: F403
from connections.settings import INSTALLED_APPS

MIDDLEWARE: list[str] = []
INSTALLED_APPS = [name for name in INSTALLED_APPS if not name.startswith("allauth")]  # it insists on its middleware
ROOT_URLCONF = "tests.bench.floor"
