// Batches at random, of few rows, so that nearly everything that can meet does: what sets do must be what single calls do.
#include "twin.h"

#include <stdio.h>

enum { BATCHES = 60, CALLS_MAX = 40, JOBS = 9, STEPS = 12 };

struct dice {
    uint64_t state;
};

static unsigned below(struct dice *dice, unsigned n) // xorshift64*
{
    dice->state ^= dice->state >> 12;
    dice->state ^= dice->state << 25;
    dice->state ^= dice->state >> 27;
    return (unsigned)((dice->state * 0x2545f4914f6cdd1du) >> 33) % n;
}

static const char *one_of(struct dice *dice, const char *const *items)
{
    unsigned count = 0;
    while (items[count])
        count++;
    return items[below(dice, count)];
}

// Values are few, so that bases are often what is stored and often not.
static const char *const job_values[] = {
    "\"title\":\"A\"", "\"title\":\"B\"", "\"title\":\"Much too long for a title, and so refused\"", "\"hours\":1", "\"hours\":0", "\"state\":\"new\"",
    "\"state\":\"open\"", "\"state\":\"done\"", "\"budget\":\"1\"", "\"budget\":\"1.00\"", "\"budget\":\"-1\"", "\"place\":\"north\"",
    "\"place\":\"south\"", "\"is_hidden\":true", "\"is_hidden\":false", "\"owner_id\":\"bob\"", "\"owner_id\":\"nobody\"", "\"code\":\"x\"",
    "\"code\":\"y\"", "\"notes\":\"n\"", "\"labels\":[\"l\"]", "\"starts_on\":\"2026-01-02\"", "\"ends_on\":\"2026-01-01\"", "\"ends_on\":\"2026-01-09\"",
    "\"closed_at\":\"2026-01-02T00:00:00Z\"", "\"score\":1", "\"settings\":\"{}\"", NULL};
static const char *const step_values[] = {"\"title\":\"A\"", "\"title\":\"B\"", "\"rank\":1", "\"rank\":2", "\"job_id\":\"j1\"", "\"job_id\":\"j2\"",
                                          "\"parent_id\":\"s1\"", "\"parent_id\":\"s2\"", NULL};

// A base says what the edit was made on: often the present value, now and then another one or none.
static void add_job(struct twin *twin, struct dice *dice, unsigned row, unsigned kind)
{
    const char *set = one_of(dice, job_values), *base = one_of(dice, job_values);
    bool is_same = strncmp(set, base, strcspn(set, ":")) == 0;
    if (kind < 2)
        twin_call(twin, "Job/Create", "{\"id\":\"j%u\",\"title\":\"A\",\"place\":\"%s\"%s}", row, below(dice, 2) ? "north" : "south",
                  below(dice, 4) ? "" : ",\"code\":\"x\"");
    else if (kind < 3)
        twin_call(twin, "Job/Delete", "{\"key\":{\"id\":\"j%u\"}}", row);
    else if (is_same || below(dice, 2))
        twin_call(twin, "Job/Update", "{\"key\":{\"id\":\"j%u\"},\"set\":{%s},\"base\":{%s}}", row, set, is_same ? base : "\"title\":\"A\"");
    else
        twin_call(twin, "Job/Update", "{\"key\":{\"id\":\"j%u\"},\"set\":{\"title\":\"%c\"},\"base\":{\"title\":\"%c\"}}", row,
                  "AB"[below(dice, 2)], "AB"[below(dice, 2)]);
}

static void add_step(struct twin *twin, struct dice *dice, unsigned row, unsigned kind)
{
    if (kind < 4)
        twin_call(twin, "Step/Create", "{\"id\":\"s%u\",\"job_id\":\"j%u\",\"title\":\"A\"}", row, below(dice, JOBS + 1));
    else if (kind < 5)
        twin_call(twin, "Step/Delete", "{\"key\":{\"id\":\"s%u\"}}", row);
    else if (kind < 6)
        twin_call(twin, "Step/Update", "{\"key\":{\"id\":\"s%u\"},\"set\":{%s},\"base\":{\"title\":\"A\"}}", row, one_of(dice, step_values));
    else
        twin_call(twin, "Step/Update", "{\"key\":{\"id\":\"s%u\"},\"set\":{\"title\":\"%c\"},\"base\":{\"title\":\"%c\"}}", row,
                  "AB"[below(dice, 2)], "AB"[below(dice, 2)]);
}

// Runs of one kind on rows in order, as people make them, with now and then something else between.
static void add_run(struct twin *twin, struct dice *dice)
{
    unsigned kind = below(dice, 12), length = 1 + below(dice, 12), first = below(dice, 20);
    bool is_job = below(dice, 2);
    unsigned tame = below(dice, 40);
    for (unsigned i = 0; i < length && twin->count < CALLS_MAX; i++) {
        unsigned odd = below(dice, 1 + tame) == 0 ? below(dice, 12) : kind;
        if (is_job)
            add_job(twin, dice, (first + i) % JOBS, odd);
        else
            add_step(twin, dice, (first + i) % STEPS, odd);
    }
}

static void sets_do_what_single_calls_do(void **state)
{
    struct twin twin;
    struct dice dice = {0x9e3779b97f4a7c15u};
    int sets = 0, verdicts[5] = {0};
    (void)state;
    twin_open(&twin);
    for (int batch = 0; batch < BATCHES; batch++) {
        while (twin.count < CALLS_MAX)
            add_run(&twin, &dice);
        size_t count = twin.count;
        twin.without_replies = batch % 2;
        twin_push(&twin);
        sets += twin.servers[TWIN_SETS].sets;
        assert_int_equal(twin.servers[TWIN_SINGLES].sets, 0);
        for (size_t i = 0; i < count; i++)
            verdicts[((const struct charle_verdict *const *)twin.servers[TWIN_SETS].reply.verdict.items)[i]->kind]++;
    }
    print_message("%d applied, %d merged, %d rejected; %d sets\n", verdicts[CHARLE_APPLIED], verdicts[CHARLE_MERGED],
                  verdicts[CHARLE_REJECTED], sets);
    // The batches were not tame, and sets were at work.
    assert_true(verdicts[CHARLE_APPLIED] > 300 && verdicts[CHARLE_MERGED] > 100 && verdicts[CHARLE_REJECTED] > 300);
    assert_true(sets > 200);
    twin_close(&twin);
}

int random_tests(void);
int random_tests(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sets_do_what_single_calls_do)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
