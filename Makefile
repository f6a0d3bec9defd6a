# The verbs of the project; people and CI share them. `make` lists them.
PYTHON ?= python3
PORT ?= 8000
HOST ?= 127.0.0.1
WORKERS ?=
ENGINE ?= docker
BASE_IMAGE ?= python:3.13-slim
RULES := deploy/kubernetes/overlays/monitoring/prometheusrule.yaml

LINTERS := .venv-node/node_modules/.bin

.DEFAULT_GOAL := help
.PHONY: help serve test proof fuzz soak cluster audit sbom licences lint format train bench image manifests browser checker interop settings lock clean

help:  ## list the verbs
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

serve: .venv/ready  ## run the service on http://127.0.0.1:8000 (PORT=8123 WORKERS=2 HOST=0.0.0.0)
	@echo "Serving on http://$(HOST):$(PORT) until Ctrl-C"
	@HOST=$(HOST) PORT=$(PORT) WORKERS=$(WORKERS) .venv/bin/python -m service serve

# A process a core, four at most; a file's tests stay together, since they share what is dear to start.
test: .venv-test/ready  ## run every test, with a seeded sample of every proof
	.venv-test/bin/python -m pytest --numprocesses=logical --maxprocesses=4 --dist=loadfile

# A group of proofs is one line: its name, and the command that runs it. A command that ends with status 5 (pytest: there
# is no test) or 77 was skipped, as was one whose tests were all skipped.
GROUPS := \
	'proofs  = FILTERSCOPE_PROOF=1 .venv-test/bin/python -m pytest --ignore=tests/hostile --ignore=tests/deploy --ignore=tests/documents --ignore=tests/api/test_fuzz.py' \
	'kinds   = .venv-test/bin/python -m tests.adopt.kinds' \
	'docs    = FILTERSCOPE_PROOF=1 .venv-test/bin/python -m pytest tests/documents' \
	'hostile = FILTERSCOPE_PROOF=1 .venv-test/bin/python -m pytest tests/hostile --ignore=tests/hostile/test_parsers.py' \
	'fuzz    = $(MAKE) fuzz' \
	'prices  = .venv-test/bin/python -m tests.benchmarks.prices 1000' \
	'dearest = .venv-test/bin/python -m tests.hostile.dearest $(SEARCH_MINUTES)' \
	'deploy  = FILTERSCOPE_PROOF=1 .venv-test/bin/python -m pytest tests/deploy' \
	'interop = $(MAKE) interop' \
	'cluster = $(MAKE) cluster' \
	'soak    = $(MAKE) soak' \
	'audit   = $(MAKE) audit' \
	'licences = $(MAKE) licences'
MINUTES ?= 10
SEARCH_MINUTES ?= 20
TIMES ?= 30
SEED ?= 1

proof: .venv-test/ready  ## run every proof in full, group after group; ONLY="interop soak" runs some
	.venv-test/bin/python -m tests.proof $(GROUPS) $(if $(ONLY),--only $(ONLY))

fuzz: .venv-test/ready  ## fuzz for long: TIMES=30 as many inputs as the tests, from SEED=1
	FUZZ_TIMES=$(TIMES) FUZZ_SEED=$(SEED) .venv-test/bin/python -m pytest -q --hypothesis-seed=$(SEED) tests/api/test_fuzz.py tests/hostile/test_parsers.py

soak: .venv-test/ready  ## mixed traffic at half capacity for MINUTES=10: is memory flat, and are descriptors?
	.venv-test/bin/python -m tests.soak $(MINUTES)

cluster: .venv-test/ready .venv-ray/ready  ## score on a Ray cluster of two nodes, one of which is killed
	.venv-ray/bin/python -m pytest --confcutdir=tests/cluster tests/cluster

audit: .venv-audit/ready .venv/ready  ## look the run-time requirements up among known weaknesses
	.venv-audit/bin/python -m tests.supply audit

sbom: .venv-audit/ready .venv/ready  ## write the bill of materials, build/sbom.cdx.json (CycloneDX)
	.venv-audit/bin/python -m tests.supply sbom

licences: .venv-audit/ready .venv/ready  ## list the licences of the run-time requirements
	.venv-audit/bin/python -m tests.supply licences

# TypeScript's checker reads the scripts of the page. It is no part of the page, and only `make checker` fetches it.
CHECKER := tests/web/node_modules/typescript/bin/tsc

lint: .venv-test/ready  ## check style, types and layout
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .
	.venv-test/bin/mypy service training
	@if ! command -v node >/dev/null; then echo "1 check skipped: the types of the page, since there is no Node.js here"; \
	elif ! test -f $(CHECKER); then echo "1 check skipped: the types of the page, since make checker was not run"; \
	else node $(CHECKER) --project tests/web && echo "The types of the page: no error"; fi
	@if [ -x $(LINTERS)/spectral ]; then \
		$(LINTERS)/spectral lint --fail-severity=hint --ruleset tests/api/spectral.yaml service/api/openapi.yaml && \
		$(LINTERS)/redocly lint --config tests/api/redocly.yaml service/api/openapi.yaml; \
	else echo 'skipped 2: spectral and redocly are not installed; make .venv-node/ready does that where there is npm'; fi

format: .venv-test/ready  ## lay the code out
	.venv-test/bin/ruff check --fix .
	.venv-test/bin/ruff format .

train: .venv-test/ready  ## train the digits network again (MNIST is looked for, or downloaded)
	.venv-test/bin/python -m training train

bench: .venv-bench/ready  ## measure speed beside other servers and libraries, in a quarter of an hour (QUICK=1: in four minutes; PAGE=1: into its page)
	.venv-bench/bin/python -m tests.benchmarks

# Only Docker's format of images has health checks; buildah and podman must be asked for it.
image: export BUILDAH_FORMAT = docker
image:  ## build the container (BASE_IMAGE=python:3.13-slim, ENGINE=docker)
	$(ENGINE) build --build-arg BASE_IMAGE=$(BASE_IMAGE) -f deploy/Dockerfile -t filterscope \
		--build-arg VERSION=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' service/__init__.py) \
		--build-arg REVISION=$$(git rev-parse --verify --quiet HEAD) .

manifests: .venv-test/ready $(RULES)  ## write the operator's rules from the alerts again, and check every deployment file
	.venv-test/bin/python -m pytest tests/deploy/test_manifests.py tests/deploy/test_guide.py

# A PrometheusRule is the alerts with a head; kustomize cannot wrap a file.
$(RULES): deploy/prometheus/alerts.yaml
	printf '%s\n' 'apiVersion: monitoring.coreos.com/v1' 'kind: PrometheusRule' 'metadata:' '  name: filterscope' 'spec:' > $@
	sed 's/^./  &/' $< >> $@

checker:  ## install the checker of the types of the page (TypeScript, by npm), for make lint
	npm ci --prefix tests/web --no-audit --no-fund

interop: .venv-triton/ready .venv-kserve/ready .venv-clients/ready .venv-node/ready .venv-test/ready  ## run clients of Triton, KServe and MLServer, and generated ones, against the service
	.venv-triton/bin/python -m pytest --confcutdir=tests/interop --ignore=tests/interop/test_generated.py tests/interop
	.venv-kserve/bin/python -m pytest --confcutdir=tests/interop --ignore=tests/interop/test_generated.py tests/interop
	.venv-clients/bin/python -m pytest --confcutdir=tests/interop -rs tests/interop/test_generated.py tests/interop/test_posting.py

browser:  ## install Debian's Chromium and Firefox, for the tests of the page
	apt-get update -q && apt-get install -y -q --no-install-recommends chromium firefox-esr

settings: .venv/ready  ## print every setting, as deploy/settings.md lists them
	@.venv/bin/python -c "from service.settings import table; print(table())"

lock: .venv-test/ready  ## pin the run-time requirements again, with hashes
	.venv-test/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header --no-emit-index-url --no-emit-find-links --output-file deploy/requirements.txt

clean:  ## remove what the verbs made
	rm -rf build dist .venv .venv-test .venv-bench .venv-audit .venv-ray .venv-triton .venv-kserve .venv-clients .venv-node tests/web/node_modules .pytest_cache .ruff_cache .mypy_cache .hypothesis

.venv-audit/ready: tests/requirements-audit.txt
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# Said before pip says it on three screens.
NEEDED := 3, 11
CHECKED = @$(PYTHON) -c 'import sys; sys.exit(sys.version_info < ($(NEEDED)))' || \
	{ echo "Python $(subst $(comma) ,.,$(NEEDED)) or later is needed, and $(PYTHON) is $$($(PYTHON) -V 2>&1); name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
comma := ,

.venv/ready: deploy/requirements.txt
	$(CHECKED)
	@echo "Setting up .venv with $$($(PYTHON) -V): $$(grep -c == $<) packages, half a minute or so, this once"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r deploy/requirements.txt
	@touch $@

.venv-triton/ready .venv-kserve/ready .venv-clients/ready: .venv-%/ready: tests/interop/requirements-%.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# Without npm the folder stays empty, and what needs it is skipped and counted.
.venv-node/ready: tests/interop/clients/package.json
	mkdir -p .venv-node
	cp $< .venv-node/
	if command -v npm >/dev/null; then cd .venv-node && npm install --silent --no-audit --no-fund --no-package-lock; fi
	touch $@

.venv-bench/ready: deploy/requirements.txt tests/benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r deploy/requirements.txt
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check -r tests/benchmarks/requirements.txt
	touch $@

.venv-ray/ready: deploy/requirements.txt tests/cluster/requirements.txt
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r deploy/requirements.txt
	.venv-ray/bin/python -m pip install --quiet --disable-pip-version-check -r tests/cluster/requirements.txt
	touch $@

.venv-test/ready: deploy/requirements.txt training/requirements.txt tests/requirements.txt
	$(CHECKED)
	$(PYTHON) -m venv .venv-test
	.venv-test/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r deploy/requirements.txt
	.venv-test/bin/python -m pip install --quiet --disable-pip-version-check -r training/requirements.txt -r tests/requirements.txt
	touch $@
