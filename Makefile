# Commands for developers; `make` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
paths := . scripts/paths;
score := cargo run --quiet --release -p watersmeet-sim --bin watersmeet-score --
web_sources := $(shell find web -path web/node_modules -prune -o -path web/dist -prune \
	-o -path web/test-results -prune -o -path web/tests -prune -o -path web/bench -prune \
	-o -path web/screenshots -prune -o -path web/client/build -prune -o -path web/client/dist -prune \
	-o -type f -print)

.PHONY: help run build dist check test nightly dev e2e screenshots relay sim sweep bench load score instructions microbench runs league signalling hostile fuzz clean tools

help: ## List the commands
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS=$$'\t' read -r name what; do \
		printf '  make %-12s %s\n' "$$name" "$$what"; done

run: ## Build and start on http://localhost:3000; FLAGS="--listen-ip 0.0.0.0 --tls-self-signed" for the network
	@scripts/run $(FLAGS)

build: web/dist/index.html ## Build the self-contained program target/release/watersmeet
	@$(paths) cargo build --release --locked -p watersmeet-server

dist: web/dist/index.html ## Build packages, archive, image, chart and SBOM into dist/ (docs/install.md)
	@scripts/setup dist
	@scripts/dist

check: web/node_modules/.package-lock.json ## Check format, lints, repository rules, licences, docs and types
	@scripts/setup check
	@scripts/check

test: web/node_modules/.package-lock.json ## Run all tests that a change must pass, including browser tests
	@scripts/setup test
	@scripts/test

nightly: web/dist/index.html ## Run the longer tests: release build in browsers, other clients, cargo-deny, 200 seeds, fuzzing
	@scripts/setup nightly
	@scripts/nightly

e2e: web/dist/index.html ## Run the browser tests on the program built by `make build`
	@scripts/setup test
	@$(paths) cargo build --quiet --workspace --features watersmeet-engine/sim --example forward
	@$(paths) cargo build --quiet -p watersmeet-sim --bin watersmeet-relay
	@$(paths) npm --prefix web run e2e

dev: web/node_modules/.package-lock.json ## Start the server, and the web client with live reload on http://localhost:5173
	@$(paths) cargo build -p watersmeet-server
	@$(paths) target/debug/watersmeet --dev & server=$$!; trap "kill $$server" EXIT; npm --prefix web run dev

screenshots: web/dist/index.html ## Take pictures of the page in each state, into web/screenshots/pictures; ONLY="a call of nine"
	@scripts/setup test
	@$(paths) cargo build --quiet -p watersmeet-server
	@$(paths) WATERSMEET_BIN="$(CURDIR)/target/debug/watersmeet" npm --prefix web run screenshots -- $(if $(ONLY),--grep "$(ONLY)")

relay: ## Impair UDP between browsers and a server: LISTEN=127.0.0.1:24000 SERVER=127.0.0.1:10000
	@$(paths) cargo run --quiet -p watersmeet-sim --bin watersmeet-relay -- \
		$(or $(LISTEN),127.0.0.1:24000) $(or $(SERVER),127.0.0.1:10000) $(CONTROL)

sim: ## Replay one simulator seed: TEST=name SEED=n
	@$(paths) SIM_SEED=$(SEED) cargo test -p watersmeet-sim --tests $(TEST) -- --nocapture

sweep: ## Search for failing simulator seeds: SEEDS=200
	@$(paths) SIM_SWEEP=$(or $(SEEDS),200) cargo test -p watersmeet-sim --tests
	@$(paths) $(score) --sweep $(or $(SEEDS),200) --out docs/scoreboard.md

score: ## Measure media quality in the simulator and write docs/scoreboard.md; CASE=TC5.1 SEED=3 prints one run
	@$(paths) $(score) $(if $(CASE)$(SEED),--case "$(CASE)" $(if $(SEED),--seed $(SEED)),--out docs/scoreboard.md)

bench: web/dist/index.html ## Measure CPU per forwarded packet and its lower bound; last line: floor_ratio
	@scripts/bench

load: web/dist/index.html ## Measure the server under load: PROFILE=L1…L10|webinar|meeting|audio|growth NET=veth GRO=on
	@scripts/load $(PROFILE)

instructions: ## Count instructions per forwarded packet with callgrind
	@scripts/instructions

microbench: ## Measure parsing, encryption and forwarding without sockets
	@$(paths) cargo bench -p watersmeet-wire --benches
	@$(paths) cargo bench -p watersmeet-engine --features sim --bench srtp --bench handshake --bench forward --bench memory

runs: build ## Measure GSO run lengths with real browsers
	@scripts/setup test
	@$(paths) npm --prefix web run bench -- gso-runs

league: web/node_modules/.package-lock.json $(if $(SERVERS),,build) ## Compare servers on changing lines, in real browsers: SERVERS="name=dialect@URL …" LINES=dip OUT=file
	@scripts/setup test
	@$(paths) cargo build --quiet --release -p watersmeet-sim --bin watersmeet-relay
	@$(paths) SERVERS="$(SERVERS)" LINES="$(LINES)" OUT="$(if $(OUT),$(abspath $(OUT)))" \
		WATERSMEET_RELAY_BIN="$(CURDIR)/target/release/watersmeet-relay" \
		npm --prefix web run bench -- league.bench

hostile: build ## Measure how the server bears slow and oversized requests and guesses of room names
	@scripts/hostile

signalling: build ## Measure signalling: 2,000 idle connections and 1,000 requests per second for a minute
	@$(paths) cargo bench -p watersmeet-server --bench signalling

fuzz: ## Fuzz one target: T=rtp SECONDS=600
	@$(paths) scripts/fuzz $(T) $(or $(SECONDS),600)

clean: ## Remove build results
	cargo clean
	rm -rf dist web/dist web/node_modules .tools

tools:
	@scripts/setup build

web/node_modules/.package-lock.json: web/package-lock.json | tools
	@$(paths) npm --prefix web ci --no-audit --no-fund
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(web_sources)
	@$(paths) npm --prefix web run build
	@touch $@
