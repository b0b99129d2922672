#include "sync/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct ch_chain_link sample(void)
{
    return (struct ch_chain_link){.sequence = 1, .method = CHARLE_STR("charleos.TaskService/Update"),
                                  .request = charle_bytes("abc", 3), .at_us = 1763800000000000, .seed = 42};
}

static void chain_hash_is_fixed_for_ever(void **state)
{
    (void)state;
    struct ch_chain_link link = sample();
    // The value is part of the protocol: replicas and servers of different releases must agree on it. It was computed with
    // Python's hashlib.blake2b(digest_size=16) over the layout that hash.h gives.
    assert_int_equal(ch_chain_hash(0, &link), UINT64_C(0x12fd113b118db01a));
}

static void chain_hash_covers_every_part(void **state)
{
    (void)state;
    struct ch_chain_link base = sample(), other;
    uint64_t hash = ch_chain_hash(7, &base);
    assert_true(ch_chain_hash(8, &base) != hash);
    other = base, other.sequence++;
    assert_true(ch_chain_hash(7, &other) != hash);
    other = base, other.method = CHARLE_STR("charleos.TaskService/Delete");
    assert_true(ch_chain_hash(7, &other) != hash);
    other = base, other.request = charle_bytes("abd", 3);
    assert_true(ch_chain_hash(7, &other) != hash);
    other = base, other.request = charle_bytes(NULL, 0);
    assert_true(ch_chain_hash(7, &other) != hash);
    other = base, other.at_us++;
    assert_true(ch_chain_hash(7, &other) != hash);
    other = base, other.seed++;
    assert_true(ch_chain_hash(7, &other) != hash);
    // The border between method and request counts too.
    struct ch_chain_link a = base, b = base;
    a.method = CHARLE_STR("ab"), a.request = charle_bytes("c", 1);
    b.method = CHARLE_STR("a"), b.request = charle_bytes("bc", 2);
    assert_true(ch_chain_hash(7, &a) != ch_chain_hash(7, &b));
}

static void row_sum_does_not_depend_on_order(void **state)
{
    (void)state;
    struct ch_row_sum forward = {0}, backward = {0};
    char row[32];
    for (int i = 0; i < 1000; i++)
        ch_row_sum_add(&forward, charle_bytes(row, (size_t)snprintf(row, sizeof(row), "row %d", i)));
    for (int i = 999; i >= 0; i--)
        ch_row_sum_add(&backward, charle_bytes(row, (size_t)snprintf(row, sizeof(row), "row %d", i)));
    uint8_t bytes[CH_ROW_HASH_SIZE];
    ch_row_sum_write(&forward, bytes);
    assert_true(ch_row_sum_equals(&backward, 1000, charle_bytes(bytes, sizeof(bytes))));
    assert_false(ch_row_sum_equals(&backward, 999, charle_bytes(bytes, sizeof(bytes))));
    assert_false(ch_row_sum_equals(&backward, 1000, charle_bytes(bytes, 15)));
    bytes[15] ^= 1;
    assert_false(ch_row_sum_equals(&backward, 1000, charle_bytes(bytes, sizeof(bytes))));
}

static void row_sum_tells_a_row_seen_twice(void **state)
{
    (void)state;
    struct ch_row_sum twice = {0}, none = {0};
    ch_row_sum_add(&twice, charle_bytes("x", 1));
    ch_row_sum_add(&twice, charle_bytes("x", 1));
    assert_true(twice.low != none.low || twice.high != none.high);
}

static void row_sum_carries_into_the_high_half(void **state)
{
    (void)state;
    struct ch_row_sum row = {0}, sum = {.low = UINT64_MAX, .high = 1, .rows = 1};
    ch_row_sum_add(&row, charle_bytes("x", 1));
    assert_true(row.low > 0);
    ch_row_sum_add(&sum, charle_bytes("x", 1));
    assert_true(sum.low == row.low - 1);
    assert_true(sum.high == 1 + row.high + 1);
    assert_int_equal(sum.rows, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_hash_is_fixed_for_ever),
        cmocka_unit_test(chain_hash_covers_every_part),
        cmocka_unit_test(row_sum_does_not_depend_on_order),
        cmocka_unit_test(row_sum_tells_a_row_seen_twice),
        cmocka_unit_test(row_sum_carries_into_the_high_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
