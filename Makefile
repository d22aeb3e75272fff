# The commands of the house. `make run` and `make test` need only Python >= 3.11 with venv, and make.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin

.PHONY: install run test check bench drill lock clean

install: .venv/.installed

.venv/.installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "需要 Python 3.11 或更高版本")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
	@touch $@

run: install
	@exec $(BIN)/sandeng up --port $(PORT)

# One process a core; tests that fill the machine stay together (tests/README.md). ARGS="-m database" and the like narrow it.
# The processes that tests start find their bytecode, as users' do.
test: export PYTHONDONTWRITEBYTECODE =
test: install
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadgroup $(ARGS)

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

drill: install
	$(BIN)/python -m tests.drill

bench: install
	$(BIN)/python -m tests.bench

# Rewrites both lock files from pyproject.toml; needs uv on the PATH.
COMPILE := uv pip compile --quiet --python-version 3.11 --universal --generate-hashes \
	--no-emit-index-url --no-header --no-annotate
lock:
	$(COMPILE) --group dev --group build pyproject.toml -o requirements-dev.lock
	$(COMPILE) --group build -c requirements-dev.lock pyproject.toml -o requirements.lock

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
