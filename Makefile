# Every command a person needs. `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
paths := . scripts/paths;
web_sources := $(shell find web -path web/node_modules -prune -o -path web/dist -prune \
	-o -path web/test-results -prune -o -path web/tests -prune -o -path web/bench -prune \
	-o -type f -print)

.PHONY: help run build check test nightly dev e2e sim sweep bench load instructions microbench runs signalling fuzz clean tools

help: ## List the commands
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS=$$'\t' read -r name what; do \
		printf '  make %-12s %s\n' "$$name" "$$what"; done

run: ## Build all and start on http://localhost:3000; FLAGS="--listen-ip 0.0.0.0 --tls-self-signed" for others
	@scripts/run $(FLAGS)

build: web/dist/index.html ## Leave one self-contained program: target/release/watersmeet
	@$(paths) cargo build --release --locked -p watersmeet-server

check: web/node_modules/.package-lock.json ## Format, lints, house rules, licences, docs, types
	@scripts/setup check
	@scripts/check

test: web/node_modules/.package-lock.json ## Everything a change must pass, browsers included
	@scripts/setup test
	@scripts/test

nightly: web/dist/index.html ## What takes longer: release in browsers, cargo-deny, 200 seeds, fuzzing
	@scripts/setup nightly
	@scripts/nightly

e2e: web/dist/index.html ## Calls between real browsers, on the program that `make build` left
	@scripts/setup test
	@$(paths) cargo build --quiet --workspace --features watersmeet-engine/sim --example forward
	@$(paths) npm --prefix web run e2e

dev: web/node_modules/.package-lock.json ## Server, and the web client with reload on http://localhost:5173
	@$(paths) cargo build -p watersmeet-server
	@$(paths) target/debug/watersmeet --dev & server=$$!; trap "kill $$server" EXIT; npm --prefix web run dev

sim: ## Replay one seed of the simulator: TEST=name SEED=n
	@$(paths) SIM_SEED=$(SEED) cargo test -p watersmeet-sim --tests $(TEST) -- --nocapture

sweep: ## Look for bad seeds in the simulator: SEEDS=200
	@$(paths) SIM_SWEEP=$(or $(SEEDS),200) cargo test -p watersmeet-sim --tests

bench: web/dist/index.html ## What forwarding costs beside the least it could; last line: floor_ratio
	@scripts/bench

load: web/dist/index.html ## The server under load: PROFILE=L1…L9|webinar|meeting|audio|growth NET=veth GRO=on
	@scripts/load $(PROFILE)

instructions: ## Instructions per forwarded packet, counted by callgrind
	@scripts/instructions

microbench: ## Nanoseconds of parsing, sealing and forwarding, without sockets
	@$(paths) cargo bench -p watersmeet-wire --benches
	@$(paths) cargo bench -p watersmeet-engine --features sim --bench srtp --bench forward --bench memory

runs: build ## How many datagrams leave together when real browsers send
	@scripts/setup test
	@$(paths) npm --prefix web run bench

signalling: build ## 2,000 silent connections and 1,000 requests a second, for a minute
	@$(paths) cargo bench -p watersmeet-server --bench signalling

fuzz: ## Fuzz one target: T=rtp SECONDS=600
	@$(paths) scripts/fuzz $(T) $(or $(SECONDS),600)

clean: ## Remove what was built
	cargo clean
	rm -rf web/dist web/node_modules .tools

tools:
	@scripts/setup build

web/node_modules/.package-lock.json: web/package-lock.json | tools
	@$(paths) npm --prefix web ci --no-audit --no-fund
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(web_sources)
	@$(paths) npm --prefix web run build
	@touch $@
