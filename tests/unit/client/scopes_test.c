// As many scopes as a person may hold: they are taken, listed, and lost again.
#include "client/apply.h"
#include "fixture.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct charle_str scope_number(struct charle_arena *arena, int number)
{
    return charle_arena_printf(arena, "room:r%05d", number);
}

// The list of every scope whose number is not a multiple of `without`, in an order that is not theirs; 0: of all.
static struct charle_array make_list(struct charle_arena *arena, int without)
{
    struct charle_str *items = charle_arena_array(arena, CH_SCOPES_PER_SESSION_MAX, sizeof(*items));
    size_t count = 0;
    for (int i = CH_SCOPES_PER_SESSION_MAX; i > 0; i--) {
        if (!without || i % without)
            items[count++] = scope_number(arena, i);
    }
    return (struct charle_array){items, count, true};
}

static void as_many_scopes_as_may_be_are_held(void **state)
{
    struct fixture *f = *state;
    struct ch_replica *replica = &f->a.replica;
    struct charle_arena arena = {0};
    struct charle_array held, unlisted, all = make_list(&arena, 0), some = make_list(&arena, 100);
    struct charle_error err = {0};
    assert_int_equal(ch_replica_begin(replica, CH_FETCHABLE, &err), CHARLE_OK);
    for (size_t i = 0; i < all.count; i++)
        assert_int_equal(ch_scope_gain(replica, ((const struct charle_str *)all.items)[i], &err), CHARLE_OK);
    assert_int_equal(ch_scope_gain(replica, CHARLE_STR("device:01AAAAAAAAAAAAAAAAAAAAAAAA"), &err), CHARLE_OK);
    if (ch_scopes_in_state(replica, CH_SCOPE_COPYING, &arena, &held, &err))
        fail_msg("%s", err.text);
    assert_int_equal(held.count, CH_SCOPES_PER_SESSION_MAX);
    assert_int_equal(ch_scopes_find_unlisted(replica, &all, &arena, &unlisted, &err), CHARLE_OK);
    assert_int_equal(unlisted.count, 0);
    assert_int_equal(ch_scopes_find_unlisted(replica, &some, &arena, &unlisted, &err), CHARLE_OK);
    assert_int_equal(unlisted.count, CH_SCOPES_PER_SESSION_MAX / 100);
    for (size_t i = 0; i < unlisted.count; i++)
        assert_true(charle_str_equal(((const struct charle_str *)unlisted.items)[i], scope_number(&arena, (int)(i + 1) * 100)));
    // One more is more than a list has room for.
    assert_int_equal(ch_scope_gain(replica, CHARLE_STR("room:one more"), &err), CHARLE_OK);
    assert_int_equal(ch_scopes_in_state(replica, CH_SCOPE_COPYING, &arena, &held, &err), CHARLE_NO_MEMORY);
    ch_replica_rollback(replica);
    charle_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_many_scopes_as_may_be_are_held, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
