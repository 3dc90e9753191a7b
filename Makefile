# Every target sets up what it needs by itself. The logic lives in kdviz/cli.py, so that Windows without
# make can do the same: python -m kdviz lab | test | site | results | wheels
PYTHON ?= python3

.PHONY: lab test site results wheels doctor benchmark soak lint
lab test site results wheels doctor:
	$(PYTHON) -m kdviz $@

benchmark soak:
	$(PYTHON) -m kdviz setup
	$(PYTHON) -m kdviz $@

lint:
	$(PYTHON) -m kdviz lint
