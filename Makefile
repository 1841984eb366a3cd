# Everything a developer types. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
GOLANGCI_VERSION := v2.15.0
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/penstock
GOLANGCI := $(CACHE)/bin/golangci-lint-$(GOLANGCI_VERSION)
VENV := $(CACHE)/venv
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT := $(shell git rev-parse --short=16 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION) -X main.commit=$(COMMIT)

.PHONY: help build fmt lint vet unit integration test chaos bench quickstart stack-up stack-down docs fuzz clean python

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

build: ## build bin/worker
	go build -ldflags '$(LDFLAGS)' -o bin/worker ./cmd/worker

test: ## format, lint, vet, import rules, race-enabled unit tests, integration tests (what CI runs)
	scripts/test

fmt: ## check the format
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1; }

$(GOLANGCI):
	@echo "building golangci-lint $(GOLANGCI_VERSION) (once per machine, some minutes)"
	GOBIN=$(CACHE)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(CACHE)/bin/golangci-lint $(GOLANGCI)

lint: $(GOLANGCI) ## run the linters
	$(GOLANGCI) run ./...

vet: ## run go vet, with the integration tests' tag too
	go vet -tags integration ./...

unit: ## race-enabled unit tests in random order
	go test -race -shuffle=on -timeout 10m ./...

python: $(VENV)/.ready ## the independent readers used by the integration tests
$(VENV)/.ready: integration-tests/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r integration-tests/requirements.txt
	touch $@

integration: build python ## integration tests on real Kafka and real HDFS (RUN=regexp for some)
	REQUIRE_STACK=$${REQUIRE_STACK:-1} PENSTOCK_WORKER=$(CURDIR)/bin/worker PENSTOCK_PYTHON=$(VENV)/bin/python \
	go test -tags integration -count=1 -timeout 40m $(if $(RUN),-run '$(RUN)') -v ./integration-tests/...

chaos: build python ## kills, stops and cuts of a cluster on real HDFS (CHAOS=600s SEED=1)
	REQUIRE_STACK=1 PENSTOCK_WORKER=$(CURDIR)/bin/worker PENSTOCK_PYTHON=$(VENV)/bin/python \
	go test -tags integration -count=1 -timeout 60m -run '^TestChaos' -v ./integration-tests -chaos=$(or $(CHAOS),600s) -chaos.seed=$(or $(SEED),1)

bench: build ## macro benchmark on real Kafka and HDFS (BENCH_ARGS='-runs 5 -records 2000000')
	go run -ldflags '$(LDFLAGS)' ./bench -worker $(CURDIR)/bin/worker $(BENCH_ARGS)

quickstart: build ## Kafka, worker and Avro files in one command (STACK=real: real Kafka and HDFS; KEEP=1: leave it running)
	$(if $(filter real,$(STACK)),scripts/quickstart-real,bin/worker quickstart) $(if $(KEEP),-keep)

stack-up: ## start real Kafka and HDFS on free ports; .stack/stack.json tells where
	go run ./integration-tests/stack/ctl $(STACK_ARGS) up

stack-down: ## stop them again and delete their data
	go run ./integration-tests/stack/ctl $(STACK_ARGS) down

docs: build ## regenerate docs/reference/config from the definitions
	rm -rf docs/reference/config
	bin/worker plugins -docs docs/reference/config

fuzz: ## 30 s of each fuzz target
	scripts/fuzz 30s

clean: ## delete what was built
	rm -rf bin quickstart-data
