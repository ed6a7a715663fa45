# Everything one does here, by name. `make help` lists it.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.DEFAULT_GOAL = help
.PHONY: help run test check lint types format reference servers node postgres postgres-short conformance paho ets slow oracle faults lock bench clean

help: ## List what one can make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/run.stamp: requirements/run.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Penstock needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/run.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.lock requirements/recordings.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/recordings.lock
	touch $@

run: $(VENV)/run.stamp ## Start the platform with demo data; open the address it prints
	$(BIN)/penstock demo

# Compiled code is kept: the tests start hundreds of programs.
test: $(VENV)/dev.stamp ## Run the tests
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/dev.stamp ## Format and lint rules, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache

types: $(VENV)/dev.stamp ## Strict types
	$(BIN)/mypy

format: $(VENV)/dev.stamp ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: lint types test ## What CI runs

reference: $(VENV)/dev.stamp ## Write the reference pages that are made from the code
	$(BIN)/python -m penstock.runtime.settings_reference > docs/reference/settings.md
	$(BIN)/python -m penstock.cli.reference > docs/reference/cli.md
	$(BIN)/python -m penstock.testing.permission_matrix > docs/reference/permissions.md
	$(BIN)/python -m tests.conformance.statements
	$(BIN)/python -m tests.conformance.sensorthings

servers: ## Install the servers that some tests run against (Debian, as root)
	apt-get update -q
	apt-get install -y -q --no-install-recommends mosquitto mosquitto-clients influxdb chromium-headless-shell fonts-dejavu-core postgresql-15 postgresql-15-postgis-3

node: ## Install the npm client that some tests use (npm from Debian, as root, if it is missing)
	command -v npm || { apt-get update -q && apt-get install -y -q --no-install-recommends nodejs npm; }
	npm ci --prefix tests/conformance/node --ignore-scripts --no-audit --no-fund

# Suites that run in files usually, and pass on a server too.
ON_POSTGRES = tests/contract tests/catalog tests/sensorthings tests/conformance/sensorthings tests/api \
	tests/permissions tests/devices tests/alarms
ON_POSTGRES_STORE = tests/sql/engine/test_oracle.py tests/api/test_observations.py tests/api/test_datastreams.py \
	tests/api/test_downloads.py tests/api/test_times.py tests/sensorthings/writing
ON_POSTGRES_SHORT = tests/contract/test_catalogs.py tests/catalog/entities/test_reading.py \
	tests/catalog/entities/test_writing.py tests/conformance/sensorthings/test_filters.py \
	tests/conformance/sensorthings/test_geo.py
ON_SERVER = -n 2 --dist loadfile --timeout 600
postgres: $(VENV)/dev.stamp ## Run the tests of what can stand on PostgreSQL, against servers of their own
	$(BIN)/python -m pytest $(ON_SERVER) -m postgres
	PENSTOCK_TEST_CATALOG=postgresql $(BIN)/python -m pytest $(ON_SERVER) $(ON_POSTGRES)
	PENSTOCK_TEST_STORE=postgresql PENSTOCK_ORACLE_CASES=25 $(BIN)/python -m pytest $(ON_SERVER) $(ON_POSTGRES_STORE)
	PENSTOCK_TEST_CATALOG=postgresql PENSTOCK_TEST_STORE=postgresql $(BIN)/python -m pytest $(ON_SERVER) tests/conformance/sensorthings

postgres-short: $(VENV)/dev.stamp ## Run those that tell most in three minutes
	$(BIN)/python -m pytest $(ON_SERVER) -m postgres
	PENSTOCK_TEST_CATALOG=postgresql PENSTOCK_TEST_STORE=postgresql $(BIN)/python -m pytest $(ON_SERVER) $(ON_POSTGRES_SHORT)

conformance: $(VENV)/dev.stamp ## Run SensorThings conformance in files and on PostgreSQL; writes docs/reference/sensorthings.md
	$(BIN)/python -m tests.conformance.sensorthings run
	PENSTOCK_TEST_CATALOG=postgresql PENSTOCK_TEST_STORE=postgresql $(BIN)/python -m tests.conformance.sensorthings run

slow: $(VENV)/dev.stamp ## Run the long forms of fault tests
	$(BIN)/python -m pytest -m slow

PAHO_SUITE ?=
paho: $(VENV)/dev.stamp ## Run Eclipse Paho's suite (PAHO_SUITE=FOLDER, or it is cloned); writes docs/reference/mqtt.md
	PAHO_SUITE=$(PAHO_SUITE) $(BIN)/python -m tests.conformance.paho

ets: $(VENV)/dev.stamp ## Run OGC's test suite for SensorThings (Java, Maven); writes docs/reference/sensorthings.md
	$(BIN)/python -m tests.conformance.ets

schemathesis: $(VENV)/dev.stamp ## Ask the API 100 requests of each kind that nobody thought of
	PENSTOCK_SCHEMATHESIS_EXAMPLES=100 $(BIN)/python -m pytest --timeout 3600 tests/api/test_schemathesis.py

ORACLE ?= 6000
ORACLE_ENGINE ?= 10000
oracle: $(VENV)/dev.stamp ## Stream SQL beside one run over all data: ORACLE queries in slices, ORACLE_ENGINE in lives of the engine
	PENSTOCK_ORACLE=$(ORACLE) PENSTOCK_ORACLE_CASES=$(ORACLE_ENGINE) $(BIN)/python -m pytest -n 2 --timeout 3600 tests/sql/language/test_oracle.py tests/sql/language/test_pieces.py tests/sql/engine/test_oracle.py tests/sql/attacks

TRIALS ?= 200
faults: $(VENV)/dev.stamp ## Kill door and hub TRIALS times under load; writes benchmarks/results/
	$(BIN)/python -m tests.faults.campaign --trials $(TRIALS) --result benchmarks/results/faults.json
	$(BIN)/python -m tests.faults.sessions --kills $(TRIALS) --result benchmarks/results/faults_sessions.json

bench: $(VENV)/dev.stamp ## Run every benchmark and write benchmarks/results/
	$(BIN)/python -m benchmarks

lock: $(VENV)/dev.stamp ## Pin the newest allowed versions anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade pyproject.toml requirements/build.in -o requirements/run.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade --extra dev pyproject.toml requirements/build.in -o requirements/dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade --no-deps requirements/recordings.in -o requirements/recordings.lock

clean: ## Remove what was installed and built; keeps penstock-data/
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
