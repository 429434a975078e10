# Squall.  `make help` lists the targets.  No configure step: pkg-config finds the libraries, `make deps` installs them on Debian 12 and later.
BUILD ?= release
OUT   ?= build
B     := $(OUT)/$(BUILD)
ifeq ($(origin CC),default)
CC    := gcc
endif
PKGS   := libpcap libndpi libconfuse libxxhash libzstd zlib jansson sqlite3 netsnmp libcurl openssl libmicrohttpd librrd libseccomp
ROOMS  := base capture smtpdissect stats alert web watch
VERSION := 0.1
prefix  ?= /usr/local

WARN   := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wcast-qual -Wvla -Wno-format-nonliteral
# runs on every x86-64, but is made for those of the last ten years: for older ones a struct is cleared by "rep stos", slow to begin
TUNE := $(if $(filter x86_64%,$(shell $(CC) -dumpmachine)),-mtune=skylake)
CFLAGS_release := -O2 $(TUNE) -D_FORTIFY_SOURCE=2
CFLAGS_debug   := -O0 -g3
CFLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_tsan    := -O1 -g -fsanitize=thread
CFLAGS_cov     := -O0 -g --coverage
CFLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ifeq ($(BUILD),fuzz)
override CC := clang
endif
CFLAGS ?= -g
ALL_CFLAGS  = -std=c17 -D_GNU_SOURCE -DSQUALL_VERSION='"$(VERSION)"' -I. $(WARN) $(if $(CI),-Werror) -fstack-protector-strong -fPIE \
              $(CFLAGS) $(CFLAGS_$(BUILD)) $(PKG_CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(filter -fsanitize=address$(,)undefined -fsanitize=thread --coverage -fsanitize=fuzzer-no-link$(,)address$(,)undefined,$(CFLAGS_$(BUILD))) $(LDFLAGS)
, := ,
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null | sed 's/-I/-isystem /g')
# librrd, libcurl, libmicrohttpd and libnetsnmpagent are loaded when they are needed: base/late.h
PKG_LIBS   := $(filter-out -lrrd -lcurl -lmicrohttpd,$(shell pkg-config --libs $(PKGS) 2>/dev/null)) -lcrypt

ROOM_SRC := $(foreach r,$(ROOMS),$(wildcard $(r)/*.c))
MAIN_SRC := $(wildcard *.c)
OBJ      := $(ROOM_SRC:%.c=$(B)/%.o)
MAIN_OBJ := $(MAIN_SRC:%.c=$(B)/%.o)
# right to left: each room may use those before it
LIBS     := $(B)/watch.a $(B)/web.a $(B)/alert.a $(B)/stats.a $(B)/smtpdissect.a $(B)/capture.a $(B)/base.a

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

all: $(B)/squall ## build the program (build/release/squall)

$(B)/squall: $(MAIN_OBJ) $(LIBS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(MAIN_OBJ) $(LIBS) $(PKG_LIBS) -lm

$(B)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# the pages of the web room are part of the program
DYGRAPHS ?= /usr/share/javascript/dygraphs/dygraph.min.js
$(B)/web/static_files.c: web/embed.sh $(wildcard web/static/*) $(DYGRAPHS)
	$(call say,EMBED,$@)
	$(Q)mkdir -p $(@D)
	$(Q)web/embed.sh $(wordlist 2,$(words $^),$^) >$@.new && mv $@.new $@
$(B)/web/static_files.o: $(B)/web/static_files.c web/static.h
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<
$(B)/web.a: $(B)/web/static_files.o

define room_archive
$(B)/$(1).a: $(patsubst %.c,$(B)/%.o,$(wildcard $(1)/*.c))
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_archive,$(r))))

deps: ## install with apt what is missing to build
	$(Q)packaging/deps.sh build

# A terminal keeps the dashboard until ctrl-C; without one the replay ends by itself.
run: deps ## install what is missing, build, and watch: a storm replayed, or the mirror port on IFACE=eth1; the dashboard is on port 8025
	$(Q)$(MAKE) --no-print-directory all
	$(B)/squall watch $(if $(IFACE),-i $(IFACE),-r tests/pcaps/storms/a60.pcap.zst --speed 0.5 $$(test -t 1 && echo --stay))

install: all ## into $(DESTDIR)$(prefix)
	install -D -m 755 $(B)/squall $(DESTDIR)$(prefix)/bin/squall
	install -D -m 644 doc/squall.1 $(DESTDIR)$(prefix)/share/man/man1/squall.1
	install -D -m 644 README.md $(DESTDIR)$(prefix)/share/doc/squall/README.md
	install -D -m 644 squall.conf $(DESTDIR)$(prefix)/share/doc/squall/squall.conf
	install -D -m 644 mibs/SQUALL-MIB.txt $(DESTDIR)$(prefix)/share/snmp/mibs/SQUALL-MIB.txt
	for f in README.md prometheus/squall.rules.yml snmptrapd/snmptrapd.conf snmptrapd/squall-trap; do \
	    install -D -m 644 packaging/$$f $(DESTDIR)$(prefix)/share/doc/squall/packaging/$$f; done
	install -D -m 644 packaging/squall.service $(DESTDIR)$(prefix)/lib/systemd/system/squall.service

uninstall: ## what install put there
	rm -f $(DESTDIR)$(prefix)/bin/squall $(DESTDIR)$(prefix)/share/man/man1/squall.1 $(DESTDIR)$(prefix)/lib/systemd/system/squall.service
	rm -f $(DESTDIR)$(prefix)/share/snmp/mibs/SQUALL-MIB.txt
	rm -rf $(DESTDIR)$(prefix)/share/doc/squall

include tests/tests.mk

clean: ## remove what was built
	rm -rf $(OUT)

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.PHONY: all clean help deps run install uninstall
-include $(OBJ:.o=.d) $(MAIN_OBJ:.o=.d)
