// Laptops that were copied while calls waited in them: a call that both have takes effect once, whoever brings it first.
#include "twin.h"

#include "sync/hash.h"

#include <stdio.h>

// A laptop's side of the numbers, while another one pushes.
struct laptop {
    const char *device;
    int64_t sequence;
    uint64_t hash;
};

static void put_down(const struct twin *twin, struct laptop *laptop)
{
    *laptop = (struct laptop){twin->device, twin->sequence, twin->hash};
}

static void take_up(struct twin *twin, const struct laptop *laptop)
{
    twin->device = laptop->device;
    twin->sequence = laptop->sequence;
    twin->hash = laptop->hash;
}

static void renew(struct twin *twin, const char *device)
{
    twin->device = device;
    twin_device(twin, "ann");
}

// A call as a laptop has it, which may be sent under many numbers.
static struct charle_call last_call(struct twin *twin)
{
    struct charle_call call = twin->calls[--twin->count];
    twin->hash = twin->count ? twin->calls[twin->count - 1].hash : 0;
    twin->sequence--;
    return call;
}

static struct charle_call make_work(struct twin *twin, const char *job)
{
    twin_call(twin, "Job/Update", "{\"key\":{\"id\":\"%s\"},\"set\":{\"hours\":1},\"base\":{\"hours\":0}}", job);
    return last_call(twin);
}

// Adds it to the next batch of whoever pushes. `origin`: what the laptop was called when it was made, NULL for its present name.
static void carry(struct twin *twin, const struct charle_call *made, const char *origin, int64_t after)
{
    struct charle_call *call = &twin->calls[twin->count];
    *call = *made;
    call->sequence = ++twin->sequence;
    if (origin) {
        call->origin = (struct charle_opt_text){charle_str(origin), true};
        call->origin_after = (struct charle_opt_int8){after, true};
    }
    const struct ch_chain_link link = {call->sequence, call->method, call->request, call->at.us, call->seed};
    call->hash = twin->hash = ch_chain_hash(twin->hash, &link);
    twin->list[twin->count++] = call;
}

static void push_again(struct twin *twin)
{
    struct charle_error err = {0};
    for (int i = 0; i < TWIN_COUNT; i++) {
        if (twin_push_one(twin, i, &err))
            fail_msg("%s", err.text);
    }
    twin_compare(twin);
}

static bool is_repeat(struct twin *twin, size_t index)
{
    return ((const struct charle_verdict *const *)twin->servers[TWIN_SETS].reply.verdict.items)[index]->is_repeat.has;
}

static void assert_hours(struct twin *twin, const char *job, int64_t hours)
{
    char sql[100];
    snprintf(sql, sizeof(sql), "select hours::bigint from job where id = '%s'", job);
    for (int i = 0; i < TWIN_COUNT; i++)
        assert_int_equal(twin_number(twin, i, sql), hours);
}

static void open_with_jobs(struct twin *twin)
{
    twin_open(twin);
    for (int i = 0; i < 6; i++)
        twin_call(twin, "Job/Create", "{\"id\":\"j%d\",\"title\":\"Job\",\"place\":\"north\"}", i);
    twin_push(twin);
    renew(twin, "ORIGINAL");
}

// --- once -----------------------------------------------------------------------------------------------------------------

// The copy comes after the original, before it, and both beside a second copy.
static void a_call_that_copies_share_takes_effect_once(void **state)
{
    struct twin twin;
    struct laptop original, copy;
    (void)state;
    open_with_jobs(&twin);
    const struct charle_call sent = make_work(&twin, "j0"), waiting = make_work(&twin, "j1"), other = make_work(&twin, "j2");
    carry(&twin, &sent, NULL, 0);
    push_again(&twin);
    assert_false(is_repeat(&twin, 0));
    twin.count = 0;
    put_down(&twin, &original);

    renew(&twin, "COPY"); // has all three, and sends two
    carry(&twin, &sent, "ORIGINAL", 0);
    carry(&twin, &waiting, "ORIGINAL", 0);
    push_again(&twin);
    assert_true(is_repeat(&twin, 0) && !is_repeat(&twin, 1));
    assert_string_equal(twin_verdict(&twin, 0), "applied");
    push_again(&twin); // its answer was lost
    assert_hours(&twin, "j0", 1);
    assert_hours(&twin, "j1", 1);
    twin.count = 0;
    put_down(&twin, &copy);

    take_up(&twin, &original);
    carry(&twin, &other, NULL, 0);
    carry(&twin, &waiting, NULL, 0);
    const struct charle_call own = make_work(&twin, "j3");
    carry(&twin, &own, NULL, 0);
    push_again(&twin);
    assert_true(!is_repeat(&twin, 0) && is_repeat(&twin, 1) && !is_repeat(&twin, 2));
    twin.count = 0;

    renew(&twin, "COPY-OF-COPY"); // between COPY's two names
    carry(&twin, &other, "ORIGINAL", 0);
    carry(&twin, &waiting, "ORIGINAL", 0);
    const struct charle_call third = make_work(&twin, "j4");
    carry(&twin, &third, "COPY", 0);
    push_again(&twin);
    assert_true(is_repeat(&twin, 0) && is_repeat(&twin, 1) && !is_repeat(&twin, 2));
    twin.count = 0;

    take_up(&twin, &copy);
    carry(&twin, &other, "ORIGINAL", 0);
    carry(&twin, &third, NULL, 0);
    push_again(&twin);
    assert_true(is_repeat(&twin, 0) && is_repeat(&twin, 1));
    for (int i = 0; i < 5; i++)
        assert_hours(&twin, (const char *[]){"j0", "j1", "j2", "j3", "j4"}[i], 1);
    twin_close(&twin);
}

// A laptop that was rescued from a damaged file may not know that a call has gone out: it says that it made it itself.
static void a_laptop_brings_its_own_call_again(void **state)
{
    struct twin twin;
    (void)state;
    open_with_jobs(&twin);
    const struct charle_call sent = make_work(&twin, "j0"), waiting = make_work(&twin, "j1");
    carry(&twin, &sent, NULL, 0);
    push_again(&twin);
    twin.count = 0;
    carry(&twin, &sent, "ORIGINAL", 0);
    carry(&twin, &waiting, "ORIGINAL", 0);
    push_again(&twin);
    assert_true(is_repeat(&twin, 0));
    assert_false(is_repeat(&twin, 1));
    assert_hours(&twin, "j0", 1);
    assert_hours(&twin, "j1", 1);
    twin_close(&twin);
}

// A refusal and a merge are told again too, from either place where they are remembered.
static void what_became_of_it_is_told(void **state)
{
    struct twin twin;
    struct laptop original;
    (void)state;
    open_with_jobs(&twin);
    twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"none\"},\"set\":{\"title\":\"A\"},\"base\":{\"title\":\"B\"}}");
    const struct charle_call refused = last_call(&twin);
    twin_call(&twin, "Job/Update", "{\"key\":{\"id\":\"j0\"},\"set\":{\"title\":\"Mine\"},\"base\":{\"title\":\"Old\"}}");
    const struct charle_call merged = last_call(&twin);
    twin_call(&twin, "Job/Create", "{\"id\":\"j9\",\"title\":\"Nine\",\"place\":\"north\"}");
    const struct charle_call created = last_call(&twin);
    carry(&twin, &refused, NULL, 0);
    push_again(&twin);
    twin_assert_verdict(&twin, 0, "rejected: NOT_FOUND");
    twin.count = 0;
    put_down(&twin, &original);
    twin_exec(&twin, "insert into job (id, title, place, created_at, updated_at) values ('none', 'B', 'north', '2026-01-01', '2026-01-01')");
    renew(&twin, "COPY");
    carry(&twin, &refused, "ORIGINAL", 0);
    carry(&twin, &merged, "ORIGINAL", 0);
    carry(&twin, &created, "ORIGINAL", 0);
    push_again(&twin);
    assert_true(is_repeat(&twin, 0) && !is_repeat(&twin, 1) && !is_repeat(&twin, 2));
    twin_assert_verdict(&twin, 0, "rejected: NOT_FOUND");
    twin_assert_verdict(&twin, 1, "merged: title had been changed");
    twin.count = 0;
    take_up(&twin, &original);
    carry(&twin, &created, NULL, 0);
    carry(&twin, &merged, NULL, 0);
    push_again(&twin);
    assert_true(is_repeat(&twin, 0) && is_repeat(&twin, 1));
    assert_string_equal(twin_verdict(&twin, 0), "applied");
    twin_assert_verdict(&twin, 1, "merged: title had been changed");
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select count(*) from job where title = 'A'"), 0);
    twin_close(&twin);
}

// --- what is not known ----------------------------------------------------------------------------------------------------

// A server that was put back to a time before the device came: the copy comes first.
static void the_original_may_be_unknown(void **state)
{
    struct twin twin;
    (void)state;
    open_with_jobs(&twin);
    const struct charle_call waiting = make_work(&twin, "j0");
    renew(&twin, "COPY");
    carry(&twin, &waiting, "NEVER-SEEN", 40);
    push_again(&twin);
    assert_false(is_repeat(&twin, 0));
    twin.count = 0;
    renew(&twin, "NEVER-SEEN");
    carry(&twin, &waiting, NULL, 0);
    push_again(&twin);
    assert_true(is_repeat(&twin, 0));
    assert_hours(&twin, "j0", 1);
    twin_close(&twin);
}

static void what_is_forgotten_goes_to_a_person(void **state)
{
    struct twin twin;
    (void)state;
    open_with_jobs(&twin);
    const struct charle_call first = make_work(&twin, "j0"), second = make_work(&twin, "j1"), third = make_work(&twin, "j2");
    carry(&twin, &first, NULL, 0);
    carry(&twin, &second, NULL, 0);
    push_again(&twin);
    twin_exec(&twin, "select charle.forget_calls(0, 10)"); // nobody has said that the verdicts arrived
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select max(forgotten) from charle.device"), 0);
    twin.count = 0;
    twin.acknowledged = (struct charle_opt_int8){1, true};
    carry(&twin, &third, NULL, 0);
    push_again(&twin);
    twin_exec(&twin, "select charle.forget_calls(0, 10)");
    for (int i = 0; i < TWIN_COUNT; i++)
        assert_int_equal(twin_number(&twin, i, "select forgotten from charle.device where id = 'ORIGINAL'"), 1);
    twin.acknowledged.has = false;
    twin.count = 0;
    renew(&twin, "COPY");
    const struct charle_call own = make_work(&twin, "j3"), late = make_work(&twin, "j4");
    carry(&twin, &second, "ORIGINAL", 0); // remembered
    carry(&twin, &first, "ORIGINAL", 0);  // may be the one that is forgotten
    carry(&twin, &own, "ORIGINAL", 0);    // so may this
    carry(&twin, &late, "ORIGINAL", 1);   // the copy knows what had that number
    push_again(&twin);
    assert_true(is_repeat(&twin, 0));
    twin_assert_verdict(&twin, 1, "rejected: DATA_LOSS: this replica was copied so long ago");
    twin_assert_verdict(&twin, 2, "rejected: DATA_LOSS: this replica was copied so long ago");
    twin_assert_verdict(&twin, 3, "applied");
    assert_hours(&twin, "j0", 1);
    assert_hours(&twin, "j1", 1);
    assert_hours(&twin, "j3", 0);
    assert_hours(&twin, "j4", 1);
    twin_close(&twin);
}

// An old file comes back and uses numbers again whose verdicts it had said it has: that is no repeat, and must not be answered as one.
static void numbers_of_long_ago_are_not_taken_for_repeats(void **state)
{
    struct twin twin;
    struct laptop early;
    struct charle_error err = {0};
    (void)state;
    open_with_jobs(&twin);
    const struct charle_call calls[] = {make_work(&twin, "j0"), make_work(&twin, "j1"), make_work(&twin, "j2"), make_work(&twin, "j3")};
    put_down(&twin, &early);
    for (size_t i = 0; i < 3; i++)
        carry(&twin, &calls[i], NULL, 0);
    push_again(&twin);
    struct charle_call last = twin.calls[2];
    for (int is_forgotten = 0; is_forgotten < 2; is_forgotten++) {
        twin.count = 0;
        twin.acknowledged = (struct charle_opt_int8){3, true};
        if (is_forgotten)
            twin_exec(&twin, "select charle.forget_calls(0, 10)");
        take_up(&twin, &early);
        carry(&twin, &calls[3], NULL, 0); // under number 1
        for (int i = 0; i < TWIN_COUNT; i++)
            assert_int_equal(twin_push_one(&twin, i, &err), CHARLE_CONFLICT);
        assert_non_null(strstr(err.text, "must go on as a new device"));
        // The newest one's hash is known for ever.
        twin.calls[0] = last;
        push_again(&twin);
        twin.count = 1;
    }
    assert_hours(&twin, "j3", 0);
    twin_close(&twin);
}

static void calls_of_other_people_are_not_named(void **state)
{
    struct twin twin;
    struct charle_error err = {0};
    (void)state;
    open_with_jobs(&twin);
    const struct charle_call waiting = make_work(&twin, "j0");
    twin.device = "OF-BOB";
    twin_device(&twin, "bob");
    carry(&twin, &waiting, "ORIGINAL", 0);
    for (int i = 0; i < TWIN_COUNT; i++)
        assert_int_equal(twin_push_one(&twin, i, &err), CHARLE_PERMISSION_DENIED);
    assert_non_null(strstr(err.text, "belongs to another person"));
    assert_int_equal(twin_number(&twin, TWIN_SETS, "select max(copied_calls) from charle.device"), 0);
    twin_close(&twin);
}

static void copies_cannot_fill_the_database(void **state)
{
    struct twin twin;
    (void)state;
    open_with_jobs(&twin);
    const struct charle_call sent = make_work(&twin, "j0"), waiting = make_work(&twin, "j1");
    carry(&twin, &sent, NULL, 0);
    push_again(&twin);
    twin_exec(&twin, "update charle.device set copied_calls = 99999 where id = 'ORIGINAL'");
    twin.count = 0;
    renew(&twin, "COPY");
    carry(&twin, &sent, "ORIGINAL", 0);
    carry(&twin, &waiting, "ORIGINAL", 0);
    push_again(&twin);
    assert_true(is_repeat(&twin, 0));
    twin_assert_verdict(&twin, 1, "rejected: DATA_LOSS: more calls were sent by copies");
    assert_hours(&twin, "j1", 0);
    twin_close(&twin);
}

int copies_tests(void);
int copies_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_copies_share_takes_effect_once),
        cmocka_unit_test(a_laptop_brings_its_own_call_again),
        cmocka_unit_test(what_became_of_it_is_told),
        cmocka_unit_test(the_original_may_be_unknown),
        cmocka_unit_test(what_is_forgotten_goes_to_a_person),
        cmocka_unit_test(numbers_of_long_ago_are_not_taken_for_repeats),
        cmocka_unit_test(calls_of_other_people_are_not_named),
        cmocka_unit_test(copies_cannot_fill_the_database),
    };
    return cmocka_run_group_tests_name("copies", tests, NULL, NULL);
}
