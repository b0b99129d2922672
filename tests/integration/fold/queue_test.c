// The queue of a fold by itself: who gets how many items, how many transactions run at a time, which methods fold. Time is given.
#include "../charled/test.h"
#include "server/fold.h"

enum { MS = 1000 };

struct probe {
    struct ch_fold *fold;
    int asked;      // for threads, so far
    bool has_none;  // there are none
    int items[200]; // what is pushed: pointers into it
};

static bool ask(void *ctx)
{
    struct probe *probe = ctx;
    probe->asked += !probe->has_none;
    return !probe->has_none;
}

static void open_fold(struct probe *probe, uint32_t transactions, uint32_t queue)
{
    struct charle_error err = {0};
    *probe = (struct probe){0};
    const struct ch_fold_options options = {.transactions_max = transactions, .queue_max = queue, .ask = ask, .ctx = probe};
    assert_ok(ch_fold_new(&options, &probe->fold, &err), &err);
}

static void push(struct probe *probe, int count)
{
    for (int i = 0; i < count; i++)
        assert_true(ch_fold_push(probe->fold, &probe->items[i], 0));
}

static size_t take(struct probe *probe, struct ch_fold_run *run, int64_t now_us)
{
    void *items[CH_FOLD_CALLS_MAX];
    return ch_fold_take(probe->fold, run, items, now_us);
}

static void finish(struct probe *probe, struct ch_fold_run *run, const struct ch_fold_report *report)
{
    assert_false(ch_fold_done(probe->fold, run, report, 0));
}

static const struct ch_fold_report waited = {.count = 9, .total_us = 4000, .waited_us = 2000};
static const struct ch_fold_report clean = {.count = 9, .total_us = 4000, .waited_us = 100};
static const struct ch_fold_report single = {.count = 1};

static void a_call_that_meets_nobody_begins_at_once(void **state)
{
    (void)state;
    struct probe probe;
    struct ch_fold_run run, other;
    open_fold(&probe, 4, 100);
    push(&probe, 1);
    assert_int_equal(probe.asked, 1);
    assert_int_equal(take(&probe, &run, 0), 1);
    push(&probe, 1); // beside one that runs
    assert_int_equal(probe.asked, 2);
    assert_int_equal(take(&probe, &other, 0), 1);
    finish(&probe, &run, &single);
    finish(&probe, &other, &single);
    assert_int_equal(probe.asked, 2);
    ch_fold_free(probe.fold);
}

// Learns that transactions wait for each other until one is left, and forgets it again step by step.
static void transactions_that_wait_for_each_other_become_fewer(void **state)
{
    (void)state;
    struct probe probe;
    struct ch_fold_run run;
    open_fold(&probe, 8, 200);
    for (int i = 0; i < 10; i++) {
        push(&probe, 1);
        assert_int_equal(take(&probe, &run, 0), 1);
        finish(&probe, &run, &waited);
    }
    assert_int_equal(ch_fold_figures(probe.fold).transactions, 1);
    push(&probe, 100);
    assert_int_equal(take(&probe, &run, 0), CH_FOLD_CALLS_MAX); // as many as fit
    finish(&probe, &run, &clean);
    assert_int_equal(take(&probe, &run, 0), 100 - CH_FOLD_CALLS_MAX);
    finish(&probe, &run, &clean);
    for (int i = 0; i < 24 * 7; i++) {
        push(&probe, 1);
        assert_int_equal(take(&probe, &run, 0), 1);
        finish(&probe, &run, &clean);
    }
    assert_int_equal(ch_fold_figures(probe.fold).transactions, 8);
    push(&probe, 80);
    assert_int_equal(take(&probe, &run, 0), 10); // equal shares
    finish(&probe, &run, &single);
    assert_int_equal(ch_fold_figures(probe.fold).transactions, 8); // one call says nothing
    while (take(&probe, &run, 0))
        finish(&probe, &run, &clean);
    push(&probe, 1);
    assert_int_equal(take(&probe, &run, 0), 1);
    finish(&probe, &run, &(struct ch_fold_report){.shared = 2, .shared_calls = 7});
    assert_int_equal(ch_fold_figures(probe.fold).shared, 2);
    assert_int_equal(ch_fold_figures(probe.fold).calls, 7);
    ch_fold_free(probe.fold);
}

static void a_run_that_lasts_holds_nobody_up(void **state)
{
    (void)state;
    struct probe probe;
    struct ch_fold_run slow, quick;
    open_fold(&probe, 1, 100);
    push(&probe, 1);
    assert_int_equal(take(&probe, &slow, 0), 1);
    push(&probe, 5);
    ch_fold_poke(probe.fold, 10 * MS);
    assert_int_equal(probe.asked, 1); // the slow one may be done soon
    ch_fold_poke(probe.fold, CH_FOLD_RUN_MAX_US + 1 * MS);
    assert_int_equal(probe.asked, 2);
    assert_int_equal(take(&probe, &quick, CH_FOLD_RUN_MAX_US + 2 * MS), 5);
    finish(&probe, &quick, &clean);
    finish(&probe, &slow, &single);
    ch_fold_free(probe.fold);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct probe probe;
    struct ch_fold_run run;
    open_fold(&probe, 2, 3);
    push(&probe, 3);
    assert_false(ch_fold_push(probe.fold, &probe.items[3], 0));
    assert_int_equal(ch_fold_figures(probe.fold).waiting, 3);
    while (take(&probe, &run, 0))
        finish(&probe, &run, &clean);
    probe.has_none = true; // no thread, and none that runs: nobody would ever take it
    assert_false(ch_fold_push(probe.fold, &probe.items[0], 0));
    assert_int_equal(ch_fold_figures(probe.fold).waiting, 0);
    ch_fold_free(probe.fold);
}

static void who_cannot_ask_for_a_thread_goes_on_itself(void **state)
{
    (void)state;
    struct probe probe;
    struct ch_fold_run run;
    open_fold(&probe, 1, 10);
    push(&probe, 1);
    assert_int_equal(take(&probe, &run, 0), 1);
    push(&probe, 1);
    probe.has_none = true;
    assert_true(ch_fold_done(probe.fold, &run, &single, 0));
    assert_int_equal(take(&probe, &run, 0), 1);
    finish(&probe, &run, &single);
    ch_fold_free(probe.fold);
}

static void slow_methods_run_alone_for_a_while(void **state)
{
    (void)state;
    struct ch_fold_habit habit = {0};
    ch_fold_note(&habit, CH_FOLD_SLOW, 0);
    assert_true(ch_fold_is_open(&habit, 0)); // once is a hiccup
    for (int i = 0; i < 20; i++)
        ch_fold_note(&habit, CH_FOLD_QUICK, 0);
    ch_fold_note(&habit, CH_FOLD_SLOW, 0);
    assert_true(ch_fold_is_open(&habit, 0));
    ch_fold_note(&habit, CH_FOLD_SLOW, 0);
    assert_false(ch_fold_is_open(&habit, 1000 * MS));
    assert_true(ch_fold_is_open(&habit, 3000 * MS));
    ch_fold_note(&habit, CH_FOLD_NEVER, 0);
    ch_fold_note(&habit, CH_FOLD_SLOW, 0);
    assert_false(ch_fold_is_open(&habit, INT64_MAX - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_meets_nobody_begins_at_once),
        cmocka_unit_test(transactions_that_wait_for_each_other_become_fewer),
        cmocka_unit_test(a_run_that_lasts_holds_nobody_up),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(who_cannot_ask_for_a_thread_goes_on_itself),
        cmocka_unit_test(slow_methods_run_alone_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
