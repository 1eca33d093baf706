# Three commands: `make demo` shows the program at work, `make test` runs every test, `make check` runs the linters.
# Each makes the environment in .venv that it needs, once, with a Python of 3.11 or newer: make demo PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
# So many tests at a time, as most of what one does is wait for processes: make test WORKERS=1 runs them one by one.
WORKERS ?= 3
AT_ONCE = -n $(WORKERS) --dist worksteal
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
FAULTS := lost_after=6%,lost_before=4%,http_500_after=4%,http_400_after=3%,http_429=1%:1s

.PHONY: help demo test coverage soak bench pictures schemas reference docs package check clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    detach 200 numbers from a local sandbox that loses answers, and report on each of them"
	@echo "make test    run every test"
	@echo "make coverage  the same, and show what of the package they do not reach; takes twice the time"
	@echo "make check   ruff, mypy and the layers of imports"
	@echo "make soak    the kill, fault and memory tests at full length, properties with new examples; half an hour"
	@echo "make bench   what a number costs, against a bare loop and others: make bench NUMBERS=2000 REPEATS=1 is quick"
	@echo "make pictures  the picture in the README, from a run against the sandbox"
	@echo "make schemas what editors know of plans and configs, after a change of their grammar"
	@echo "make package sdist and wheel, in dist/"
	@echo "make docs    the documents as a site, in site/index.html"
	@echo "make reference  the pages and outputs in docs/ that come from the code, made anew"
	@echo "make clean   remove the environment and everything else that was made here"

demo: .venv/runtime.stamp
	@TEARDOWN_CONFIG=config.example.yaml $(BIN)/teardown run plans/decommission-200.yaml --sandbox --yes \
		--faults "$(FAULTS)" --seed 2 --rate unpod-main=20/s --rate videosdk-main=10/s \
		--state-dir .demo --report .demo/report.html || { code=$$?; \
		echo "The demo's run ended with exit code $$code; docs/reference/exit-codes.md says what that means." >&2; exit $$code; }
	@echo
	@echo "Nothing but the sandbox was touched. What became of every number: .demo/report.html"
	@echo "All that was recorded: $(BIN)/teardown status --state-dir .demo"

test: .venv/dev.stamp
	$(BIN)/python -m pytest $(AT_ONCE)

coverage: .venv/dev.stamp
	$(BIN)/python -m pytest $(AT_ONCE) --cov=runner --cov-report=term-missing:skip-covered

soak: .venv/dev.stamp
	TEARDOWN_SOAK_KILLS=140 TEARDOWN_SOAK_NUMBERS=200000 $(BIN)/python -m pytest -rP \
		tests/faults tests/e2e/test_kill.py tests/e2e/test_machine.py tests/e2e/test_memory.py
	$(BIN)/python -m pytest --hypothesis-profile=searching $$(grep -l '^from hypothesis' tests/test_*.py)

bench: .venv/bench.stamp
	@$(BIN)/python -m benchmarks $(if $(NUMBERS),--numbers $(NUMBERS)) $(if $(REPEATS),--repeats $(REPEATS))

pictures: .venv/dev.stamp
	$(BIN)/python docs/pictures/make.py

check: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

schemas: .venv/runtime.stamp
	$(BIN)/teardown schema plan > schemas/plan.json
	$(BIN)/teardown schema config > schemas/config.json

package: .venv/dev.stamp
	rm -rf build dist
	$(BIN)/python -m build --outdir dist
	rm -rf build

reference: .venv/dev.stamp
	$(BIN)/python -m scripts.reference
	$(BIN)/python -m scripts.consoles --write

docs: .venv/docs.stamp
	@NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build
	@echo "The site is in site/index.html; its search needs a server: $(BIN)/python -m http.server --directory site"

clean:
	rm -rf .venv .demo site build dist *.egg-info .coverage .coverage.* .hypothesis \
		benchmarks/results benchmarks/clients/node_modules .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

.venv/created.stamp:
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no $(PYTHON); install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$$($(PYTHON) --version) is too old; name a Python of 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Making the environment in .venv; this happens once."
	@$(PYTHON) -m venv .venv || { \
		echo "$(PYTHON) cannot make an environment; install its venv module (Debian, Ubuntu: python3-venv)" >&2; exit 1; }
	@touch $@

.venv/runtime.stamp: .venv/created.stamp pyproject.toml constraints.txt
	@$(PIP) install --constraint constraints.txt --editable .
	@$(BIN)/python -m compileall -q runner
	@touch $@

.venv/dev.stamp: .venv/created.stamp pyproject.toml constraints.txt
	@$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -m compileall -q runner
	@touch .venv/runtime.stamp $@

.venv/bench.stamp: .venv/created.stamp pyproject.toml constraints.txt
	@$(PIP) install --constraint constraints.txt --editable '.[bench]'
	@touch .venv/runtime.stamp $@

.venv/docs.stamp: .venv/created.stamp pyproject.toml constraints.txt
	@$(PIP) install --constraint constraints.txt --editable '.[docs]'
	@touch .venv/runtime.stamp $@
