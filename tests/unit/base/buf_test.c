// Buffers: the limit, the memory of a failure, reuse.
#include "base/alloc.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void content_grows(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    for (int i = 0; i < 1000; i++)
        charle_buf_printf(&buf, "%03d", i);
    charle_buf_add_byte(&buf, '!');
    charle_buf_add_str(&buf, CHARLE_STR("end"));
    charle_buf_add(&buf, NULL, 0);
    assert_int_equal(buf.failed, CHARLE_OK);
    assert_int_equal(buf.size, 3004);
    assert_memory_equal(buf.data, "000001002", 9);
    assert_string_equal(charle_buf_text(&buf) + 3000, "!end");
    assert_int_equal(charle_buf_str(&buf).len, 3004);
    charle_buf_deinit(&buf);
    charle_buf_deinit(NULL);
}

static void the_limit_is_remembered(void **state)
{
    (void)state;
    for (size_t limit = 1; limit < 600; limit += 7) {
        struct charle_buf buf;
        charle_buf_init(&buf, limit);
        size_t written = 0;
        while (!buf.failed) {
            charle_buf_add(&buf, "abc", 3);
            written += buf.failed ? 0 : 3;
        }
        assert_int_equal(buf.failed, CHARLE_TOO_LARGE);
        assert_int_equal(written, limit / 3 * 3);
        assert_true(buf.capacity <= limit);
        charle_buf_add_byte(&buf, 'x'); // a no-op now, though it would fit
        assert_int_equal(buf.size, written);
        assert_null(charle_buf_reserve(&buf, 1));
        assert_null(charle_buf_text(&buf));
        charle_buf_reset(&buf);
        charle_buf_add_byte(&buf, 'x');
        assert_int_equal(buf.failed, CHARLE_OK);
        assert_null(charle_buf_reserve(&buf, SIZE_MAX));
        charle_buf_deinit(&buf);
    }
}

static void a_full_heap_is_remembered(void **state)
{
    (void)state;
    struct charle_buf buf = {0};
    charle_buf_add_text(&buf, "kept");
    ch_alloc_fail_at(1, 0);
    charle_buf_add(&buf, (const char[1000]){0}, 1000);
    ch_alloc_fail_at(0, 0);
    assert_int_equal(buf.failed, CHARLE_NO_MEMORY);
    assert_int_equal(buf.size, 4);
    charle_buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_grows),
        cmocka_unit_test(the_limit_is_remembered),
        cmocka_unit_test(a_full_heap_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
