# Everything here works from a fresh clone: a target makes the virtualenv and installs the locked packages when needed.

.DEFAULT_GOAL := help
.NOTPARALLEL:

# The packages are locked for 3.11; a newer Python is taken when that one isn't there.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# What the checks need of an environment: no server is contacted, and the secrets are made for this call only.
RANDOM_SECRET = $$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(48))')
RANDOM_KEY = lint:$$($(BIN)/python -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())')
NO_SERVERS = DATABASE_URL=postgres://lint:lint@127.0.0.1:1/lint REDIS_URL=redis://127.0.0.1:1/0 \
	SECRET_KEY="$(RANDOM_SECRET)" SECRETS_KEYS="$(RANDOM_KEY)"
MANAGE = $(NO_SERVERS) $(BIN)/python -W ignore::RuntimeWarning manage.py

.PHONY: help
help:  ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  Settings, as variables: PORT (8000), DATA_DIR (.local), DEMO=0, VERBOSE=1, DATABASE_URL, REDIS_URL, LOG_LEVEL"

.PHONY: run
run: packages  ## Run the platform: PostgreSQL, Redis, web, worker, scheduler; Ctrl-C stops it
	@exec $(BIN)/python -m config.supervisor

.PHONY: test
test: packages-dev  ## Run all tests, in parallel (ARGS="-k name" chooses)
	@$(BIN)/python -m pytest --numprocesses auto --dist loadgroup $(ARGS)

CHECKS := style layers types migrations deployment openapi
.PHONY: lint $(CHECKS)
lint: packages-dev $(CHECKS)  ## Check style, types, layers, migrations, deployment settings and the OpenAPI document

style: packages-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

layers: packages-dev
	$(BIN)/lint-imports

types: packages-dev
	@echo mypy apps config
	@$(NO_SERVERS) $(BIN)/mypy apps config

migrations: packages-dev
	@echo manage.py makemigrations --check
	@DJANGO_SETTINGS_MODULE=config.settings.test $(MANAGE) makemigrations --check --dry-run

deployment: packages-dev
	@echo manage.py check --deploy, with the production settings
	@DJANGO_SETTINGS_MODULE=config.settings.production ALLOWED_HOSTS=apprun.example.com BASE_URL=https://apprun.example.com \
		$(MANAGE) check --deploy --fail-level WARNING

openapi: packages-dev
	@echo manage.py spectacular --validate --fail-on-warn
	@DJANGO_SETTINGS_MODULE=config.settings.test $(MANAGE) spectacular --validate --fail-on-warn --file /dev/null

.PHONY: bench
bench: packages-dev  ## Measure against the bars of the design (ARGS="name" chooses)
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: drill
drill: packages-dev  ## Lose a PostgreSQL cluster of its own and get it back by pgBackRest, timed and compared
	@$(BIN)/python -m config.drill

.PHONY: lock
lock: packages-dev  ## Resolve requirements*.in into requirements*.txt, with hashes
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt

LOCK = $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-find-links --python-version 3.11

# The virtualenv keeps a copy of each list it was filled from, so that nothing is installed twice. A copy, not a date:
# a checkout changes dates.
.PHONY: venv packages packages-dev
venv:
	@test -n "$(PYTHON)" || { echo "AppRun needs Python 3.11 or newer, and none was found on PATH." >&2; exit 1; }
	@test -x $(BIN)/pip || { echo "apprun   | making a virtualenv in $(VENV) with $(PYTHON)"; \
		$(PYTHON) -m venv --clear $(VENV) || { echo "No virtualenv: apt-get install python3-venv" >&2; exit 1; }; }

packages: venv
	@$(call install,requirements.txt)

packages-dev: packages
	@$(call install,requirements-dev.txt)

define install
cmp -s $(1) $(VENV)/$(1) || { echo "apprun   | installing the packages of $(1) (once)"; \
	$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --requirement $(1) \
	&& cp $(1) $(VENV)/$(1); }
endef
