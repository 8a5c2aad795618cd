# Two commands do everything: `make demo` and `make test`. Both install what is missing, by package name.
#
#   make demo ARGS="--headless --visits 8 --out out"
#   make test            all tests
#   make build           release programs in bin/
#   make where           the folder that this clone is built in
#   make bench           measurements, in target/bench/summary.json
#   make image           the appliance's disk and signed update (as root); VARIANT=counter|station|handheld|qemu
#   make image-test      boots the image in QEMU, sets it up, serves a person, updates it, breaks it (as root)
#   make nightly         ten thousand random fault scripts, clients that are not ours, ten minutes of fuzzing a decoder
#   make nightly-image   the longest of image-test within an hour: boot, visits, updates, pins

SHELL := /bin/bash
CACHE ?= $(HOME)/.cache/changqing
export CACHE
# cargo tells two clones apart by neither path nor content: by the times of the files alone it takes for its own what the
# other one built last. So each has a folder of its own.
export CARGO_TARGET_DIR ?= $(CACHE)/target/$(firstword $(shell pwd -P | cksum))
export CHANGQING_MODELS ?= $(CACHE)/models
export CHANGQING_PORTRAITS ?= $(CACHE)/portraits

# Debian packages: what the build links against, what the screens draw with, what the set-up steps run.
PACKAGES := build-essential pkg-config clang libclang-dev libfontconfig-dev libudev-dev libinput-dev \
	libxkbcommon-dev libxkbcommon-x11-dev libssl-dev libpcsclite-dev libasound2-dev fonts-noto-cjk \
	pcscd opensc vsmartcard-vpcd vsmartcard-vpicc zbar-tools espeak-ng python3 python3-pip python3-venv npm
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
BINARIES := kiosk photo-decoder livescan-plugin engine-cage device-sim authority models image-build

.PHONY: demo test where build bench nightly nightly-image image image-test image-packages setup packages weights portraits clients prompts lint

demo: setup
	cargo build --workspace --bins
	$(CARGO_TARGET_DIR)/debug/kiosk demo $(ARGS)

test: setup
	cargo build --workspace --bins
	cargo test --workspace --no-fail-fast

where:
	@echo $(CARGO_TARGET_DIR)

build: setup
	cargo build --workspace --bins --release
	mkdir -p bin
	$(foreach program,$(BINARIES),install -m 755 $(CARGO_TARGET_DIR)/release/$(program) bin/ &&) true

bench: build
	tests/bench/run.sh

# The fault scripts run optimised: unoptimised they take hours. Fuzzing takes ten minutes a target, JOBS of them at once.
nightly: setup
	CACHE=$(CACHE) DEVICE_FAULT_SCRIPTS=10000 cargo test --release -p device-sim --test counter -- --nocapture
	CACHE=$(CACHE) tests/fuzz/run.sh $(FUZZ_SECONDS)

# What the image build runs on this machine; the rest comes from a small Debian of its own below the cache.
IMAGE_PACKAGES := mmdebstrap gcc-aarch64-linux-gnu g++-aarch64-linux-gnu xz-utils openssl
VARIANT ?= counter
IMAGE_BUILD = $(CARGO_TARGET_DIR)/debug/image-build

image: setup image-packages
	$(IMAGE_BUILD) image --variant $(VARIANT) --cache $(CACHE)/image --models $(CHANGQING_MODELS) \
		--prompts $(CACHE)/prompts $(IMAGE_ARGS)

image-test: setup image-packages
	$(IMAGE_BUILD) trial --cache $(CACHE)/image --models $(CHANGQING_MODELS) \
		--prompts $(CACHE)/prompts $(IMAGE_ARGS)

# What an edition must not lose, within an hour; image-test tries everything. The root file system and the cross-compiled
# program are kept in the cache.
nightly-image:
	timeout 3600 $(MAKE) --no-print-directory image-test IMAGE_ARGS="--part boot,visit,face,update,rollback,pi"

image-packages:
	@$(MAKE) --no-print-directory packages PACKAGES="$(IMAGE_PACKAGES)"

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

setup: packages weights portraits clients prompts

# A program counts as its package: npm from elsewhere is as good.
packages:
	@missing=""; for package in $(PACKAGES); do \
		case $$package in npm) command -v npm > /dev/null && continue;; \
			python3-pip) python3 -m pip --version > /dev/null 2>&1 && continue;; \
			python3-venv) python3 -c 'import venv, ensurepip' 2> /dev/null && continue;; \
			python3) command -v python3 > /dev/null && continue;; esac; \
		dpkg-query -W -f '$${Status}' $$package 2> /dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then echo "installing$$missing"; \
		$(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing > /dev/null; fi

weights: packages
	cargo build --workspace --bins
	@$(CARGO_TARGET_DIR)/debug/models fetch --dir $(CHANGQING_MODELS)

# Clients and parsers that are not ours, for the tests of the simulated devices.
clients: packages
	@drivers/device-sim/tests/set-up.sh $(CACHE)

# What the speaker says, spoken by a machine.
prompts: packages
	@image-build/prompts.sh $(CACHE)/prompts > /dev/null

portraits: packages
	@tests/people/portraits/set-up.sh $(CACHE)
