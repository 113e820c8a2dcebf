# Gatehouse: `make run` and `make test` are all the set-up there is. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 8000
SIMULATOR_PORT ?= 8899
BIN := .venv/bin
UV := uv pip compile --quiet --no-header --universal --python-version 3.11 --generate-hashes --no-emit-index-url

export PUBLIC_URL ?= http://127.0.0.1:$(PORT)
export SIMULATOR_URL ?= http://127.0.0.1:$(SIMULATOR_PORT)
export PORT SIMULATOR_PORT BIN

.PHONY: help run test bench lint format lock clean
.DEFAULT_GOAL := help

help:  ## this list
	@echo "make …"
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  \1	\2/' | expand -t 12
	@echo "PORT and SIMULATOR_PORT move the two ports of make run; PYTHON names another Python, 3.11 or newer."

run: .venv/run.stamp var/secret_key var/encryption_keys var/static.stamp  ## app, worker and Amazon simulator, until Ctrl-C
	@exec bash -c "$$RUN"

test: .venv/test.stamp  ## lint, types, import rules and every test, on SQLite and PostgreSQL
	@$(BIN)/python -m tests.everything

lint: .venv/test.stamp  ## the part of make test that takes seconds
	@$(BIN)/python -m tests.everything --lint

bench: .venv/test.stamp  ## what is promised in numbers, each beside its floor; minutes (ONLY="token_read pane" for some of it)
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY))

format: .venv/test.stamp  ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:  ## write the lock files anew: exact versions with hashes, no address of a registry (needs uv)
	$(UV) pyproject.toml -o requirements.lock
	$(UV) --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:  ## take away what the other targets made; database and keys stay
	rm -rf .venv var/static var/*.stamp

# One process dies: all end. The worker begins once the web process answers, that is with the tables up to date.
define RUN
if [ -z "$$SECRET_KEY" ]; then export SECRET_KEY_FILE="$${SECRET_KEY_FILE:-var/secret_key}"; fi
if [ -z "$$ENCRYPTION_KEYS" ]; then export ENCRYPTION_KEYS_FILE="$${ENCRYPTION_KEYS_FILE:-var/encryption_keys}"; fi
if [ -n "$$SIMULATOR_URL" ]; then
  address="$${SIMULATOR_URL#*://}"
  export PRIVATE_HOSTS_ALLOWED="$${PRIVATE_HOSTS_ALLOWED:+$$PRIVATE_HOSTS_ALLOWED,}$${address%%/*}"
fi
export BIND="$${BIND:-127.0.0.1:$$PORT}" MIGRATE_ON_START=1 PYTHONUNBUFFERED=1

is_taken() { (: <"/dev/tcp/127.0.0.1/$$1") 2>/dev/null; }
for name in PORT $${SIMULATOR_URL:+SIMULATOR_PORT}; do
  if is_taken "$${!name}"; then
    echo "Port $${!name} is in use by another program. Stop it, or take another port: make run $$name=$$(($${!name} + 1))" >&2
    exit 1
  fi
done

processes=()
start() { "$$@" & processes+=($$!); }
all_run() { for process in "$${processes[@]}"; do kill -0 "$$process" 2>/dev/null || return 1; done; }
end() {
  trap '' INT TERM HUP
  kill "$${processes[@]}" 2>/dev/null
  wait "$${processes[@]}"
  exit "$$1"
}
trap 'end 0' INT TERM HUP

start "$$BIN/gunicorn" -c python:connections.serving connections.wsgi
if [ -n "$$SIMULATOR_URL" ]; then start "$$BIN/python" -m connections.simulator --port "$$SIMULATOR_PORT"; fi
until is_taken "$${BIND##*:}"; do
  all_run || end 1
  sleep 0.1
done
start "$$BIN/python" manage.py worker
if ((BASH_VERSINFO[0] > 4)); then wait -n; else while all_run; do sleep 1; done; fi
echo "One of the processes ended, so the others end too." >&2
end 1
endef
export RUN

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Gatehouse needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.11 …")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "This Python cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making a virtual environment in .venv (once)."
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

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
