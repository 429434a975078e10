/* In: the settings.  Out: one test notice on each channel, numbered 0 so that no receiver takes a real one for its repetition, at once and
 * past the queues, and a line on each: confirmed, to be hoped for, or
 * failed and why. */
#include <stdlib.h>

#include "alert/alert.h"
#include "alert/engine.h"

static bool test_one(const struct courier_spec *spec, const struct notice *n, FILE *to)
{
    static const char *const words[] = {[DELIVERY_CONFIRMED] = "confirmed",
        [DELIVERY_HOPED] = "sent, to be hoped for",
        [DELIVERY_FAILED] = "FAILED",
        [DELIVERY_REFUSED] = "FAILED"};
    struct reason why = {""};
    atomic_bool stop = false;
    enum delivery d = DELIVERY_FAILED;
    void *receiver = spec->kind->open(spec->section, &why);
    int64_t began = clock_monotonic();
    if (receiver) {
        d = spec->kind->send(receiver, n, &stop, &why);
        spec->kind->close(receiver);
    }
    int64_t took = (clock_monotonic() - began) / 1000000;
    fprintf(to, "%s: %s (%s; %lld ms)\n", spec->route->name, words[d], why.text, (long long)took);
    return d == DELIVERY_CONFIRMED || d == DELIVERY_HOPED;
}

bool alert_test(const struct alert_settings *settings, const char *state_directory, FILE *to)
{
    struct reason why = {""};
    struct courier_spec specs[ALERT_CHANNELS];
    size_t count = courier_specs(settings, specs);
    if (!alert_settings_check(settings, &why)) {
        fprintf(to, "%s\n", why.text);
        return false;
    }
    if (count == 0) {
        fputs("no channel is configured: no alarm would reach anybody\n", to);
        return false;
    }
    struct store *store = store_open(state_directory, &why);
    if (!store || !alert_engine_start(settings, store, false, false, &why)) {
        fprintf(to, "%s\n", why.text);
        store_close(store);
        return false;
    }
    if (why.text[0])
        fprintf(to, "warning: %s\n", why.text);
    bool good = true;
    char sensor[64];
    alert_sensor_name(settings, sensor, sizeof sensor);
    struct notice *n =
        notice_new_own(NOTICE_TEST, 0, clock_now(), sensor, SEVERITY_NOTICE, "", false, "this is a test: no storm");
    for (size_t i = 0; n && i < count; i++)
        good = test_one(&specs[i], n, to) && good;
    const struct engine_spec *engine = engine_spec();
    if (engine->id_length) {
        fputs("SNMP engine id of this sensor, for createUser -e: 0x", to);
        for (size_t i = 0; i < engine->id_length; i++)
            fprintf(to, "%02x", engine->id[i]);
        fputc('\n', to);
    }
    engine_stop();
    notice_free(n);
    store_close(store);
    return good;
}
