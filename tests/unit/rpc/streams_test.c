// The table of calls: against a plain array, through growth, removal in any order, and walks that remove.
#include "base/alloc.h"
#include "rpc/streams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 3000 };

static void empty_table_has_nothing_and_no_memory(void **state)
{
    (void)state;
    struct ch_streams streams = {0};
    uint32_t slot = 0;
    assert_null(ch_streams_find(&streams, 1));
    assert_null(ch_streams_next(&streams, &slot));
    ch_streams_shrink(&streams);
    ch_streams_deinit(&streams);
    assert_null(streams.slots);
}

static void agrees_with_an_array(void **state)
{
    (void)state;
    struct ch_streams streams = {0};
    struct ch_conn_stream *all = calloc(MANY, sizeof(*all));
    unsigned seed = 3;
    uint32_t next_id = 1, live = 0;
    for (int step = 0; step < 40000; step++) {
        size_t i = (size_t)rand_r(&seed) % MANY;
        if (all[i].id == 0) {
            all[i].id = next_id;
            next_id += 1 + (uint32_t)rand_r(&seed) % 3 * 16; // neighbours and collisions
            assert_int_equal(ch_streams_add(&streams, &all[i]), CHARLE_OK);
            live++;
        } else {
            uint32_t id = all[i].id;
            assert_ptr_equal(ch_streams_find(&streams, id), &all[i]);
            ch_streams_remove(&streams, &all[i]);
            assert_null(ch_streams_find(&streams, id));
            all[i].id = 0;
            live--;
        }
        assert_int_equal(streams.count, live);
    }
    for (size_t i = 0; i < MANY; i++) {
        if (all[i].id)
            assert_ptr_equal(ch_streams_find(&streams, all[i].id), &all[i]);
    }
    ch_streams_deinit(&streams);
    free(all);
}

static void walk_that_removes_sees_each_once(void **state)
{
    (void)state;
    for (uint32_t step = 1; step < 40; step++) {
        struct ch_streams streams = {0};
        struct ch_conn_stream all[100] = {{0}};
        int seen[100] = {0};
        for (uint32_t i = 0; i < 100; i++) {
            all[i].id = 1 + i * step;
            assert_int_equal(ch_streams_add(&streams, &all[i]), CHARLE_OK);
        }
        uint32_t slot = 0;
        struct ch_conn_stream *stream;
        while ((stream = ch_streams_next(&streams, &slot))) {
            size_t index = (size_t)(stream - all);
            if (index % 2)
                continue;
            seen[index]++;
            ch_streams_remove(&streams, stream);
            slot--;
        }
        assert_int_equal(streams.count, 50);
        for (size_t i = 0; i < 100; i += 2)
            assert_int_equal(seen[i], 1);
        ch_streams_deinit(&streams);
    }
}

static void failed_growth_changes_nothing(void **state)
{
    (void)state;
    struct ch_streams streams = {0};
    struct ch_conn_stream all[20] = {{0}};
    for (uint32_t i = 0; i < 8; i++) {
        all[i].id = i + 1;
        assert_int_equal(ch_streams_add(&streams, &all[i]), CHARLE_OK);
    }
    ch_alloc_fail_at(1, 1);
    all[8].id = 9;
    assert_int_equal(ch_streams_add(&streams, &all[8]), CHARLE_NO_MEMORY);
    ch_alloc_fail_at(0, 0);
    assert_int_equal(streams.count, 8);
    assert_null(ch_streams_find(&streams, 9));
    assert_int_equal(ch_streams_add(&streams, &all[8]), CHARLE_OK);
    ch_streams_deinit(&streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_table_has_nothing_and_no_memory),
        cmocka_unit_test(agrees_with_an_array),
        cmocka_unit_test(walk_that_removes_sees_each_once),
        cmocka_unit_test(failed_growth_changes_nothing),
    };
    return cmocka_run_group_tests_name("rpc streams", tests, NULL, NULL);
}
