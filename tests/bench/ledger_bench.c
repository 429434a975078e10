/* How many deliveries a second keys, twins and ledger take on one core, and in what memory: first new mails only, then, with all of them
 * known, a mix of new and seen ones, then one storm.  `ledger_bench [KEYS [MEMORY]]`: 10,000,000 keys in 1,024 MiB. */
#include <sys/resource.h>

#include "stats/ledger.h"
#include "stats/memory.h"
#include "stats/twin.h"
#include "tests/unit/post.h"

static struct ledger *books;
static struct twins *twins;
static struct post p;
static uint64_t deliveries, redeliveries;

static void file(void)
{
    struct key k = key_of(&p.t);
    ledger_expect(books, &k);
    if (twin_check(twins, &p.t, &k) == TWIN_COUNTED)
        return;
    struct ledger_entry e = ledger_deliver(books, &p.t, &k);
    deliveries += e.deliveries;
    redeliveries += e.redeliveries;
}

static void mail(uint64_t number, uint32_t client)
{
    p.t.connection++;
    unsigned long long odd = number * 0x9e3779b97f4a7c15u;
    p.t.header.message_id.n = (size_t)snprintf(p.id, sizeof p.id, "%016llx@shop.example", odd);
    p.t.end += 100000;
    p.t.data_end = p.t.end - 50000;
    p.t.mail_time = p.t.end - 90000;
    p.t.client.address = post_address(client);
    p.t.client.port = (uint16_t)p.t.connection;
    p.t.header.date = p.t.end / POST_SECOND * POST_SECOND;
    p.recipient[0].hash = hash_pair(number % 100000, 0);
    p.hop[0].hash = number; /* its queue id and time at the first server */
    file();
}

static double spent(const struct rusage *use) /* seconds of this core, whoever else is on the machine */
{
    return (double)(use->ru_utime.tv_sec + use->ru_stime.tv_sec) + (double)(use->ru_utime.tv_usec + use->ru_stime.tv_usec) * 1e-6;
}

static void tell(const char *what) /* since the last time it was called */
{
    static struct rusage before;
    static uint64_t deliveries_before;
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    printf("%-28s %9.0f deliveries/s", what, (double)(deliveries - deliveries_before) / (spent(&use) - spent(&before)));
    printf("   %zu short, %zu full, %zu MiB kept, %ld MiB resident\n", ledger_short(books), ledger_full(books), ledger_bytes(books) >> 20,
           use.ru_maxrss >> 10);
    before = use;
    deliveries_before = deliveries;
}

int main(int argc, char **argv)
{
    uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000, evicted = 0;
    int64_t mib = argc > 2 ? strtoll(argv[2], NULL, 10) : 1024;
    struct memory *memory = memory_new();
    if (!memory)
        return 1;
    books = ledger_new(memory, mib << 20, INT64_MAX, &evicted);
    twins = twins_new();
    if (!books || !twins)
        return 1;
    post_begin(&p, "", 1, 2, 0);
    post_to(&p, 0, 1);
    post_hop(&p, 1, 9);
    post_hop(&p, 2, 9);
    p.t.header.message_id = span_text(p.id);

    for (uint64_t i = 0; i < keys; i++)
        mail(i, (uint32_t)(i % 5000));
    tell("new mails");

    for (uint64_t i = 0; i < keys / 5; i++)
        mail(i % 10 ? keys + i : hash_pair(i, 1) % keys, (uint32_t)(i % 5000)); /* a tenth are second copies */
    tell("a tenth of them seen before");

    p.t.recipient_count = 0;
    post_to(&p, 0, 100);
    post_audience(&p, 0, 500);
    for (uint32_t i = 0; i < 20000; i++) { /* thirty connectors, 100 recipients a copy */
        p.t.header.hop_count = 1;
        post_hop(&p, 100 + i % 30, 9);
        post_hop(&p, 1000 + i % 3000, 9);
        mail(UINT64_MAX, 100 + i % 30);
    }
    tell("a storm of 500 people");
    printf("%llu deliveries, %llu redeliveries, %llu records forgotten\n", (unsigned long long)deliveries, (unsigned long long)redeliveries,
           (unsigned long long)evicted);
    twins_free(twins);
    ledger_free(books);
    memory_free(memory);
    return 0;
}
