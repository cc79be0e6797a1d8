# Gatehouse. `make run` builds and serves; `make test` installs what tests need and runs everything.
SHELL       := /bin/bash
GO          ?= go
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS     := -s -w -X gatehouse/internal/version.version=$(VERSION)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: run build test check test-deps generate generated vulnerabilities test-long fuzz bench clean

run: build ## build, then serve with the embedded store
	./bin/gatehouse serve

build: ## build the static binary bin/gatehouse
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/gatehouse ./cmd/gatehouse

test: test-deps check generated ## everything that must pass
	$(GO) test -race -timeout 14m ./...
	@$(MAKE) --no-print-directory vulnerabilities

check: ## formatting, vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

generated: ## regenerate and compare
	$(GO) generate ./...
	@git diff --exit-code --stat -- internal docs || { echo "generated files differ: commit what 'make generate' wrote"; exit 1; }

generate: ## rewrite generated files
	$(GO) generate ./...

vulnerabilities: ## known vulnerabilities, where the database can be reached
	@out=$$($(GO) run $(GOVULNCHECK) ./... 2>&1); code=$$?; \
	if [ $$code -ne 0 ] && grep -qiE 'fetching vulnerabilities|dial tcp|no such host|connection refused|forbidden|403|404|proxyconnect' <<<"$$out"; then \
		echo "govulncheck: its database cannot be reached from here; not checked"; \
	else echo "$$out"; exit $$code; fi

test-deps: ## programs that tests start: PostgreSQL, Redis, nginx, Node, Python
	@./scripts/test-deps.sh

test-long: test-deps ## soaks, long fuzzing, thousand-fold kills
	GATEHOUSE_TEST_LONG=1 $(GO) test -timeout 4h ./...
	@$(MAKE) --no-print-directory fuzz FUZZTIME=5m

fuzz: ## every fuzz target for FUZZTIME
	@./scripts/fuzz.sh $(or $(FUZZTIME),30s)

bench: build ## measurements against nginx
	$(GO) run ./bench

clean:
	rm -rf bin
