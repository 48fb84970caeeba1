# make lab         open the notebooks in JupyterLab
# make test        run all tests that this machine can run (REQUIRE=all: nothing may be left out)
# make prove N=100000   run so many generated operations on the model and on this machine's kernel
# make notebooks   execute and normalise all notebooks (ARGS=--check: only compare)
# make pages       write each notebook as a page for a projector, into pages/
# make ready       say in less than a minute whether this machine is ready for a class
# make wheelhouse  collect all packages, for a room without a network (ARGS="--for windows --python 3.12")
# make clean       remove the environment and our caches
#
# The work is done by tools/bootstrap.py, which also serves machines without make.

PYTHON ?= python3
REQUIRE ?=
N ?= 20000
ARGS ?=

.PHONY: lab test prove notebooks pages ready wheelhouse setup clean
lab notebooks pages ready wheelhouse setup clean: python
	@$(PYTHON) tools/bootstrap.py $@ $(ARGS)

test: python
	@$(PYTHON) tools/bootstrap.py test $(if $(REQUIRE),--require $(REQUIRE)) $(ARGS)

prove: python
	@$(PYTHON) tools/bootstrap.py prove -n $(N) $(ARGS)

.PHONY: python
python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "overlaylab needs Python 3.11 or newer, and there is no $(PYTHON) here."; \
	  echo "Install it: sudo apt install python3 python3-venv (Debian, Ubuntu), sudo dnf install python3 (Fedora),"; \
	  echo "brew install python (macOS). If it has another name, say so: make lab PYTHON=python3.12"; \
	  exit 1; } >&2
