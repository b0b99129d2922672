// Arenas: alignment, zeroing, the limit, and reuse.
#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"

#include <stddef.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    for (size_t size = 0; size < 3000; size = size * 2 + 1) {
        char *p = charle_arena_alloc(&arena, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, size);
    }
    charle_arena_reset(&arena);
    char *again = charle_arena_alloc(&arena, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(again[i], 0);
    charle_arena_deinit(&arena);
}

static void the_limit_holds(void **state)
{
    (void)state;
    struct charle_arena arena;
    charle_arena_init(&arena, 10000);
    size_t total = 0;
    while (charle_arena_alloc(&arena, 100))
        total += 100;
    assert_in_range(total, 5000, 10000);
    assert_true(arena.held_size <= 10000);
    assert_null(charle_arena_alloc(&arena, SIZE_MAX));
    assert_null(charle_arena_array(&arena, SIZE_MAX / 2, 3));
    charle_arena_reset(&arena);
    assert_non_null(charle_arena_alloc(&arena, 1000));
    charle_arena_deinit(&arena);
}

static void a_failure_is_remembered_until_the_reset(void **state)
{
    (void)state;
    struct charle_arena arena;
    struct charle_error err = {0};
    struct charle_buf buf = {0};
    charle_arena_init(&arena, 10000);
    assert_int_equal(charle_arena_check(&arena, "a text", &err), CHARLE_OK);
    assert_null(charle_arena_alloc(&arena, 20000));
    assert_non_null(charle_arena_alloc(&arena, 10));
    assert_int_equal(charle_arena_check(&arena, "a text", &err), CHARLE_TOO_LARGE);
    assert_non_null(strstr(err.text, "a text"));
    charle_arena_reset(&arena);
    assert_int_equal(charle_arena_check(&arena, "a text", &err), CHARLE_OK);
    ch_alloc_fail_at(1, 1);
    charle_buf_add_text(&buf, "never written");
    assert_null(charle_arena_buf(&arena, &buf).ptr);
    ch_alloc_fail_at(0, 0);
    assert_int_equal(charle_arena_check(&arena, "a text", &err), CHARLE_NO_MEMORY);
    charle_buf_deinit(&buf);
    charle_arena_deinit(&arena);
}

static void a_steady_load_settles_in_one_block(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    ch_alloc_fail_at(1000000, 0); // only counts
    for (int round = 0; round < 100; round++) {
        charle_arena_reset(&arena);
        for (int i = 0; i < 200; i++)
            assert_non_null(charle_arena_alloc(&arena, 64));
    }
    long allocations = ch_alloc_count();
    ch_alloc_fail_at(0, 0);
    assert_true(allocations < 10);
    charle_arena_deinit(&arena);
}

// What fits in an arena fits in it again, however often it was emptied, and little is held meanwhile.
static void one_large_thing_does_not_stand_in_the_way_of_the_next(void **state)
{
    (void)state;
    struct charle_arena arena;
    charle_arena_init(&arena, 8 << 20);
    for (int round = 0; round < 3; round++) {
        assert_non_null(charle_arena_alloc(&arena, 100));
        assert_non_null(charle_arena_alloc(&arena, 6 << 20));
        charle_arena_reset(&arena);
        assert_true(arena.held_size <= CH_ARENA_BLOCK_SIZE_MAX);
    }
    assert_int_equal(charle_arena_check(&arena, "large things", NULL), CHARLE_OK);
    charle_arena_deinit(&arena);
}

static void copies_are_terminated_and_never_null(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct charle_str text = charle_arena_str(&arena, charle_str_n("hello", 4));
    assert_string_equal(text.ptr, "hell");
    assert_int_equal(text.len, 4);
    text = charle_arena_str(&arena, (struct charle_str){0});
    assert_string_equal(text.ptr, "");
    struct charle_bytes bytes = charle_arena_bytes(&arena, charle_bytes("\0\1", 2));
    assert_memory_equal(bytes.ptr, "\0\1", 2);
    text = charle_arena_printf(&arena, "%s-%d", "x", 12);
    assert_string_equal(text.ptr, "x-12");
    assert_int_equal(text.len, 4);
    charle_arena_deinit(&arena);
}

static void a_full_heap_gives_null(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    ch_alloc_fail_at(1, 1);
    void *block = charle_arena_alloc(&arena, 10);
    struct charle_str text = charle_arena_str(&arena, CHARLE_STR("x")), line = charle_arena_printf(&arena, "x");
    ch_alloc_fail_at(0, 0);
    assert_null(block);
    assert_null(text.ptr);
    assert_null(line.ptr);
    charle_arena_deinit(&arena);
    charle_arena_deinit(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(a_failure_is_remembered_until_the_reset),
        cmocka_unit_test(a_steady_load_settles_in_one_block),
        cmocka_unit_test(one_large_thing_does_not_stand_in_the_way_of_the_next),
        cmocka_unit_test(copies_are_terminated_and_never_null),
        cmocka_unit_test(a_full_heap_gives_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
