# Thin shortcuts over the CMake presets (CMakePresets.json). `make help` lists them.
# Every target may be repeated, and works as root and through sudo.

.DEFAULT_GOAL := help
.PHONY: help setup packages components build demo test bench asan tsan fuzz tidy format format-check install clean

FUZZ_SECONDS ?= 30
BENCH_OUT ?= bench/results
PREFIX ?= /usr/local
DESTDIR ?=

# $(call build,PRESET,TARGETS): configures only what is not configured yet; ninja reruns CMake itself.
build = test -f build/$(1)/build.ninja || cmake --preset $(1); cmake --build --preset $(1) --target $(2)

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: packages components ## install the Debian packages and unpack the programs that are missing (says which first)

packages:
	@packaging/setup.sh

# Without them the tests that need them are skipped, which CI counts as failures; the rest works.
components:
	@packaging/components.sh || echo "components: not all could be had; tests that need them will be skipped" >&2

demo: packages ## build the release programs and run both halves of `particle demo`
	@set -e; $(call build,release,bin/particle bin/particle-fleet bin/particle-fleet-agent bin/particle-spawn bin/particle-worker)
	@build/release/bin/particle demo
	@echo
	@build/release/bin/particle demo --pipeline

test: setup ## build everything and run every test; ends with the count
	@python3 tests/run_all.py

build: packages ## build the presets dev and release
	@set -e; $(call build,dev,all)
	@set -e; $(call build,release,all)

bench: setup ## run every benchmark of bench/ and record the figures in BENCH_OUT (bench/results)
	@set -e; $(call build,release,all)
	@bench/run --out "$(BENCH_OUT)"

asan: setup ## unit, netns and cni tests under AddressSanitizer and UBSan
	@set -e; $(call build,$@,sanitizer-tests)
	@ctest --preset $@ -j $$(nproc) -L '^(unit|netns|cni)$$'

tsan: setup ## unit and netns tests under ThreadSanitizer
	@set -e; $(call build,$@,sanitizer-tests)
	@ctest --preset $@ -j $$(nproc) -L '^(unit|netns)$$'

fuzz: setup ## run each fuzz target with libFuzzer for FUZZ_SECONDS (30) seconds
	@set -e; $(call build,fuzz,all)
	@set -e; for program in build/fuzz/bin/fuzz-*; do \
	  name=$${program##*/fuzz-}; work=build/fuzz/corpus/$$name; mkdir -p "$$work"; \
	  echo "== $$name"; \
	  "$$program" -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=10 -print_final_stats=1 \
	    -artifact_prefix=build/fuzz/$$name- "$$work" "tests/fuzz/corpus/$$name"; done

tidy: packages ## clang-tidy over every file; skips what is unchanged since it was clean
	@set -e; $(call build,tidy,generated)
	@python3 cmake/tidy.py build/tidy

format: setup ## format every C and C++ file
	@cmake/format.sh

format-check: setup ## fail if a file is not formatted
	@cmake/format.sh --check

install: packages ## build the release preset and install it below PREFIX (/usr/local)
	@set -e; $(call build,release,all)
	@DESTDIR="$(DESTDIR)" cmake --install build/release --prefix "$(PREFIX)"

clean: ## remove build/
	rm -rf build
