# Every kind of test is a target of its own (`make corpus`, `make BUILD=asan unit`); `make check` runs them all and adds up.
# A unit test is tests/unit/NAME_test.c: cmocka, linked with the rooms.  A fuzz harness is tests/fuzz/NAME_fuzz.c.
UNIT  := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/*_test.c))
TOOL  := $(patsubst tests/tools/%.c,$(B)/tests/tools/%,$(wildcard tests/tools/*.c))
# programs of several files: a directory each
SCRIPT := $(if $(wildcard tests/script/*.c),$(B)/tests/script/script)
SIM    := $(if $(wildcard tests/sim/*.c),$(B)/tests/sim/sim)
ALERT_DRIVER := $(B)/tests/alert/driver
FUZZ  := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
PCAPS := $(patsubst tests/pcaps/src/%.dialogue,$(B)/tests/pcaps/%.pcap,$(wildcard tests/pcaps/src/*.dialogue))
SMOKE_SECONDS ?= 60
FUZZ_SECONDS  ?= 1800
SIM_SEEDS     ?= 200
export ASAN_OPTIONS := detect_stack_use_after_return=1
export UBSAN_OPTIONS := print_stacktrace=1

# the tools that write captures know nothing of the rooms they test
WRITER := $(B)/tests/tools/dialogue $(B)/tests/tools/morph
$(WRITER): $(B)/%: %.c $(B)/base.a
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -MT $@ -o $@ $< $(B)/base.a $(PKG_LIBS)

$(SCRIPT): $(patsubst %.c,$(B)/%.o,$(wildcard tests/script/*.c)) $(LIBS)
$(SIM): $(patsubst %.c,$(B)/%.o,$(wildcard tests/sim/*.c)) $(LIBS)
$(ALERT_DRIVER): $(B)/tests/alert/driver.o $(LIBS)
$(SCRIPT) $(SIM) $(ALERT_DRIVER):
	$(call say,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^) $(PKG_LIBS) -lm

$(UNIT) $(filter-out $(WRITER),$(TOOL)): $(B)/%: %.c $(LIBS)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -MT $@ -o $@ $< $(filter %.o,$^) $(LIBS) $(PKG_LIBS) $(if $(findstring /unit/,$@),-lcmocka) -lm
$(B)/tests/unit/wishes_test: $(B)/worker.o

$(FUZZ:%=$(B)/tests/fuzz/%): $(B)/tests/fuzz/%: tests/fuzz/%_fuzz.c $(LIBS)
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -MMD -MP -MT $@ -o $@ $< $(LIBS) $(PKG_LIBS) -lm

$(PCAPS): $(B)/tests/pcaps/%.pcap: tests/pcaps/src/%.dialogue $(B)/tests/tools/dialogue
	$(Q)mkdir -p $(@D)
	$(Q)$(B)/tests/tools/dialogue $< $@
-include $(UNIT:%=%.d) $(TOOL:%=%.d) $(wildcard $(B)/tests/bench/*.d $(B)/tests/script/*.d $(B)/tests/sim/*.d $(B)/tests/alert/*.d) $(FUZZ:%=$(B)/tests/fuzz/%.d)

unit: $(UNIT) ## unit tests
	$(Q)tests/run-unit $(UNIT)

script: $(SCRIPT) ## detector scenarios, tests/script/*.storm
	$(Q)$(SCRIPT) $(wildcard tests/script/*.storm)

sim: $(SIM) ## random mail worlds: are the re-injectors named, all and only they; is the next round foretold
	$(Q)$(SIM) --seeds $(SIM_SEEDS)

pcaps: $(B)/squall $(PCAPS) ## dialogues made into packets, against their .expect
	$(Q)tests/run-pcaps $(B)/squall $(B)/tests/pcaps

alert-check: $(B)/squall $(ALERT_DRIVER) ## alarms that arrive: against real snmptrapd, snmpd, rsyslogd, Alertmanager, a bad webhook
	$(Q)tests/alone tests/alert/run $(B)/squall $(ALERT_DRIVER)

privacy-check: $(B)/squall $(B)/tests/tools/dialogue ## planted addresses, subjects and passwords are found nowhere they should not be
	$(Q)tests/alone tests/privacy/run $(B)/squall $(B)/tests/tools/dialogue

web-check: $(B)/squall $(B)/tests/pcaps/markup.pcap ## the dashboard's HTTP: every path, and what must be refused, by curl
	$(Q)tests/alone tests/web/run $(B)/squall $(B)/tests/pcaps/markup.pcap

load: $(B)/squall ## the dashboard under load beside a storm on the wire: wrk, slow readers, half requests, garbage, followers (root)
	$(Q)tests/load/run $(B)/squall

watch-check: $(B)/squall $(PCAPS) ## the appliance: live in a network namespace, its processes killed, stopped, without a disk (root)
	$(Q)tests/watch/run $(B)/squall $(B)/tests/pcaps

corpus: $(B)/squall ## the public captures of ../shared/corpus
	$(Q)tests/run-corpus $(B)/squall

storms: $(B)/squall ## storms recorded with real mail servers: ours, and those of ../shared/storms
	$(Q)tests/run-storms $(B)/squall

split: $(B)/tests/tools/split $(PCAPS) ## a stream in any cuts gives the same transactions
	$(Q)EVERY=$(if $(filter asan,$(BUILD)),6,1) tests/run-split $(B)/tests/tools/split $(PCAPS)

metamorphic: $(B)/squall $(B)/tests/tools/morph $(PCAPS) ## doubled, reordered, tagged, translated and thinned captures
	$(Q)tests/run-metamorphic $(B)/squall $(B)/tests/tools/morph $(PCAPS)

valgrind: $(B)/squall $(PCAPS) ## memory errors and leaks on a sample of captures
	$(Q)tests/run-valgrind $(B)/squall $(PCAPS)

cli: $(B)/squall $(B)/tests/tools/morph $(PCAPS) ## what a wrong option, a missing or broken file answers; make install
	$(Q)tests/run-cli $(B)/squall $(B)/tests/pcaps

headers includes lines cppcheck tidy: ## (each) a lint
	$(Q)CC="$(CC)" CFLAGS='$(ALL_CFLAGS)' tests/lint/$@

tidy-1 tidy-2: tidy-%: # half of it each
	$(Q)PART=$* CC="$(CC)" CFLAGS='$(ALL_CFLAGS)' tests/lint/tidy

LINTS := headers includes lines cppcheck tidy
lint: $(LINTS) ## headers alone, include direction, lines, cppcheck, clang-tidy

smoke-%: $(B)/tests/fuzz/%
	$(Q)tests/run-fuzz $< $(SMOKE_SECONDS) $(B)/fuzz/$*
fuzz: ## every harness for FUZZ_SECONDS, two at a time
	$(Q)$(MAKE) --no-print-directory -k -j2 BUILD=fuzz SMOKE_SECONDS=$(FUZZ_SECONDS) $(FUZZ:%=smoke-%)

BENCH := $(addprefix $(B)/tests/bench/,generate bare measure blast)
$(BENCH): $(B)/%: %.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -MT $@ -o $@ $< -lpcap
bench: $(B)/squall $(BENCH) ## wall time against a bare pcap loop (KINDS="mixed small", RUNS, BYTES)
	$(Q)tests/bench/run $(B)/squall $(B)/tests/bench $(KINDS)

# a room alone: tests/bench/NAME_bench.c
ROOM_BENCH := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(wildcard tests/bench/*_bench.c))
$(ROOM_BENCH): $(B)/%: %.c $(LIBS)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -MT $@ -o $@ $< $(LIBS) $(PKG_LIBS) -lm
ledger-bench: $(B)/tests/bench/ledger_bench ## deliveries a second through keys, twins and ledger, with ten million keys
	$(Q)$< $(KEYS)
capture-bench: $(B)/tests/bench/capture_bench ## what capture/ alone costs a packet (FILES="mixed.pcap ...")
	$(Q)for file in $(FILES); do echo "$$file"; $< $$file || exit; done
dissect-bench: $(B)/tests/bench/dissect_bench ## what smtpdissect/ alone costs a mail and an open connection (FILES="small.pcap ...")
	$(Q)for file in $(FILES); do echo "$$file"; $< $$file || exit; done
stats-bench: $(B)/tests/bench/stats_bench ## what stats/ costs a mail, and each detector of it (FILES="small.pcap ...")
	$(Q)for file in $(FILES); do echo "$$file"; $< $$file || exit; done
bench-live: $(B)/squall $(BENCH) $(B)/tests/bench/capture_bench ## a mirror port under load, on a veth pair (root; KIND, BYTES, SENDERS, RATE)
	$(Q)tests/bench/live/run $(B)/squall $(B)/tests/bench

browser: $(B)/squall $(B)/tests/pcaps/markup.pcap ## the pages in a real browser; screenshots to look at
	$(Q)tests/browser/fetch $(B)/browser
	$(Q)tests/alone tests/browser/run $(B)/squall $(B)/browser $(B)/tests/pcaps

lab: $(B)/squall ## record real Postfix, Exim and OpenSMTPD in network namespaces and compare with their logs (root)
	$(Q)tests/lab/run $(B)/squall $(OUT)/lab

build-all: $(if $(filter fuzz,$(BUILD)),$(OBJ) $(MAIN_OBJ) $(FUZZ:%=$(B)/tests/fuzz/%),all $(UNIT) $(TOOL) $(SCRIPT) $(SIM) $(ALERT_DRIVER) $(if $(filter release,$(BUILD)),$(BENCH) $(ROOM_BENCH)) $(PCAPS))

# `make check`: its own tree (warnings are errors there), four steps at a time on two cores, for many wait more than they work.  A step NAME is
# `make TARGET`; BUILD is the word before its dash.  They begin in this order: the longest first, those that wait beside those that work.
BUILDS := release-build-all asan-build-all fuzz-build-all
TIDY   := release-tidy-1 release-tidy-2
WAITS  := release-watch-check release-alert-check asan-alert-check asan-web-check release-web-check release-privacy-check release-load
WORKS  := asan-unit release-metamorphic asan-split release-valgrind release-unit asan-corpus release-sim
SHORT  := asan-storms release-split release-corpus release-storms release-cppcheck asan-script asan-pcaps release-script release-pcaps release-cli \
          release-headers release-includes release-lines
STEPS  := $(TIDY) release-browser $(foreach i,1 2 3 4 5 6 7,$(word $(i),$(WAITS)) $(word $(i),$(WORKS))) $(FUZZ:%=fuzz-smoke-%) $(SHORT)
UNBUILT := $(TIDY) release-cppcheck release-headers release-includes release-lines
RESULTS = $(OUT)/results
check: ## everything, about a quarter of an hour on two cores; last line: N passed, N failed
	$(Q)packaging/deps.sh check
	$(Q)rm -rf $(OUT)/check/results
	$(Q)$(MAKE) --no-print-directory -k -j4 CI=1 BUILD=release OUT=$(OUT)/check SIM_SEEDS=$(or $(CHECK_SEEDS),30) FUZZ_SEED=1 check-steps
	$(Q)tests/summary $(OUT)/check/results $(BUILDS) $(STEPS)
check-steps: $(TIDY:%=step-%) $(BUILDS:%=step-%) $(STEPS:%=step-%)
$(foreach build,release asan fuzz,$(eval $(patsubst %,step-%,$(filter-out $(UNBUILT),$(filter $(build)-%,$(STEPS)))): | step-$(build)-build-all))
step-%:
	$(Q)tests/step $(RESULTS) $* $(MAKE) --no-print-directory BUILD=$(firstword $(subst -, ,$*)) $(patsubst release-%,%,$(patsubst asan-%,%,$(patsubst fuzz-%,%,$*)))

.PHONY: load watch-check unit script sim pcaps alert-check web-check privacy-check corpus storms split metamorphic valgrind cli lint $(LINTS) fuzz bench ledger-bench stats-bench capture-bench bench-live browser lab build-all tidy-1 tidy-2 check check-steps
