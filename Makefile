# make lab         open the notebooks in JupyterLab
# make check       check form and types: ruff format, ruff, mypy (ARGS=mypy: one of them)
# make test        run all tests that this machine can run (REQUIRE=all: nothing may be left out; ARGS=tests/cli: a part)
# make prove N=100000   run so many generated operations on the model and on this machine's kernel
# make bench       measure speed and memory beside other programs; ARGS=FOLDER holds the images (5 GB), or .bench
# make notebooks   execute and normalise all notebooks (ARGS=--check: only compare)
# make docs        renew the documents that are made from code and data (ARGS=--check: only compare)
# make pages       write each notebook as a page for a projector, into pages/
# make lock        renew requirements-test.lock, the exact packages of the tests with their hashes
# make ready       say in less than a minute whether this machine is ready for a class
# make wheelhouse  collect all packages, for a room without a network (ARGS="--for windows --python 3.12")
# make student     write the student's copy of the notebooks to course/ (TO=folder), and nbgrader's source
# make grade SUBMISSIONS=folder   run folder/NAME/*.ipynb, write grades.csv (CSV=file); see docs/explanation/grading.md first
# make clean       remove the environment and our caches
#
# The work is done by tools/bootstrap.py, which also serves machines without make.

PYTHON ?= python3
REQUIRE ?=
N ?= 20000
ARGS ?=
TO ?= course
SUBMISSIONS ?=
CSV ?= grades.csv

.PHONY: lab check test prove bench docs lock notebooks pages ready wheelhouse student grade setup clean
lab check bench docs lock notebooks pages ready wheelhouse setup clean: python
	@$(PYTHON) tools/bootstrap.py $@ $(ARGS)

test: python
	@$(PYTHON) tools/bootstrap.py test $(if $(REQUIRE),--require $(REQUIRE)) $(ARGS)

prove: python
	@$(PYTHON) tools/bootstrap.py prove -n $(N) $(ARGS)

student: python
	@$(PYTHON) tools/bootstrap.py student "$(TO)" $(ARGS)

grade: python
	@test -n "$(SUBMISSIONS)" || { echo "Which folder? make grade SUBMISSIONS=folder, with folder/NAME/*.ipynb in it." >&2; exit 1; }
	@$(PYTHON) tools/bootstrap.py grade "$(SUBMISSIONS)" --csv "$(CSV)" $(ARGS)

.PHONY: python
python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "overlaylab needs Python 3.11 or newer, and there is no $(PYTHON) here."; \
	  echo "Install it: sudo apt install python3 python3-venv (Debian, Ubuntu), sudo dnf install python3 (Fedora),"; \
	  echo "brew install python (macOS). If it has another name, say so: make lab PYTHON=python3.12"; \
	  exit 1; } >&2
