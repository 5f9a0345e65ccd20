# Fenchel: `make run` trains on the built-in digits, `make test` checks everything, `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PREFIX ?= /usr/local
OUTPUT ?= model.safetensors
VENV := .venv-test
STEP := Scripts/step.sh
FENCHEL := .build/release/fenchel
SWIFT_FILES := Package.swift Sources Tests Experiments $(wildcard Benchmarks/Package.swift Benchmarks/Sources Examples)

.PHONY: help run build test bench peers docs format mutants install uninstall clean
.PHONY: toolchain packages test-packages lint limits swift-tests examples experiments python-tests untouched

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "  make %-10s %s\n", $$1, $$2 }'

run: build ## install what is needed, build, train on the built-in digits
	@rm -f $(OUTPUT)
	$(FENCHEL) train digits --test 0.2 --output $(OUTPUT)

build: packages ## install what is needed and build in release mode
	@$(STEP) "build" swift build -c release --product fenchel

toolchain:
	@Scripts/toolchain.sh

packages: toolchain
	@$(STEP) "system packages" Scripts/packages.sh build

test-packages: toolchain
	@$(STEP) "system packages" Scripts/packages.sh test

test: ## install what is needed, then lint, limits, build without warnings, every test
	@before=$$(git status --porcelain 2>/dev/null); \
	$(MAKE) --no-print-directory test-packages lint limits swift-tests examples experiments python-tests || exit 1; \
	after=$$(git status --porcelain 2>/dev/null); \
	if [ "$$before" != "$$after" ]; then echo "the tests left files behind:"; echo "$$after"; exit 1; fi

lint:
	@$(STEP) "format lint" swift format lint --strict --parallel -r $(SWIFT_FILES)

limits:
	@$(STEP) "limits and forbidden words" --show "checked" python3 Scripts/check_sources.py

swift-tests:
	@$(STEP) "build, warnings as errors" swift build -c release --build-tests
	@$(STEP) "swift test" --show "Test run with|Executed [1-9]" swift test -c release --skip-build
	@if [ -f Benchmarks/Package.swift ]; then \
	  $(STEP) "build of Benchmarks" swift build -c release --package-path Benchmarks; fi

examples:
	@mkdir -p .build/examples
	@cd .build/examples && ../../$(STEP) "examples" --show "^accuracy" ../release/TrainNetwork
	@cd .build/examples && ../../$(STEP) "examples of convex programs" ../release/ConvexPrograms

experiments:
	@$(STEP) "papers, small" $(FENCHEL) reproduce all --quick --quiet --output .build/experiments

python-tests: $(VENV)/ready
	@$(STEP) "python tests" --show "^Ran |^OK" env PYTHONDONTWRITEBYTECODE=1 FENCHEL=$(CURDIR)/$(FENCHEL) \
	  $(VENV)/bin/python -m unittest discover -s Tests/Python -p "test_*.py"

$(VENV)/ready: Tests/Python/requirements.txt
	@$(STEP) "python readers (venv)" bash -c \
	  "python3 -m venv $(VENV) && $(VENV)/bin/pip install -q -r Tests/Python/requirements.txt && touch $@"

bench: build ## our kernels against this machine's ceiling, small fits, then the peers beside us
	$(FENCHEL) bench
	@$(STEP) "build of Benchmarks" swift build -c release --package-path Benchmarks
	Benchmarks/.build/release/Fits
	@$(MAKE) --no-print-directory peers

peers: build ## only the comparison with the peers (installs them from PyPI)
	@$(STEP) "peers (venvs)" Benchmarks/peers/setup.sh
	Benchmarks/.venvs/peers/bin/python Benchmarks/peers/compare.py

docs: packages ## the documentation as a web page in docs/build
	@rm -rf docs/build && mkdir -p docs
	@$(STEP) "documentation" env FENCHEL_DOCS=1 swift package --scratch-path .build-docs \
	  --allow-writing-to-directory docs/build generate-documentation \
	  --target LinearAlgebra --target ConvexOptimization --target Fenchel \
	  --enable-experimental-combined-documentation --transform-for-static-hosting --output-path docs/build
	@test -f docs/build/index.html || { echo "no page was written: docs/build/index.html"; exit 1; }

format: toolchain ## format every Swift file
	@$(STEP) "format" swift format format -i --parallel -r $(SWIFT_FILES)

mutants: packages ## plant errors one by one and see the tests fail
	python3 Scripts/mutate.py

install: packages ## build and install fenchel under PREFIX (default /usr/local)
	@$(STEP) "build, self-contained" swift build -c release --product fenchel \
	  --scratch-path .build-install --static-swift-stdlib
	@Scripts/install.sh .build-install/release "$(DESTDIR)$(PREFIX)"

uninstall: ## remove what install put there
	@rm -rf "$(DESTDIR)$(PREFIX)/lib/fenchel" "$(DESTDIR)$(PREFIX)/bin/fenchel"

clean: ## remove everything that was built
	rm -rf .build .build-docs .build-install .build-mutants $(VENV) Benchmarks/.build Benchmarks/.venvs docs/build
