// Building statements without a database: bounds, and memory that runs out.
#include "base/alloc.h"
#include "base/limits.h"
#include "db/query_words.h"
#include "suite/db/agency.h"
#include "suite/db/fixture.h"

#define TASK_ID(FIELD, OUTER) FIELD(id, task.id)
CHARLE_SHAPE(task_id, TASK_ID);

static enum charle_err build(struct charle_expr condition, struct charle_error *err)
{
    struct charle_buf buf = {0};
    enum charle_err rc = charle_query_text(CHARLE_PG, charle_select(task_id, from(task), where(condition)), &buf, err);
    charle_buf_deinit(&buf);
    return rc;
}

static void test_depth_and_lists_have_bounds(void **state)
{
    static struct charle_expr levels[CH_QUERY_DEPTH_MAX + 2];
    static int64_t numbers[CH_QUERY_IN_MAX + 1];
    struct charle_error err = {0};
    (void)state;
    levels[0] = eq(task.id, "x");
    for (size_t i = 1; i < CH_QUERY_DEPTH_MAX + 2; i++)
        levels[i] = charle_list_(CHARLE_OP_NOT, &levels[i - 1], 1);
    assert_ok(build(levels[CH_QUERY_DEPTH_MAX - 1], &err), &err);
    assert_fails(build(levels[CH_QUERY_DEPTH_MAX + 1], &err), CHARLE_TOO_LARGE, &err, "nests");
    assert_ok(build(in_array(task.points, numbers, CH_QUERY_IN_MAX), &err), &err);
    assert_fails(build(in_array(task.points, numbers, CH_QUERY_IN_MAX + 1), &err), CHARLE_TOO_LARGE, &err,
                 "1001 values");
}

static void test_joins_have_bounds(void **state)
{
    static struct charle_clause clauses[CH_QUERY_TABLES_MAX + 1];
    struct charle_buf buf = {0};
    struct charle_error err = {0};
    (void)state;
    for (uint16_t i = 0; i < CH_QUERY_TABLES_MAX + 1; i++) {
        const struct task_columns alias = task_alias(i);
        clauses[i] = i ? cross_join(alias) : from(alias);
    }
    const struct charle_query query = {.statement = CHARLE_SELECT,
                                       .shape = task_id_shape,
                                       .has_rows = true,
                                       .clauses = clauses,
                                       .clause_count = CH_QUERY_TABLES_MAX + 1};
    assert_fails(charle_query_text_(CHARLE_PG, &query, &buf, &err), CHARLE_TOO_LARGE, &err, "joins more than");
    charle_buf_deinit(&buf);
}

static void test_every_allocation_may_fail(void **state)
{
    struct charle_error err = {0};
    enum charle_err rc = CHARLE_NO_MEMORY;
    long n = 0;
    (void)state;
    while (rc) {
        struct charle_arena arena = {0};
        struct charle_buf buf = {0};
        ch_alloc_fail_at(++n, 0);
        struct charle_conditions all = charle_conditions(&arena);
        charle_conditions_add(&all, or (in(task.id, "a", "b", "c"), like(task.title, "x%"), gt(task.priority, 2)));
        charle_conditions_add(&all, not(eq(task.points, 5)));
        rc = charle_query_text(CHARLE_SQLITE,
                               charle_select(task_id, from(task), where(charle_conditions_all(&all)), limit(5)), &buf,
                               &err);
        ch_alloc_fail_at(0, 0);
        // Conditions that got lost never widen the query: it fails.
        assert_int_equal(rc, all.failed && !rc ? CHARLE_NO_MEMORY : rc);
        if (!rc && buf.failed)
            rc = CHARLE_NO_MEMORY;
        assert_true(rc == CHARLE_OK || rc == CHARLE_NO_MEMORY);
        assert_true(rc || strstr(charle_buf_text(&buf), "not ("));
        charle_buf_deinit(&buf);
        charle_arena_deinit(&arena);
        assert_true(n < 200);
    }
    assert_true(n > 2);
}

// What is written of a bound value behind the statement, for people who look for a mistake.
static void assert_shown(struct charle_expr condition, const char *words)
{
    struct charle_buf buf = {0};
    struct charle_error err = {0};
    assert_ok(charle_query_text(CHARLE_PG, charle_select(task_id, from(task), where(condition)), &buf, &err), &err);
    if (!strstr(charle_buf_text(&buf), words))
        fail_msg("\"%s\" does not say \"%s\"", charle_buf_text(&buf), words);
    charle_buf_deinit(&buf);
}

static void test_values_are_shown(void **state)
{
    const struct charle_uuid uuid = {{1}};
    (void)state;
    assert_shown(eq(task.title, "it's"), "$1 = 'it's'");
    assert_shown(eq(task.is_urgent, true), "$1 = true");
    assert_shown(eq(task.is_urgent, false), "$1 = false");
    assert_shown(eq(task.priority, 7), "$1 = 7");
    assert_shown(eq(task.points, (int64_t)1 << 40), "$1 = 1099511627776");
    assert_shown(gt(task.ratio, 0.5), "$1 = 0.5");
    assert_shown(eq(task.day, ((struct charle_date){0})), "$1 = '1970-01-01'");
    assert_shown(lt(task.created_at, ((struct charle_ts){0})), "$1 = '1970-01-01T00:00:00Z'");
    assert_shown(eq(task.data, charle_bytes("ab", 2)), "$1 = 2 bytes");
    assert_shown(eq(task.ref, uuid), "$1 = a uuid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depth_and_lists_have_bounds),
        cmocka_unit_test(test_joins_have_bounds),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_values_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
