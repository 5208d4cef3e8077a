# SPDX-License-Identifier: Apache-2.0
#
# Every job a person runs; `make help` lists them. Objects live under $(OUT)/obj, and a change of
# compiler or flags rebuilds them. VARIANT=asan|fuzz|coverage builds beside the release in
# build/$(VARIANT).

MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
# Debian keeps sfdisk and mkfs.vfat where a user's PATH does not go.
export PATH := $(PATH):/usr/sbin:/sbin
.DELETE_ON_ERROR:
.SECONDARY:

VARIANT ?= release
OUT := $(if $(filter release,$(VARIANT)),build,build/$(VARIANT))
OBJ := $(OUT)/obj
V ?= 0
Q := $(if $(filter 0,$(V)),@)
say = $(if $(filter 0,$(V)),@printf '  %-7s %s\n' $(1) $(2))

VERSION := $(shell cat VERSION)
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
# Where `make install` puts the Python package, for instance /usr/lib/python3/dist-packages; empty: nowhere.
PYTHONDIR ?=
DESTDIR ?=

ifeq ($(origin CC),default)
CC := $(if $(filter fuzz,$(VARIANT)),clang,cc)
endif
PKG_CONFIG ?= pkg-config

PKGS := libcrypto jansson yaml-0.1 libarchive libcurl libnbd libsquashfs1
AGENT_PKGS := libcrypto jansson yaml-0.1 libevent tss2-esys tss2-mu tss2-rc tss2-tctildr
pkg_cflags := $(shell $(PKG_CONFIG) --cflags $(PKGS) $(AGENT_PKGS) 2>/dev/null)
pkg_libs := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)
agent_libs := $(shell $(PKG_CONFIG) --libs $(AGENT_PKGS) 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers \
	-Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla
ifneq ($(WERROR),)
WARN += -Werror
endif
variant_cflags_release := -O2 -D_FORTIFY_SOURCE=2
variant_cflags_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
variant_cflags_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
variant_cflags_coverage := -O0 --coverage
variant_cflags_tsan := -O1 -fsanitize=thread -fno-omit-frame-pointer
# One set of objects for programs and library: with hidden symbols position-independent code costs the programs nothing.
all_cflags := -std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -Iinclude -g -fPIC -ffunction-sections -fstack-protector-strong -pthread \
	-fvisibility=hidden -ffile-prefix-map=$(CURDIR)=. -DASSAY_VERSION='"$(VERSION)"' $(WARN) \
	$(pkg_cflags) $(variant_cflags_$(VARIANT)) $(CPPFLAGS) $(CFLAGS)
variant_ldflags_asan := -fsanitize=address,undefined
variant_ldflags_fuzz := -fsanitize=address,undefined
variant_ldflags_coverage := --coverage
variant_ldflags_tsan := -fsanitize=thread
all_ldflags := -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(variant_ldflags_$(VARIANT)) $(LDFLAGS)

# --- what is built from what --------------------------------------------------------------------

rooms := core tpm measure precompute manifest verify api
lib_src := $(sort $(foreach r,$(rooms),$(wildcard $(r)/*.c $(r)/*/*.c)))
attest_src := $(sort $(wildcard attest/*.c))
agent_src := $(sort $(wildcard core/*.c tpm/*.c cli/agent*.c)) cli/cli.c
cli_src := $(filter-out $(wildcard cli/agent*.c),$(wildcard cli/*.c))
unit_src := $(sort $(wildcard tests/unit/test_*.c))
fuzz_src := $(sort $(wildcard tests/fuzz/fuzz_*.c))

lib_obj := $(lib_src:%.c=$(OBJ)/%.o)
cli_obj := $(cli_src:%.c=$(OBJ)/%.o)
attest_obj := $(attest_src:%.c=$(OBJ)/%.o)
agent_obj := $(agent_src:%.c=$(OBJ)/%.o) $(attest_obj)
unit_bin := $(unit_src:tests/unit/%.c=$(OUT)/tests/%)
fuzz_bin := $(fuzz_src:tests/fuzz/%.c=$(OUT)/fuzz/%)

programs := $(if $(wildcard cli/main.c),$(OUT)/assay) $(if $(wildcard cli/agent.c),$(OUT)/assay-agent)

# The library that other programs link (docs/API.md): a number of its own, which rises when what is there goes or changes.
SONAME := libassay.so.0
library := $(if $(wildcard api/libassay.map),$(OUT)/$(SONAME) $(OUT)/libassay.so $(OUT)/libassay.pc)

.PHONY: all
all: $(programs) $(library) ## build assay, assay-agent and libassay

# The stamp changes when compiler or flags do, and everything depends on it.
$(OBJ)/flags: FORCE
	@[ -n '$(pkg_libs)' ] && [ -n '$(agent_libs)' ] || { \
		echo 'The libraries to build with are not there: scripts/deps.sh build installs them.' >&2; exit 1; }
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(all_cflags) $(all_ldflags)' | cmp -s - $@ || printf '%s\n' '$(CC) $(all_cflags) $(all_ldflags)' > $@
.PHONY: FORCE

$(OBJ)/%.o: %.c $(OBJ)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_cflags) -MMD -MP -c -o $@ $<

$(OUT)/libassay.a: $(lib_obj)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

# The guest's room, for the tests of it.
$(OUT)/libattest.a: $(attest_obj)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

$(OUT)/assay: $(cli_obj) $(OUT)/libassay.a
	$(call say,LD,$@)
	$(Q)$(CC) $(all_ldflags) -o $@ $^ $(pkg_libs) $(LDLIBS)

$(OUT)/assay-agent: $(agent_obj)
	$(call say,LD,$@)
	$(Q)$(CC) $(all_ldflags) -Wl,-Map=$@.map -o $@ $^ $(agent_libs) $(LDLIBS)

# What verifying does not call is left out. Sanitizers bring symbols that only programs have. It stays loaded: threads that
# used it clean up when they end.
so_libs := $(shell $(PKG_CONFIG) --libs libcrypto jansson 2>/dev/null)
so_defs_release := -Wl,-z,defs
so_ldflags := $(filter-out -pie,$(all_ldflags)) -shared -Wl,-soname,$(SONAME) -Wl,--version-script,api/libassay.map \
	-Wl,-z,nodelete -Wl,--gc-sections $(so_defs_$(VARIANT))
$(OUT)/$(SONAME): $(filter $(OBJ)/api/%,$(lib_obj)) $(OUT)/libassay.a api/libassay.map
	$(call say,LD,$@)
	$(Q)$(CC) $(so_ldflags) -o $@ $(filter-out %.map,$^) $(so_libs) $(LDLIBS)

$(OUT)/libassay.so: $(OUT)/$(SONAME)
	$(Q)ln -sf $(SONAME) $@

$(OUT)/libassay.pc: api/libassay.pc.in VERSION $(OBJ)/flags $(OBJ)/where
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' $< > $@

$(OBJ)/where: FORCE
	@mkdir -p $(@D)
	@echo '$(PREFIX) $(LIBDIR)' | cmp -s - $@ || echo '$(PREFIX) $(LIBDIR)' > $@

# Unit tests: one program for each module. libs_<test> names what one of them needs beyond cmocka.
# Those of attest/ are called test_attest_*.
libs_test_quote := -ltss2-mu
libs_test_replay := -ltpms
libs_test_initrd := -lz
libs_test_modules := -lz
libs_test_unpack := -lbz2 -llz4 -llzma -lz -lzstd
.PHONY: unit-tests
unit-tests: $(unit_bin)
$(OUT)/tests/test_attest_%: $(OBJ)/tests/unit/test_attest_%.o $(OUT)/libattest.a $(OUT)/libassay.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) -o $@ $^ -lcmocka $(agent_libs) $(pkg_libs) $(LDLIBS)

$(OUT)/tests/%: $(OBJ)/tests/unit/%.o $(OUT)/libassay.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) -o $@ $^ -lcmocka $(pkg_libs) $(libs_$*) $(LDLIBS)

# Fuzz targets: with VARIANT=fuzz for libFuzzer, else with a main that replays files. Those of attest/ are called
# fuzz_agent_*.
fuzz_main := $(if $(filter fuzz,$(VARIANT)),,$(OBJ)/tests/fuzz/replay.o)
fuzz_link := $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer)
.PHONY: fuzz-bins
fuzz-bins: $(fuzz_bin)
$(OUT)/fuzz/fuzz_agent_%: $(OBJ)/tests/fuzz/fuzz_agent_%.o $(fuzz_main) $(OUT)/libattest.a $(OUT)/libassay.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) $(fuzz_link) -o $@ $^ $(agent_libs) $(pkg_libs) $(LDLIBS)

$(OUT)/fuzz/%: $(OBJ)/tests/fuzz/%.o $(fuzz_main) $(OUT)/libassay.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) $(fuzz_link) -o $@ $^ $(pkg_libs) $(LDLIBS)

# Mutations of a proof, in one process; tests/cli/mutation.bats builds it with VARIANT=asan.
$(OUT)/mutation/%: $(OBJ)/tests/mutation/%.o $(OUT)/libassay.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) -o $@ $^ $(pkg_libs) $(LDLIBS)

# The probe: an EFI program for a machine's own event log (docs/PROBE.md), and a disk that boots it.
# It wants clang and lld, and its disk sfdisk and mtools, so `all` leaves it out. Its bytes must not
# depend on who builds it: the flags are its own, user CFLAGS stay away.
PROBE_CC ?= clang
PROBE_LINK ?= lld-link
probe_cflags := -std=c17 -Oz -ffreestanding -fno-builtin -fshort-wchar -fno-stack-protector \
	-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror
probe_ldflags := -subsystem:efi_application -entry:efi_main -nodefaultlib -Brepro
probe_target_x64 := x86_64-unknown-windows -mno-red-zone
probe_target_aa64 := aarch64-unknown-windows
probe_boot_x64 := BOOTX64.EFI
probe_boot_aa64 := BOOTAA64.EFI
probe_efi := build/probe/probe-x64.efi build/probe/probe-aa64.efi

.PHONY: probe
probe: $(probe_efi) $(probe_efi:.efi=.img) ## build the probe (EFI, x86_64 and AArch64) and its disks

build/probe/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(PROBE_CC) $(PROBE_LINK) $(probe_cflags) $(probe_ldflags)' | cmp -s - $@ || \
		printf '%s\n' '$(PROBE_CC) $(PROBE_LINK) $(probe_cflags) $(probe_ldflags)' > $@

build/probe/probe-%.efi: image/probe/probe.c image/probe/efi.h build/probe/flags
	$(call say,PROBE,$@)
	$(Q)$(PROBE_CC) -target $(probe_target_$*) $(probe_cflags) -c -o $(@:.efi=.obj) $<
	$(Q)$(PROBE_LINK) $(probe_ldflags) -out:$@ $(@:.efi=.obj)

build/probe/probe-%.img: build/probe/probe-%.efi image/probe/disk.sh
	$(call say,DISK,$@)
	$(Q)image/probe/disk.sh $< $(probe_boot_$*) $@

# The base image (docs/IMAGE.md). Built anew when what decides it has changed, not when a file's time has.
.PHONY: image
image: build/image/base.raw ## build the base image with mkosi

build/image/inputs: FORCE
	@mkdir -p $(@D)
	@scripts/build-image.sh --inputs | cmp -s - $@ || scripts/build-image.sh --inputs > $@

# assay reads the containers' IDs, and is no part of the image: a new build of it makes no new image.
build/image/base.raw: build/image/inputs
	$(Q)scripts/deps.sh golden
	$(Q)$(MAKE) all
	$(call say,IMAGE,$@)
	$(Q)scripts/build-image.sh

# Writes into the repository, on purpose; everything else compares (scripts/check-containers.sh).
.PHONY: containers
containers: ## build the base image's containers, write their IDs into container_measurements.json
	scripts/deps.sh golden
	$(MAKE) all
	scripts/build-containers.sh
	scripts/check-containers.sh --write

# --- the jobs of a person -----------------------------------------------------------------------

# Installs what is missing first; make is started anew, because pkg-config could not answer before.
.PHONY: golden boot check bench
golden: ## the main job: build the base image, sign its golden manifest into golden/ (KEY=URI)
	scripts/deps.sh golden
	$(MAKE) all probe image
	scripts/golden.sh

# By ninja here, or RUNNER=slurm on a cluster's machines (docs/MATRIX.md). JOBS=N at a time, BATCH=N in a Slurm task.
RUNNER ?= ninja
.PHONY: golden-matrix
golden-matrix: ## images x platforms of MATRIX=FILE.yaml to manifests; RUNNER=slurm on many machines
	@[ -n '$(MATRIX)' ] || { echo 'MATRIX=FILE.yaml is missing: docs/MATRIX.md' >&2; exit 2; }
	scripts/deps.sh matrix
	@[ '$(RUNNER)' != slurm ] || command -v sbatch >/dev/null || scripts/deps.sh slurm
	$(MAKE) all
	scripts/golden-matrix.py '$(MATRIX)' --runner '$(RUNNER)' $(if $(KEY),--key '$(KEY)') $(if $(CERT),--cert '$(CERT)') $(if $(JOBS),--jobs '$(JOBS)') \
		$(if $(BATCH),--batch '$(BATCH)')

boot: ## boot the built image and compare predicted with actual PCRs (exit 3: different)
	scripts/boot.sh

# Groups of tests: `make check CHECK='unit cli'`; all without.
CHECK ?= all
check: ## every test, real boots included
	scripts/deps.sh check
	$(MAKE) WERROR=1 all probe unit-tests fuzz-bins
	@tests/run.sh $(CHECK)

bench: ## compare speed with the peers; writes build/bench.md
	scripts/deps.sh bench
	$(MAKE) all
	tests/bench/run.sh

# Under ASan and UBSan, as many targets at a time as there are cores; new inputs stay in build/fuzz-corpus.
SECONDS_EACH ?= 60
.PHONY: fuzz
fuzz: ## fuzz every parser for SECONDS_EACH (60) seconds
	scripts/deps.sh fuzz
	$(MAKE) VARIANT=fuzz CC=clang fuzz-bins
	tests/fuzz/run.sh $(SECONDS_EACH)

.PHONY: asan
asan: ## the unit tests and the corpus under ASan and UBSan
	$(MAKE) VARIANT=asan unit-tests fuzz-bins
	ASSAY_TEST_OUT=build/asan tests/run.sh unit fuzz

.PHONY: install uninstall
install: all probe ## install under PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/assay/probe $(DESTDIR)$(PREFIX)/share/assay/platforms
	install -m 755 build/assay build/assay-agent $(DESTDIR)$(PREFIX)/bin
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 644 build/$(SONAME) $(DESTDIR)$(LIBDIR)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libassay.so
	install -m 644 build/libassay.pc $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 644 include/assay.h $(DESTDIR)$(PREFIX)/include
	$(if $(PYTHONDIR),install -d $(DESTDIR)$(PYTHONDIR)/assay && install -m 644 python/assay/* $(DESTDIR)$(PYTHONDIR)/assay)
	install -m 644 $(probe_efi) $(probe_efi:.efi=.img) $(DESTDIR)$(PREFIX)/share/assay/probe
	install -m 644 golden/platforms/*.yaml $(DESTDIR)$(PREFIX)/share/assay/platforms
	for page in man/*; do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; done

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/assay $(DESTDIR)$(PREFIX)/bin/assay-agent
	rm -f $(DESTDIR)$(LIBDIR)/$(SONAME) $(DESTDIR)$(LIBDIR)/libassay.so $(DESTDIR)$(LIBDIR)/pkgconfig/libassay.pc
	rm -f $(DESTDIR)$(PREFIX)/include/assay.h
	$(if $(PYTHONDIR),rm -rf $(DESTDIR)$(PYTHONDIR)/assay)
	rm -rf $(DESTDIR)$(PREFIX)/share/assay
	for page in man/*; do rm -f $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; done

.PHONY: format format-check
c_files := $(shell git ls-files '*.c' '*.h' 2>/dev/null)
format: ## lay out the C files
	clang-format -i $(c_files)
format-check:
	clang-format --dry-run -Werror $(c_files)

.PHONY: clean
clean: ## remove what was built (not downloaded packages)
	rm -rf build/obj build/tests build/fuzz build/asan build/coverage build/tsan build/assay build/assay-agent build/libassay.* build/libattest.a

.PHONY: help
help: ## list the jobs
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
