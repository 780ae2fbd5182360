# What can be done with this repository. "make help" lists the targets from the comments behind their names.

GO       ?= go
FUZZTIME ?= 60s
BENCH    ?= .
API      ?=
TOOL      = $(GO) tool -modfile=$(CURDIR)/test/tools/go.mod

# Modules of this repository that are built like the first one, and those of tests that have a go.mod for each implementation.
MODULES = . examples test/apicheck test/h2spec
PARITY  = test/parity

.PHONY: help build test race poison vet lint fuzz bench parity proto protocheck examples h2spec grpcjs openssl api hostile held faults history soak clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  %-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## compile everything, and keep nothing of it
	for m in $(MODULES); do $(GO) build -C $$m -o /dev/null ./... || exit; done

test: ## run the tests
	$(GO) test ./...

race: ## run the tests with the race detector
	$(GO) test -race -timeout 20m ./...

poison: ## run the tests with buffers overwritten as they return to their pools
	$(GO) test -tags poison ./...

vet: ## go vet, for 64 and for 32 bits
	for m in $(MODULES) $(PARITY); do $(GO) vet -C $$m ./... || exit; done
	GOARCH=386 $(GO) vet ./...

lint: ## gofmt and staticcheck
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "not formatted by gofmt:"; echo "$$out"; exit 1; fi
	for m in $(MODULES) $(PARITY); do (cd $$m && $(TOOL) staticcheck ./...) || exit; done

fuzz: ## run each fuzz target for FUZZTIME
	GO=$(GO) .ci/fuzz $(FUZZTIME)

bench: ## run the benchmarks that BENCH matches
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

parity: ## run the parity tests against this module and the released one
	$(GO) test -C $(PARITY) -p 1 -modfile=ours.mod ./...
	$(GO) test -C $(PARITY) -p 1 -modfile=upstream.mod ./...

proto: ## regenerate what protoc makes
	$(GO) run ./internal/testkit/stubs/gen

protocheck: ## check that regenerated stubs are as checked in, and work
	STUBS_REGENERATE=1 $(GO) test -count=1 -run '^TestStubs' ./test

examples: ## test the examples and run the quickstart
	$(GO) test -C examples ./...
	$(GO) run -C examples ./quickstart

h2spec: ## run h2spec, a test suite for HTTP/2
	$(GO) run -C test/h2spec .

grpcjs: ## install grpc-js with npm, and test against it
	npm ci --ignore-scripts --no-audit --no-fund --prefix test/grpcjs
	GRPCJS=required $(GO) test -count=1 ./test/grpcjs

openssl: ## test against OpenSSL's client and server of TLS
	OPENSSL=required $(GO) test -count=1 ./test/openssl

api: ## check the exported API against its lists; API='-pkg REGEXP' for some packages
	$(GO) run -C test/apicheck . missing -dir ../.. -want api/v1.85.0.txt -want api/v1.0.5.txt -allow api/v1.0.5-allow.txt -allow api/pending.txt -absent api/absent.txt $(API)

hostile: ## run the tests of peers that break the rules
	HOSTILE=full $(GO) test -count=1 -timeout 20m -v ./test/hostile/...

held: ## run the tests of how much memory peers can hold
	HELD_FULL=1 $(GO) test -count=1 -timeout 20m -v ./test/held/...

faults: ## run the tests of networks with faults at length
	FAULTS_SEEDS=200 $(GO) test -race -count=1 -timeout 20m -v -run '^Test(CallsEnd|Keepalive)' ./test/faults
	FAULTS_SEEDS=200 $(GO) test -count=1 -timeout 20m -v -run '^Test' -skip '^Test(CallsEnd|Keepalive)' ./test/faults

history: ## make a million calls in each way that servers come and go, and check how each ended
	HISTORY_CALLS=1000000 $(GO) test -count=1 -timeout 60m -v -run '^Test(GracefulRestarts|SuddenStops|ConnectionsThatAge)' ./test/faults

soak: ## make mixed calls for ten minutes, and check that nothing grows; SOAK=2h for longer
	SOAK=$(or $(SOAK),10m) $(GO) test -count=1 -timeout 24h -v -run '^TestSoak$$' ./test/soak

clean: ## remove what builds and tests left in the tree
	git clean -dffX
