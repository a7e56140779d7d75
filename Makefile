# All the work is in grokweb/bootstrap.py (standard library only), so that it can be read, tested and repeated.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
ARGS ?=
ONLY ?=

.DEFAULT_GOAL := help
.PHONY: help run test unit coverage lint bench drills engines install lock licences clean

help:
	@echo "make run      install, prepare and run GrokWeb; prints the address (PORT, DATABASE_URL, REDIS_URL, GROKWEB_MODEL, GROKWEB_DATA)"
	@echo "make test     all tests but drills and engines, on SQLite and PostgreSQL (make test ARGS=\"tests/chat/core -k name\")"
	@echo "make unit     the fast tests: no browser, PostgreSQL or whole services (make unit ARGS=\"-k name\")"
	@echo "make coverage the lines that the fast tests reach; fails below the minimum in pyproject.toml"
	@echo "make lint     ruff and mypy, eslint and tsc"
	@echo "make bench    every benchmark (make bench ONLY=engine)"
	@echo "make drills   starts the service and breaks it on purpose, each fault once (make drills N=20)"
	@echo "make engines  the long tests of engines: real model servers, whole models, xAI's release"
	@echo "make install  install and build only, for a start without network later"
	@echo "make lock     write requirements/ anew from pyproject.toml (make lock ARGS=--upgrade also raises versions)"
	@echo "make licences the licence of every package; refuses unknown ones"
	@echo "make clean    remove what was installed and built; the data stay"

run:
	@$(PYTHON) -m grokweb.bootstrap run $(ARGS)

test:
	@$(PYTHON) -m grokweb.bootstrap test $(ARGS)

unit:
	@$(PYTHON) -m grokweb.bootstrap unit $(ARGS)

coverage:
	@$(PYTHON) -m grokweb.bootstrap coverage $(ARGS)

lint:
	@$(PYTHON) -m grokweb.bootstrap lint

bench:
	@$(PYTHON) -m grokweb.bootstrap bench $(ONLY)

drills:
	@$(PYTHON) -m grokweb.bootstrap drills $(ARGS)

engines:
	@$(PYTHON) -m grokweb.bootstrap engines $(ARGS)

install:
	@$(PYTHON) -m grokweb.bootstrap install

lock:
	@$(PYTHON) -m grokweb.bootstrap lock $(ARGS)

licences:
	@$(PYTHON) -m grokweb.bootstrap licences

clean:
	@$(PYTHON) -m grokweb.bootstrap clean
