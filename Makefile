# Everything a newcomer types. `make` alone lists it.
PYTHON ?= python3
BIN := .venv/bin
FRAMEWORKS := tests/bundle/test_bundle_xgboost_format.py tests/bundle/test_bundle_onnx_format.py tests/train/test_train_models.py tests/train/test_train_live.py
# A machine may forbid bytecode; a command-line tool that starts in a blink needs it.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test test-mlflow test-slow test-iceberg test-frameworks test-ray test-image test-peers lint types layers check docs bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: $(BIN)/.ready ## everything into .venv, from the lock

$(BIN)/.ready: requirements.lock requirements-uv.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements-uv.lock requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

demo: setup ## a year at three airports: the whole loop on real data
	$(BIN)/python examples/flights/demo.py

test: setup ## all tests
	$(BIN)/python -m pytest -n auto --dist loadfile

test-slow: setup ## the long ones
	$(BIN)/python -m pytest -n auto --dist loadfile -m slow -o addopts="-q --import-mode=importlib --strict-markers"

test-iceberg: setup ## the export to Iceberg, in an environment of its own
	test -x .venv-iceberg/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-iceberg
	$(BIN)/uv pip install --quiet --python .venv-iceberg/bin/python --constraint requirements.lock --editable '.[iceberg]' --group dev
	.venv-iceberg/bin/python -m pytest tests/data/test_data_iceberg.py

# PyTorch by pip: how it is configured says where a build without CUDA, which is much smaller, is found.
test-frameworks: setup ## models of XGBoost and PyTorch, in an environment of their own
	test -x .venv-frameworks/bin/python || $(BIN)/uv venv --quiet --seed --python $(BIN)/python .venv-frameworks
	.venv-frameworks/bin/python -m pip install --quiet torch==2.13.0
	$(BIN)/uv pip install --quiet --python .venv-frameworks/bin/python --constraint requirements.lock --editable '.[lightgbm,torch,xgboost]' --group dev skorch
	.venv-frameworks/bin/python -m pytest $(FRAMEWORKS) -o addopts="-q --import-mode=importlib --strict-markers"

test-ray: setup ## the engine on a Ray cluster of two nodes, in an environment of its own
	test -x .venv-ray/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-ray
	$(BIN)/uv pip install --quiet --python .venv-ray/bin/python --constraint requirements.lock --editable '.[ray,search]' --group dev
	.venv-ray/bin/python -m pytest tests/engine/test_ray_pool.py tests/train/test_train_cluster.py

test-mlflow: setup ## MLflow's own client, of two versions, each in an environment of its own
	for version in 3.17.2 2.22.5; do \
		place=.venv-mlflow-$${version%%.*}; \
		test -x $$place/bin/python || $(BIN)/uv venv --quiet --seed --python $(BIN)/python $$place && \
		$(BIN)/python -m pip --quiet --python $$place/bin/python install mlflow==$$version "sqlalchemy<2.1" lightgbm torch==2.13.0 lightning || exit 1; \
	done
	$(BIN)/python -m pytest tests/mlflow/test_mlflow_clients.py

test-image: setup ## images really built and run: buildah, podman, Docker, runc and mmdebstrap from Debian, as root
	test -x .venv-image/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-image
	$(BIN)/uv pip install --quiet --python .venv-image/bin/python --constraint requirements.lock --constraint requirements-uv.lock --editable . uv
	$(BIN)/python -m pytest tests/train/test_train_image.py -m image

test-peers: setup ## Evidently and NannyML as oracles, in environments of their own
	$(BIN)/python -m pytest tests/stats/test_peers.py -m peers -o pythonpath="src tests benchmarks"

lint: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports

check: lint types layers ## lint, types and layers

docs: setup ## the pages of docs/ that are made from the code
	$(BIN)/python docs/generate.py

bench: setup ## benchmarks against peers: make bench [ONLY=name]
	$(BIN)/python benchmarks/run.py $(ONLY)

lock: ## pin the newest versions that fit pyproject.toml
	printf 'uv\n' | $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header --generate-hashes - -o requirements-uv.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header --generate-hashes \
		--no-emit-package pandas --extra excel --extra lightgbm --extra mysql --extra postgres --extra search --group dev --group example pyproject.toml -o requirements.lock

clean: ## remove .venv and what the example wrote
	rm -rf .venv examples/flights/.penstock examples/flights/data examples/flights/penstock.lock
