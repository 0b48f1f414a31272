# `make demo` runs the whole chain on this machine; `make test` tests it. Both install what they need into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SITE := .venv-site
TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nextcloud-mcp/bin

.PHONY: demo down up images digests no-digests versions test abuse test-compose test-production test-cluster lint types unit bench figures pictures site matrix conformance clients chart-tools docs requirements clean help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## start Keycloak, Nextcloud and two MCP servers; Ctrl-C ends them
	@$(BIN)/python -m stack up

down: $(INSTALLED) ## end a demo that runs in another terminal
	@$(BIN)/python -m stack down

up: .env ## the whole chain in containers, by compose.yaml; `docker compose down` ends it
	docker compose up --wait

images: $(INSTALLED) ## get the images of compose.yaml: pull them or, without access to a registry, build them here
	@$(BIN)/python -m tests.containers.images

digests: $(INSTALLED) ## pin the pulled images: write the digest of each tag beside it; commit the change
	@$(BIN)/python -m tests.containers.digests

versions: $(INSTALLED) ## write the versions of stack/versions.toml into compose.yaml, the overlays and the docs
	@$(BIN)/python -m tests.versions

no-digests: $(INSTALLED) ## name the pulled images by their tags alone
	@$(BIN)/python -m tests.containers.digests --remove

SECRETS := ALICE_PASSWORD BOB_PASSWORD CLIENT_JANITOR_SECRET KEYCLOAK_ADMIN_PASSWORD MCP_EXCHANGE_CLIENT_SECRET \
    NEXTCLOUD_ADMIN_PASSWORD NEXTCLOUD_CLIENT_SECRET NEXTCLOUD_DB_PASSWORD
.env: FORCE # each secret is written once: Keycloak and Nextcloud store it when they first start
	@touch $@; chmod 600 $@; for name in $(SECRETS); do \
	    grep -q "^$$name=" $@ && continue; \
	    [ -z "$$(tail -c 1 $@)" ] || echo >> $@; \
	    echo "$$name=$$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" >> $@; \
	    wrote=1; \
	done; [ -z "$$wrote" ] || \
	    echo "Wrote new secrets to .env, which you alone can read; alice's and bob's passwords are among them."

FORCE:

test: lint types $(SITE)/.installed ## lint, types, and every test on the real chain
	$(BIN)/pytest -n 2 --cov --cov-report=term # in two processes, which divide the files

abuse: $(INSTALLED) ## attacks by callers on the servers, under the shipped memory limit
	$(BIN)/pytest tests/abuse

test-compose: $(INSTALLED) ## the realm's tests on Keycloak in a container; contract and end-to-end tests on the containers of compose.yaml
	$(BIN)/pytest --chain=testcontainers tests/realm
	$(BIN)/pytest --chain=compose tests/containers tests/contract tests/e2e tests/test_secrets_in_logs.py

test-production: $(INSTALLED) ## test the overlays of deploy/production in containers; needs a Docker engine
	$(BIN)/pytest --chain=compose tests/production

test-cluster: $(INSTALLED) ## test the chart in the cluster that KUBECONFIG names; CONTRIBUTING.md has its requirements
	$(BIN)/pytest --chain=cluster tests/cluster

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(INSTALLED)
	$(BIN)/mypy

unit: $(INSTALLED) ## the tests that need no Keycloak
	$(BIN)/pytest tests/unit

bench: $(INSTALLED) ## what a call costs the server, beside a bare server of the MCP SDK; writes docs/reference/benchmarks.md
	$(BIN)/python -m bench

figures: $(INSTALLED) ## the sizes of the server's parts, with the wanted limits
	@$(BIN)/python -m tests.figures

pictures: $(INSTALLED) ## take the docs' pictures again, from the running demo; needs Chromium and curl
	$(BIN)/python -m tests.pictures

site: $(SITE)/.installed ## build the docs as a web site with search, in site/
	$(SITE)/bin/python -m docs.site

MATRIX ?= matrix.toml
matrix: $(INSTALLED) ## the tests against the Nextclouds that MATRIX names, and docs/reference/compatibility.md; CONTRIBUTING.md says how
	$(BIN)/python -m tests.matrix $(MATRIX)

conformance: $(INSTALLED) ## the MCP conformance suite on the real chain; needs npm
	$(BIN)/pytest tests/conformance

clients: $(INSTALLED) ## sign MCP clients from npm and PyPI in to the real chain, and write docs/reference/clients.md; needs npm and Chromium
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/clients.txt
	$(BIN)/pytest --chain=clients tests/clients

chart-tools: $(TOOLS)/helm $(TOOLS)/kubeconform $(TOOLS)/servicemonitors.yaml ## build the tools of the chart's tests; needs Go, and takes minutes the first time

$(TOOLS)/helm:
	GOBIN=$(TOOLS) go install helm.sh/helm/v4/cmd/helm@v4.3.1

$(TOOLS)/kubeconform:
	GOBIN=$(TOOLS) go install github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0

PROMETHEUS_OPERATOR := github.com/prometheus-operator/prometheus-operator@v0.85.0
$(TOOLS)/servicemonitors.yaml: # the schema of a ServiceMonitor, from the operator's source
	install -D -m 644 "$$(go mod download -json $(PROMETHEUS_OPERATOR) | sed -n 's/^\t"Dir": "\(.*\)",$$/\1/p')\
/example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml" $@

$(INSTALLED): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Python 3.11 or newer is needed, and $(PYTHON) is not: install it, or name it, as in make PYTHON=/opt/python3.11/bin/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(SITE)/.installed: requirements/site.txt # a separate environment: nothing else needs these packages
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/site.txt
	@touch $@

docs: $(INSTALLED) ## generate the reference pages from the code
	$(BIN)/python -m docs.generate
	$(BIN)/python -m tests.requirements > docs/reference/requirements.md

# keeps extras: pip before 23.3 looks up `coverage[toml]` in the registry although `coverage` is pinned, and refuses what it finds
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header \
    --no-emit-index-url --no-annotate
requirements: ## update the pins: names, versions and hashes, no addresses
	$(COMPILE) --upgrade --extra doctor -o requirements/server.txt pyproject.toml
	$(COMPILE) --upgrade -c requirements/server.txt --extra doctor --group dev -o requirements/dev.txt pyproject.toml
	$(COMPILE) -c requirements/dev.txt --group standin -o requirements/standin.txt pyproject.toml
	$(COMPILE) -c requirements/dev.txt --group build -o requirements/build.txt
	$(COMPILE) --upgrade -c requirements/dev.txt --group clients -o requirements/clients.txt
	$(COMPILE) --upgrade --group site -o requirements/site.txt

clean: down ## delete the demo's data (users' files, Keycloak's keys and registered clients)
	rm -rf .stack
