# `make test` is all that CI runs; `make help` lists the rest.

GO       ?= go
FUZZTIME ?= 1m
ARGS     ?=

# Linter and formatter, built from source by the Go toolchain, so that no other download
# is needed. Kept in ./bin, and in Go's build cache, from which it comes back in seconds.
GOLANGCI_VERSION := v2.13.1
GOLANGCI := bin/golangci-lint-$(GOLANGCI_VERSION)

# Tests whose names begin with TestBrowser drive a headless Chromium; those with Alloc in
# their names count allocations and skip themselves under the race detector.
BROWSER_TESTS := ^TestBrowser
ALLOC_TESTS   := Alloc

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# One step after the other: the tests measure time, and the output should read in order.
.NOTPARALLEL:
.DEFAULT_GOAL := help

.PHONY: test
test: tools check-format vet lint race allocs browser ## everything below, as CI does it; installs what is missing

.PHONY: build
build: ## bin/livechat
	$(GO) build -trimpath -o bin/livechat ./cmd/livechat

.PHONY: run
run: ## the server on its defaults, or with ARGS="--http=:8080 …"
	$(GO) run ./cmd/livechat $(ARGS)

.PHONY: fmt
fmt: $(GOLANGCI) ## format every Go file (gofumpt, gci)
	$(GOLANGCI) fmt

.PHONY: check-format
check-format: $(GOLANGCI) ## fail when a Go file is not formatted, and show how it should be
	$(GOLANGCI) fmt --diff

.PHONY: vet
vet: ## go vet
	$(GO) vet ./...

.PHONY: lint
lint: $(GOLANGCI) ## golangci-lint, with the import rules
	$(GOLANGCI) run --allow-parallel-runners

.PHONY: race
race: ## all tests but the browser's, under the race detector
	$(GO) test -race -shuffle=on -timeout 9m -skip '$(BROWSER_TESTS)' ./...

.PHONY: allocs
allocs: ## the tests that count allocations, without the race detector
	$(GO) test -count=1 -run '$(ALLOC_TESTS)' $$(grep -rlE '^func Test[A-Za-z0-9_]*$(ALLOC_TESTS)' --include='*_test.go' . | xargs -n 1 dirname | sort -u)

.PHONY: browser
browser: ## the browser tests, one line for each; fails when there is no Chromium
	LIVECHAT_REQUIRE_BROWSER=1 $(GO) test -v -count=1 -timeout 9m -run '$(BROWSER_TESTS)' ./e2e

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (1m)
	@grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sort | while IFS=: read -r file func; do \
		echo "$$(dirname "$$file") $${func#func }"; \
		$(GO) test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" || exit 1; \
	done

.PHONY: tools
tools: ## install what the tests need beside Go: Chromium, and a C compiler for the race detector
	@have() { for name; do command -v "$$name" >/dev/null && return; done; return 1; }; missing=; \
	have chromium chromium-browser google-chrome google-chrome-stable || missing="$$missing chromium"; \
	have "$$($(GO) env CC)" || missing="$$missing gcc libc6-dev"; \
	[ -z "$$missing" ] || { \
		echo "installing Debian's$$missing"; \
		$(SUDO) apt-get update && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing; \
	}

.PHONY: clean
clean: ## remove what was built
	rm -rf bin

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z-]+):.* ## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r target text; do \
		printf '  make %-14s %s\n' "$$target" "$$text"; \
	done

$(GOLANGCI):
	@echo "building golangci-lint $(GOLANGCI_VERSION); the first time this takes a few minutes"
	GOBIN="$(CURDIR)/bin" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv bin/golangci-lint $@
