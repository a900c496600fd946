# make demo | test | test-slow | lint | bench | docs | gallery — each sets up .venv first, and only when something changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# two cores: numeric libraries must not each start a thread per core under parallel test workers
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

.PHONY: demo test test-slow lint bench docs gallery clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("rlsuite needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

demo: $(STAMP)
	rm -rf demo/runs/CartPole-v1/ppo/demo-s0 demo/runs/rlsuite-HumanoidImitate-v0/ppo/walk-s0
	$(BIN)/rlsuite train --algo ppo --env CartPole-v1 --seed 0 --out demo/runs --name demo --quiet
	$(BIN)/rlsuite imitate --clip walk -n 250000 --eval-freq 50000 --eval-episodes 8 --seed 0 \
	  --out demo/runs --name walk --quiet
	$(BIN)/rlsuite compare --env CliffWalking-v1 FrozenLake-v1 rlsuite/RandomMaze-v0 \
	  --algo sarsa expected-sarsa q-learning dyna-q value-iteration \
	  --seeds 50 --episodes 1000 --set alpha=0.1 --out demo \
	  --include-run demo/runs/CartPole-v1/ppo/demo-s0 walk demo/runs/rlsuite-HumanoidImitate-v0/ppo/walk-s0
	@echo "open demo/index.html"

test: $(STAMP)
	$(BIN)/python -m pytest -q -m "not slow" -n 2

test-slow: $(STAMP)
	$(BIN)/python -m pytest -q -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/.bench: $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	touch $@

.venv-bvh-readers/.installed: benchmarks/bvh_readers_env.sh
	PYTHON=$(PYTHON) sh benchmarks/bvh_readers_env.sh
	touch $@

bench: $(VENV)/.bench .venv-bvh-readers/.installed
	$(BIN)/python benchmarks/tabular.py
	$(BIN)/python benchmarks/deep.py
	$(BIN)/python benchmarks/motion.py
	$(BIN)/python benchmarks/humanoid.py
	$(BIN)/python benchmarks/generative.py

$(VENV)/.docs: $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@

docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict

gallery: $(STAMP)
	$(BIN)/rlsuite reproduce all --out docs/img/gallery --page docs/gallery.md

clean:
	rm -rf $(VENV) site demo
