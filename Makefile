# Everything a contributor runs. "make help" lists it.
SHELL := /bin/sh
# Without cgo the binary is the same on every machine and needs no C compiler.
export CGO_ENABLED := 0
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
MINIFLUX := 2.2.10

.PHONY: help build demo test docs unit lint fuzz bench measure crash clean
help: ## Say what there is to run
	@awk -F ':.*## ' '/^[a-z][a-z\/.-]*:.*## / { printf "  %-28s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build bin/surety
	go build -trimpath -ldflags "-s -w -X surety/internal/commands.version=$(VERSION)" -o bin/surety .

examples/reader/bin/miniflux: examples/reader/miniflux/go.mod ## Build the software of the reader example from the Go module proxy
	cd examples/reader/miniflux && go build -trimpath -ldflags "-s -w -X miniflux.app/v2/internal/version.Version=$(MINIFLUX)" -o ../bin/miniflux miniflux.app/v2

demo: build examples/reader/bin/miniflux ## Deploy and verify examples/reader on the local cloud
	$(SUDO) ./bin/surety up --yes -f examples/reader
	$(SUDO) ./bin/surety ledger -f examples/reader
	@printf '\nopen it:    %s\nremove it:  %s\n' "$$($(SUDO) ./bin/surety open -f examples/reader)" "$(strip $(SUDO) ./bin/surety destroy --purge -f examples/reader)"

test: build examples/reader/bin/miniflux ## Run every test, those that need root as root (what CI runs)
	./scripts/test

docs: ## Write the generated references anew
	go test ./internal/commands -run TestReferences -update

unit: ## Run the tests that need neither root nor a database
	go test -short ./...

lint: ## Check formatting and vet; golangci-lint too when it is installed
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo "golangci-lint is not installed: skipped"; fi

fuzz: ## Fuzz the spec loader for 10 minutes
	go test ./validate -run '^$$' -fuzz FuzzParse -fuzztime 10m -fuzzminimizetime 10x

bench: build examples/reader/bin/miniflux ## Time whole commands and write docs/figures.md
	$(SUDO) go run ./scripts/figures > docs/figures.new && mv docs/figures.new docs/figures.md

clean: ## Remove what was built
	rm -rf bin examples/reader/bin

measure: examples/reader/bin/miniflux ## Run the long measurements and campaigns, on a machine with nothing else to do
	$(SUDO) env SURETY_MEASURE=1 go test -p 1 -timeout 120m -v ./benchmarks/... ./operations/backup ./stacks/local/objectstore ./validate/verify ./internal/endtoend

crash: examples/reader/bin/miniflux ## Kill the command and the daemon at 30 seeded points each: the long campaign
	$(SUDO) go test ./internal/endtoend -run 'TestKilled' -points 30 -timeout 60m -v
