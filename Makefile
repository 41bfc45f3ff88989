# The few commands of this repository. `make help` lists them; each works from a clean clone.
SHELL := /bin/bash
CARGO ?= $(or $(shell command -v cargo),$(HOME)/.cargo/bin/cargo)
ARKKI := $(or $(CARGO_TARGET_DIR),target)/release/arkki

SETUP ?= scripts/setup

.PHONY: help demo build test lint bench fuzz samples pictures format
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name what; do printf '  make %-9s %s\n' "$$name" "$$what"; done

demo: build ## install what is missing, build, and run the main job on embedded parts
	@$(ARKKI) demo

build:
	@$(SETUP) demo
	@$(CARGO) build --release --locked --bin arkki

test: ## every test (or ONLY=store::), on a private RabbitMQ and a private PostgreSQL that it starts and stops
	@$(SETUP) test
	@$(CARGO) test --locked $(ONLY)
	@if [ "$$ARKKI_NO_BROWSER" = 1 ]; then echo 'Left out, for ARKKI_NO_BROWSER=1: what a real browser shows.'; fi

lint: ## format, clippy and docs, with warnings as errors
	@$(SETUP) demo
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --quiet --locked --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --locked --workspace --no-deps --document-private-items

bench: ## messages/s, CPU, latency and memory, on a broker and a database of its own
	@$(SETUP) test
	@$(CARGO) bench --locked

fuzz: ## look for octets that break the readers: every target for FUZZ_SECONDS (600), coverage-guided, with AddressSanitizer
	@$(SETUP) demo
	@scripts/fuzz

samples: ## make samples/ again, octet for octet
	@$(CARGO) run --quiet --locked --example make_samples

pictures: ## make docs/pictures/ again, as a real browser paints the console
	@$(SETUP) test
	@ARKKI_PICTURES=1 $(CARGO) test --quiet --locked --test it desk::pictures

format: ## let rustfmt write
	@$(CARGO) fmt --all
