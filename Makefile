# Gatehouse: `make run` and `make test` are all the set-up there is.
SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 8000
SIMULATOR_PORT ?= 8899
BIN := .venv/bin

export PUBLIC_URL ?= http://127.0.0.1:$(PORT)
export SIMULATOR_URL ?= http://127.0.0.1:$(SIMULATOR_PORT)
SIMULATOR_HOST := $(patsubst http://%,%,$(SIMULATOR_URL))

.PHONY: run test lint format lock clean

run: .venv/run.stamp var/secret_key var/encryption_keys var/static.stamp
	@printf '%s\n' \
	  'web: exec $(BIN)/gunicorn -c python:connections.serving connections.wsgi' \
	  'worker: exec $(BIN)/python manage.py worker' \
	  'simulator: exec $(BIN)/python -m connections.simulator --port $(SIMULATOR_PORT)' > var/Procfile
	@SECRET_KEY_FILE=$${SECRET_KEY_FILE:-var/secret_key} ENCRYPTION_KEYS_FILE=$${ENCRYPTION_KEYS_FILE:-var/encryption_keys} \
	  PRIVATE_HOSTS_ALLOWED="$${PRIVATE_HOSTS_ALLOWED:+$$PRIVATE_HOSTS_ALLOWED,}$(SIMULATOR_HOST)" \
	  BIND=$${BIND:-127.0.0.1:$(PORT)} MIGRATE_ON_START=1 PYTHONUNBUFFERED=1 \
	  exec $(BIN)/honcho start --app-root . --procfile var/Procfile --env var/no.env --no-prefix

test: .venv/test.stamp
	@$(BIN)/python -m tests.everything

lint: .venv/test.stamp
	@$(BIN)/python -m tests.everything --lint

format: .venv/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The lock files: exact versions with hashes, and no address of a registry.
lock:
	$(PYTHON) -m uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url pyproject.toml -o requirements.lock
	$(PYTHON) -m uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv var/static var/*.stamp

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Gatehouse needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.11 …")'
	@echo "Making a virtual environment in .venv (once)."
	@$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.lock | .venv/bin/python
	@echo "Installing the locked dependencies (once)."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.venv/test.stamp: requirements-dev.lock | .venv/bin/python
	@echo "Installing the locked dependencies for the tests (once)."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

var:
	@mkdir -p -m 0700 var

var/secret_key: | .venv/bin/python var
	@umask 077; $(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))' > $@
	@echo "Wrote a new SECRET_KEY to $@ (only you can read it)."

var/encryption_keys: | .venv/bin/python var
	@umask 077; $(BIN)/python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())' > $@
	@echo "Wrote a new ENCRYPTION_KEYS to $@ (only you can read it). Keep a copy: without it no stored secret opens again."

var/static.stamp: requirements.lock $(shell find static -type f) | .venv/run.stamp var/secret_key var/encryption_keys
	@SECRET_KEY_FILE=var/secret_key ENCRYPTION_KEYS_FILE=var/encryption_keys $(BIN)/python manage.py collectstatic --noinput --clear --verbosity 0
	@touch $@
