# Every target creates .venv and installs what is pinned in constraints.txt when needed.
PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin

.PHONY: agent demo test test-agent test-bot test-hour test-rest lint mutants bench bench-skill bench-plan bench-report screenshots bench-live soak wheel clean

.venv/installed: pyproject.toml setup.py constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

.venv/installed-agent: .venv/installed ## where pip would take PyTorch's CUDA build, its CPU build first: docs/agent.md
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev,agent]"
	touch $@

demo: .venv/installed ## the main job on synthetic candles, without the internet
	rm -rf user_data/sandbox/planted-1/models/demo user_data/sandbox/planted-1/strategies
	FREQTRADE__FREQAI__IDENTIFIER=demo $(BIN)/dualwindow sandbox run -- $(BIN)/freqtrade backtesting --freqaimodel DualWindowLSTM --cache none

wheel: .venv/installed ## into dist/, to be installed into one's own freqtrade: docs/install.md
	rm -rf build dist # setuptools would build in what has been deleted since
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

agent: .venv/installed-agent ## agents on a market with something to be found in it: train, judge, a table; minutes
	$(BIN)/python -W ignore -m benchmarks.agent_study --quick $(ARGS)

test: .venv/installed
	$(MAKE) --jobs 2 test-bot test-rest

test-bot: .venv/installed ## bots trade for twenty minutes, mostly waiting
	$(BIN)/pytest -p no:cacheprovider tests/freqtrade/test_live_run.py tests/benchmarks/test_soak.py

test-hour: .venv/installed ## the first bot of test-bot for an hour instead of six minutes
	DUALWINDOW_LIVE_MINUTES=60 $(BIN)/pytest -p no:cacheprovider tests/freqtrade/test_live_run.py -k then_a_restart $(ARGS)

test-rest: lint ## on two cores, behind the bots
	nice $(BIN)/pytest --numprocesses 2 --dist loadfile --ignore tests/agent --ignore tests/freqtrade/test_live_run.py --ignore tests/benchmarks/test_soak.py

test-agent: .venv/installed-agent ## what needs the extra agent, PyTorch among it
	nice $(BIN)/pytest --numprocesses 2 --dist loadfile dualwindow_agent tests/agent

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

mutants: .venv/installed ## plant bugs in the numerics and look whether a test notices; about 28 minutes
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[mutants,freqtrade]"
	OMP_NUM_THREADS=1 $(BIN)/mutmut run --max-children 1 # idle threads would use up a mutant's time
	$(BIN)/mutmut results

bench: .venv/installed ## half an hour; nothing else should run
	$(BIN)/python -m benchmarks.bench

bench-skill: .venv/installed ## walk-forward skill; about forty minutes
	$(BIN)/python -W ignore -m benchmarks.skill $(ARGS)

bench-plan: .venv/installed ## a million candles planned in 50 ways; a minute
	$(BIN)/python -W ignore -m benchmarks.plan $(ARGS)

screenshots: .venv/installed ## of docs/, from a report that is there: make screenshots REPORT=DIR
	$(BIN)/python -m benchmarks.screenshots $(REPORT)

bench-report: .venv/installed ## a report of 50 windows of three pairs; a minute
	$(BIN)/python -W ignore -m benchmarks.report $(ARGS)

bench-live: .venv/installed ## bots in real minutes: about four hours; nothing else should run
	$(BIN)/python -W ignore -m benchmarks.live $(ARGS)

soak: .venv/installed ## bots in faults that a seed fixes: make soak SEED=1 RUNS=20; two to four minutes each
	$(BIN)/python -W ignore -m benchmarks.soak $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) $(ARGS)

clean:
	rm -rf .venv build dist mutants *.egg-info .pytest_cache .mypy_cache .ruff_cache
