/* The tree: every host once, below the one that fed it first; circles end; folding hides no re-injector behind a relay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/tree.h"
#include "stats/tree_text.h"
#include "tests/unit/sample_storm.h"

static char *text_of(const struct storm *s, bool utf8)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    tree_text_write(s, 2, utf8, f);
    fclose(f);
    return text;
}

static void draws_the_bank(void **state)
{
    (void)state;
    struct sample_storm *x = sample_reinjection();
    char *text = text_of(&x->storm, false);
    assert_string_equal(text, "  mail.bank.test (10.3.0.10)  origin: 18 copies, 58 deliveries\n"
                              "  |- mail.provider3.test (10.3.2.10)  relay: 1 copy, 1 delivery (only Received lines name it)\n"
                              "  |  `. server.company3.test (10.3.3.10)  RE-INJECTS: 200 copies, 620 deliveries, 620 again\n"
                              "  |     |- other mailboxes: 155 copies, 618 deliveries, 618 again\n"
                              "  |     `- back to 1 host of this tree: 1 copy, 2 deliveries, 2 again\n"
                              "  |- mail.provider1.test (10.3.1.10)  relay: 1 copy, 1 delivery (only Received lines name it)\n"
                              "  |  `. server.company1.test (10.3.4.10)  RE-INJECTS: 160 copies, 540 deliveries, 540 again\n"
                              "  |     `- other mailboxes: 135 copies, 538 deliveries, 538 again\n"
                              "  `- other mailboxes: 15 copies, 56 deliveries\n");
    free(text);
    text = text_of(&x->storm, true);
    assert_non_null(strstr(text, "\u2502  \u2514\u2504 server.company3.test"));
    free(text);
    free(x);
}

static void circles_end(void **state)
{
    (void)state;
    struct sample_storm *x = sample_reinjection();
    x->storm.edge_count = 0;
    for (uint32_t i = 0; i < 5; i++) {
        x->hosts[i].role = ROLE_LOOPER;
        sample_edge(x, (int32_t)i, (int32_t)((i + 1) % 5), 10, 9, true);
        sample_edge(x, (int32_t)i, (int32_t)i, 1, 1, true); /* to itself */
        x->edges[i * 2].first = TIME_UNKNOWN;
    }
    struct tree *t = tree_new(&x->storm, 12);
    uint32_t hosts = 0;
    for (uint32_t i = 0; i < t->count; i++)
        hosts += t->node[i].kind == TREE_HOST;
    assert_int_equal(hosts, 5);
    assert_int_equal(t->node[4].depth, 4);
    assert_int_equal(t->node[t->count - 1].kind, TREE_AGAIN); /* the last feeds the first */
    free(t);
    free(x);
}

static void folding_keeps_the_faulty(void **state)
{
    (void)state;
    struct sample_storm *x = sample_reinjection();
    x->storm.edge_count = 0;
    while (x->storm.host_count < STORM_HOSTS)
        sample_host(x, (uint8_t)x->storm.host_count, "leaf", ROLE_RELAY, true);
    for (int32_t i = 1; i < STORM_HOSTS; i++)
        if (i != 3)
            sample_edge(x, 0, i, 1, 0, true);
    sample_edge(x, 200, 3, 1, 0, true); /* the re-injector hangs below one of many relays */
    struct tree *t = tree_new(&x->storm, 5);
    bool there = false;
    uint32_t shown = 0, folded = 0, faulty = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        shown += t->node[i].kind == TREE_HOST;
        folded += t->node[i].kind == TREE_MORE ? t->node[i].hosts : 0;
        faulty += t->node[i].faulty;
        there = there || (t->node[i].kind == TREE_HOST && t->node[i].host == 3);
    }
    assert_true(there);
    assert_int_equal(shown + folded, STORM_HOSTS);
    assert_int_equal(faulty, 0);
    free(t);
    free(x);
}

/* Any graph: each host once, parents before children. */
static void any_graph(void **state)
{
    (void)state;
    uint32_t seed = 7;
    struct sample_storm *x = sample_reinjection();
    while (x->storm.host_count < STORM_HOSTS)
        sample_host(x, (uint8_t)x->storm.host_count, "h", (enum storm_role)(x->storm.host_count % 5), true);
    for (int round = 0; round < 30; round++) {
        x->storm.edge_count = 0;
        for (int i = 0; i < STORM_EDGES; i++) {
            seed = seed * 1664525 + 1013904223;
            sample_edge(x, (int32_t)((seed >> 8) % 256) - (round % 2), (int32_t)((seed >> 20) % 257) - 1, seed % 9, seed % 3, seed & 1);
            x->edges[i].first = (int64_t)(seed >> 16);
        }
        struct tree *t = tree_new(&x->storm, (uint32_t)round);
        uint32_t total = 0;
        for (uint32_t i = 0; i < t->count; i++) {
            assert_true(t->node[i].parent < (int32_t)i);
            total += t->node[i].kind == TREE_HOST ? 1 : t->node[i].kind == TREE_MORE ? t->node[i].hosts : 0;
        }
        assert_int_equal(total, STORM_HOSTS);
        free(t);
    }
    free(x);
}

static void hostile_names_stay_in_their_line(void **state)
{
    (void)state;
    struct sample_storm *x = sample_hostile();
    SAMPLE_TEXT(x->hosts[0].name, "a\nb\x1b[2J\xff");
    char *text = text_of(&x->storm, true);
    assert_non_null(strstr(text, "a?b?[2J? (10.3.0.10)"));
    free(text);
    x->storm.host_count = 0;
    text = text_of(&x->storm, true);
    assert_string_equal(text, "");
    free(text);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(draws_the_bank), cmocka_unit_test(circles_end),
        cmocka_unit_test(folding_keeps_the_faulty), cmocka_unit_test(any_graph), cmocka_unit_test(hostile_names_stay_in_their_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
