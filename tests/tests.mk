# Everything `make check` runs.  A unit test is tests/unit/NAME_test.c: cmocka, linked with the rooms.
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/*_test.c))

$(B)/tests/unit/%: tests/unit/%.c $(LIBS)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -o $@ $< $(LIBS) $(PKG_LIBS) -lcmocka -lm
-include $(UNIT:%=%.d)

unit: $(UNIT) ## unit tests
	$(Q)set -e; for t in $(UNIT); do echo "$$t"; $$t; done
.PHONY: unit
