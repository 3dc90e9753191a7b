# Every target sets up what it needs by itself. The logic lives in kdviz/cli.py, so that Windows without
# make can do the same: python -m kdviz lab | test | site | results | pages | wheels
PYTHON ?= python3

.PHONY: lab test test-complete site results verify pages wheels doctor benchmark soak lint gpu help
lab test site results pages wheels doctor lint gpu:
	$(PYTHON) -m kdviz $@

# What "make test" leaves out: every page in a real JupyterLab and as a static page, fresh installs, a cluster.
test-complete:
	$(PYTHON) -m kdviz test --complete

# Tables whose code has changed: compute one seed of each again, and keep those that agree.
verify:
	$(PYTHON) -m kdviz results --verify

benchmark soak:
	$(PYTHON) -m kdviz setup
	$(PYTHON) -m kdviz $@

help:
	$(PYTHON) -m kdviz --help
