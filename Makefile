# Every target sets up what it needs by itself. The logic lives in kdviz/cli.py, so that Windows without
# make can do the same: python -m kdviz lab | test | site | results | pages | wheels
PYTHON ?= python3

.PHONY: lab test site results verify pages wheels doctor benchmark soak lint help
lab test site results pages wheels doctor lint:
	$(PYTHON) -m kdviz $@

verify:
	$(PYTHON) -m kdviz results --verify

benchmark soak:
	$(PYTHON) -m kdviz setup
	$(PYTHON) -m kdviz $@

help:
	$(PYTHON) -m kdviz --help
