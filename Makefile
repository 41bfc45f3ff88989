# The few commands of this repository. `make help` lists them; each works from a clean clone.
SHELL := /bin/bash
CARGO ?= $(or $(shell command -v cargo),$(HOME)/.cargo/bin/cargo)
ARKKI := $(or $(CARGO_TARGET_DIR),target)/release/arkki

.PHONY: help demo build test lint bench fuzz samples format
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name what; do printf '  make %-9s %s\n' "$$name" "$$what"; done

demo: build ## install what is missing, build, and run the main job on embedded parts
	@$(ARKKI) demo

build:
	@scripts/setup demo
	@$(CARGO) build --release --locked --bin arkki

test: ## every test (or ONLY=store::), on a private RabbitMQ and a private PostgreSQL that it starts and stops
	@scripts/setup test
	@$(CARGO) test --locked $(ONLY)
	@if [ "$$ARKKI_NO_BROWSER" = 1 ]; then echo 'Left out, for ARKKI_NO_BROWSER=1: what a real browser shows.'; fi

lint: ## format, clippy and docs, with warnings as errors
	@scripts/setup demo
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --quiet --locked --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --locked --workspace --no-deps --document-private-items

bench: ## messages/s, CPU, latency and memory, on a broker and a database of its own
	@scripts/setup test
	@$(CARGO) bench --locked

fuzz: ## look for octets that break the readers: every target for FUZZ_SECONDS (600), coverage-guided, with AddressSanitizer
	@scripts/setup demo
	@scripts/fuzz

samples: ## make samples/ again, octet for octet
	@$(CARGO) run --quiet --locked --example make_samples

format: ## let rustfmt write
	@$(CARGO) fmt --all
