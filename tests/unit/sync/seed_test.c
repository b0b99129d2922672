// Ranges of a seed file: how many there are, how large each is, and which bytes are the ones that were promised.
#include "sync/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { PAGE = CH_REPLICA_PAGE_SIZE, RANGE = CH_SEED_RANGE_SIZE };

static void sizes_that_no_seed_has_have_no_ranges(void **state)
{
    (void)state;
    assert_int_equal(ch_seed_range_count(0), 0);
    assert_int_equal(ch_seed_range_count(-PAGE), 0);
    assert_int_equal(ch_seed_range_count(PAGE + 1), 0);
    assert_int_equal(ch_seed_range_count((int64_t)RANGE * CH_SEED_RANGES_MAX + PAGE), 0);
    assert_int_equal(ch_seed_range_count((int64_t)RANGE * CH_SEED_RANGES_MAX), CH_SEED_RANGES_MAX);
    assert_int_equal(ch_seed_range_count(PAGE), 1);
    assert_int_equal(ch_seed_range_count(RANGE + PAGE), 2);
}

static void ranges_make_up_the_file(void **state)
{
    (void)state;
    int64_t size = 2 * (int64_t)RANGE + PAGE, sum = 0;
    for (uint32_t i = 0; i < ch_seed_range_count(size); i++)
        sum += (int64_t)ch_seed_range_size(size, i);
    assert_true(sum == size);
    assert_int_equal(ch_seed_range_size(size, 0), RANGE);
    assert_int_equal(ch_seed_range_size(size, 2), PAGE);
    assert_int_equal(ch_seed_range_size(size, 3), 0);
}

static void a_list_has_the_name_that_it_has(void **state)
{
    (void)state;
    uint8_t hashes[2 * CH_SEED_HASH_SIZE] = {1, 2, 3}, name[CH_SEED_HASH_SIZE];
    int64_t size = RANGE + PAGE;
    ch_seed_hash(charle_bytes(hashes, sizeof(hashes)), name);
    assert_true(ch_seed_list_is_whole(size, charle_bytes(hashes, sizeof(hashes)), charle_bytes(name, sizeof(name))));
    assert_false(ch_seed_list_is_whole(size + 1, charle_bytes(hashes, sizeof(hashes)), charle_bytes(name, sizeof(name))));
    assert_false(ch_seed_list_is_whole(size, charle_bytes(hashes, CH_SEED_HASH_SIZE), charle_bytes(name, sizeof(name))));
    assert_false(ch_seed_list_is_whole(size, charle_bytes(hashes, sizeof(hashes)), charle_bytes(name, sizeof(name) - 1)));
    hashes[40] ^= 1;
    assert_false(ch_seed_list_is_whole(size, charle_bytes(hashes, sizeof(hashes)), charle_bytes(name, sizeof(name))));
}

static void a_range_is_the_promised_one(void **state)
{
    (void)state;
    uint8_t hashes[2 * CH_SEED_HASH_SIZE] = {0};
    ch_seed_hash(charle_bytes("range", 5), hashes + CH_SEED_HASH_SIZE);
    assert_true(ch_seed_range_is_good(charle_bytes(hashes, sizeof(hashes)), 1, charle_bytes("range", 5)));
    assert_false(ch_seed_range_is_good(charle_bytes(hashes, sizeof(hashes)), 1, charle_bytes("ranges", 6)));
    assert_false(ch_seed_range_is_good(charle_bytes(hashes, sizeof(hashes)), 0, charle_bytes("range", 5)));
    assert_false(ch_seed_range_is_good(charle_bytes(hashes, sizeof(hashes)), 2, charle_bytes("range", 5)));
}

static void the_reserve_of_each_page_is_cleared(void **state)
{
    (void)state;
    static uint8_t bytes[2 * PAGE + 10];
    memset(bytes, 'x', sizeof(bytes));
    ch_seed_clear_reserve(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        assert_int_equal(bytes[i], i < 2 * PAGE && i % PAGE >= PAGE - CH_SEED_RESERVE ? 0 : 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_that_no_seed_has_have_no_ranges),
        cmocka_unit_test(ranges_make_up_the_file),
        cmocka_unit_test(a_list_has_the_name_that_it_has),
        cmocka_unit_test(a_range_is_the_promised_one),
        cmocka_unit_test(the_reserve_of_each_page_is_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
