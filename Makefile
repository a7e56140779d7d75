# All the work is in grokweb/bootstrap.py (standard library only), so that it can be read, tested and repeated.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
ARGS ?=
ONLY ?=

.DEFAULT_GOAL := help
.PHONY: help run test lint bench drills install clean

help:
	@echo "make run      install, prepare and run GrokWeb; prints the address (PORT, DATABASE_URL, REDIS_URL, GROKWEB_MODEL, GROKWEB_DATA)"
	@echo "make test     every test, on SQLite and PostgreSQL (make test ARGS=\"tests/core -k name\")"
	@echo "make lint     ruff and mypy"
	@echo "make bench    every benchmark (make bench ONLY=engine)"
	@echo "make drills   starts the service and breaks it on purpose, each fault once (make drills N=20)"
	@echo "make install  install and build only, for a start without network later"
	@echo "make clean    remove what was installed and built; the data stay"

run:
	@$(PYTHON) -m grokweb.bootstrap run $(ARGS)

test:
	@$(PYTHON) -m grokweb.bootstrap test $(ARGS)

lint:
	@$(PYTHON) -m grokweb.bootstrap lint

bench:
	@$(PYTHON) -m grokweb.bootstrap bench $(ONLY)

drills:
	@$(PYTHON) -m grokweb.bootstrap drills $(ARGS)

install:
	@$(PYTHON) -m grokweb.bootstrap install

clean:
	@$(PYTHON) -m grokweb.bootstrap clean
