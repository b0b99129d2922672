// What a call gets from its seed: the same every time, in order, and unlike any other call's.
#include "base/limits.h"
#include "call/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct charle_ts noon = {1795351260000000};

static struct charle_context make(struct charle_arena *arena, struct charle_ts now, uint64_t seed)
{
    struct charle_context context = {.arena = arena};
    charle_context_seed(&context, now, seed);
    return context;
}

static void the_same_seed_gives_the_same_call(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct charle_context a = make(&arena, noon, 17), b = make(&arena, noon, 17), c = make(&arena, noon, 18);
    for (int i = 0; i < 100; i++) {
        struct charle_str id = charle_context_new_id(&a), other = charle_context_new_id(&c);
        assert_true(charle_str_equal(id, charle_context_new_id(&b)));
        assert_false(charle_str_equal(id, other));
        assert_true(charle_context_random(&a) == charle_context_random(&b));
        charle_context_random(&c);
    }
    charle_arena_deinit(&arena);
}

static void ids_are_in_order_and_of_one_shape(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct charle_context context = make(&arena, noon, 5);
    struct charle_str last = charle_context_new_id(&context);
    for (int i = 0; i < 70000; i++) { // past the sixteen bits of the count
        struct charle_str id = charle_context_new_id(&context);
        assert_int_equal(id.len, CH_ID_LEN);
        assert_int_equal(strspn(id.ptr, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), CH_ID_LEN);
        assert_true(charle_str_compare(last, id) < 0);
        last = id;
    }
    struct charle_context later = make(&arena, (struct charle_ts){noon.us + 3000000}, 1);
    assert_true(charle_str_compare(last, charle_context_new_id(&later)) < 0);
    charle_arena_deinit(&arena);
}

static void the_first_characters_are_the_time(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct charle_context context = make(&arena, (struct charle_ts){1469918176385000}, 1);
    // 1469918176385 ms is 01ARYZ6S41 in Crockford's base 32, the example of the ULID text.
    assert_memory_equal(charle_context_new_id(&context).ptr, "01ARYZ6S41", 10);
    context = make(&arena, (struct charle_ts){-5}, 1);
    assert_memory_equal(charle_context_new_id(&context).ptr, "0000000000", 10);
    charle_arena_deinit(&arena);
}

static void a_full_arena_gives_no_id(void **state)
{
    (void)state;
    struct charle_arena arena;
    charle_arena_init(&arena, 16);
    struct charle_context context = make(&arena, noon, 1);
    assert_null(charle_context_new_id(&context).ptr);
    charle_arena_deinit(&arena);
}

static void random_numbers_fill_their_range(void **state)
{
    (void)state;
    struct charle_context context = make(NULL, noon, 0);
    uint64_t or_all = 0, and_all = UINT64_MAX;
    for (int i = 0; i < 200; i++) {
        uint64_t n = charle_context_random(&context);
        or_all |= n;
        and_all &= n;
    }
    assert_true(or_all == UINT64_MAX && and_all == 0);
}

static void scopes_are_found(void **state)
{
    (void)state;
    const struct charle_str scopes[] = {CHARLE_STR("account:7"), CHARLE_STR("team"), CHARLE_STR("user:42")};
    const struct charle_identity identity = {.scopes = scopes, .scope_count = 3};
    const struct charle_context context = {.identity = &identity}, nobody = {0};
    for (size_t i = 0; i < 3; i++)
        assert_true(charle_context_holds(&context, scopes[i]));
    static const char *const absent[] = {"", "account:", "account:70", "tea", "team:", "user:4", "zebra"};
    for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++)
        assert_false(charle_context_holds(&context, charle_str(absent[i])));
    assert_false(charle_context_holds(&nobody, CHARLE_STR("team")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_call), cmocka_unit_test(ids_are_in_order_and_of_one_shape),
        cmocka_unit_test(the_first_characters_are_the_time), cmocka_unit_test(a_full_arena_gives_no_id),
        cmocka_unit_test(random_numbers_fill_their_range),   cmocka_unit_test(scopes_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
