// The query builder on both databases: what each word means, and what is refused before a database sees it.
#include "agency.h"
#include "db/query_words.h"
#include "fixture.h"

#include <math.h>
#include <stdio.h>

#define S(text)     CHARLE_STR(text)
#define AT(seconds) ((struct charle_ts){(int64_t)(seconds)*1000000})

static void make_tables(struct charle_db *db)
{
    const struct charle_table *tables[] = {&client_table, &task_table, &entry_table};
    for (size_t i = 0; i < 3; i++)
        must_exec(db, charle_db_dialect(db) == CHARLE_PG ? tables[i]->pg_create : tables[i]->sqlite_create);
}

static struct task new_task(const char *id, const char *client_id, const char *title, int status)
{
    return (struct task){.id = charle_str(id),
                         .client_id = charle_str(client_id),
                         .title = charle_str(title),
                         .status = status,
                         .priority = 3,
                         .estimate = {S("1.5")},
                         .created_at = AT(1000)};
}

static void add(struct charle_db *db, struct task row)
{
    struct charle_error err = {0};
    int64_t changed = 0;
    assert_ok(charle_run(db, charle_insert(task, row), &changed, &err), &err);
    assert_int_equal(changed, 1);
}

// Six tasks of three clients; client c has none, task t6 has a client that does not exist.
static void fill(struct charle_db *db)
{
    struct charle_error err = {0};
    static const struct charle_str tags[] = {CHARLE_STR_INIT("red"), CHARLE_STR_INIT("blue")};
    const struct client clients[] = {
        {.id = S("a"),
         .name = S("Alpha"),
         .phone = {S("+49 1"), true},
         .budget = {{S("100.5")}, true},
         .is_active = true},
        {.id = S("b"), .name = S("beta"), .rating = {4.5, true}, .is_active = true},
        {.id = S("c"), .name = S("Gamma%"), .budget = {{S("99")}, true}, .rating = {-1, true}},
    };
    make_tables(db);
    assert_ok(charle_run(db, charle_insert_many(client, clients, 3), NULL, &err), &err);
    struct task t = new_task("t1", "a", "Paint the wall", TASK_OPEN);
    t.points = (struct charle_opt_int8){5, true};
    t.due_at = (struct charle_opt_ts){AT(500), true};
    t.tags = (struct charle_array){tags, 2, true};
    t.estimate.text = S("10");
    add(db, t);
    t = new_task("t2", "a", "paint the DOOR", TASK_DONE);
    t.parent_id = (struct charle_opt_text){S("t1"), true};
    t.estimate.text = S("9");
    t.priority = 1;
    add(db, t);
    t = new_task("t3", "b", "100% cotton_wool", TASK_IN_WORK);
    t.parent_id = (struct charle_opt_text){S("t1"), true};
    t.points = (struct charle_opt_int8){-3, true};
    t.due_at = (struct charle_opt_ts){AT(-500), true};
    t.estimate.text = S("-2.25");
    add(db, t);
    t = new_task("t4", "b", "\xc3\x84rger", TASK_OPEN); // Ärger
    t.points = (struct charle_opt_int8){5, true};
    t.is_urgent = (struct charle_opt_bool){true, true};
    add(db, t);
    t = new_task("t5", "b", "", TASK_BLOCKED);
    t.due_at = (struct charle_opt_ts){AT(900), true};
    t.is_urgent = (struct charle_opt_bool){false, true};
    add(db, t);
    t = new_task("t6", "nobody", "back\\slash", TASK_OPEN);
    t.ratio = (struct charle_opt_float8){0.5, true};
    add(db, t);
    const struct entry entries[] = {
        {1, S("t1"), 30, {{0}, false}}, {2, S("t1"), 45, {S("x"), true}}, {3, S("t3"), 60, {{0}, false}}};
    assert_ok(charle_run(db, charle_insert_many(entry, entries, 3), NULL, &err), &err);
}

#define TASK_ID(FIELD, OUTER) FIELD(id, task.id)
CHARLE_SHAPE(task_id, TASK_ID);

// The ids that a query gives, in its order, separated by spaces.
static const char *ids(struct charle_db *db, struct task_id_query query)
{
    static char text[256];
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct task_id *rows;
    size_t count = 0, len = 0;
    enum charle_err rc = charle_fetch_all(db, &arena, query, &rows, &count, &err);
    if (rc)
        snprintf(text, sizeof(text), "%s: %s", charle_err_name(rc), err.text);
    else
        text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", i ? " " : "", CHARLE_FMT(rows[i].id));
    charle_arena_deinit(&arena);
    return text;
}

// The ids of the tasks for which a condition holds.
#define HOLDS(db, condition) ids(db, charle_select(task_id, from(task), where(condition), order_by(asc(task.id))))

static void test_comparisons(struct charle_db *db)
{
    fill(db);
    assert_string_equal(HOLDS(db, eq(task.client_id, "a")), "t1 t2");
    assert_string_equal(HOLDS(db, ne(task.client_id, S("a"))), "t3 t4 t5 t6");
    assert_string_equal(HOLDS(db, gt(task.points, -3)), "t1 t4");
    assert_string_equal(HOLDS(db, gte(task.points, -3)), "t1 t3 t4");
    assert_string_equal(HOLDS(db, lt(task.priority, 3)), "t2");
    assert_string_equal(HOLDS(db, lte(task.priority, task.points)), "t1 t4");
    assert_string_equal(HOLDS(db, eq(task.status, TASK_OPEN)), "t1 t4 t6");
    assert_string_equal(HOLDS(db, eq(task.is_urgent, true)), "t4");
    assert_string_equal(HOLDS(db, eq(task.is_urgent, false)), "t5");
    assert_string_equal(HOLDS(db, gt(task.due_at, AT(0))), "t1 t5");
    assert_string_equal(HOLDS(db, lt(task.due_at, task.created_at)), "t1 t3 t5");
    assert_string_equal(HOLDS(db, eq(task.ratio, 0.5)), "t6");
    assert_string_equal(HOLDS(db, between(task.points, -3, 4)), "t3");
    assert_string_equal(HOLDS(db, not_between(task.points, -3, 4)), "t1 t4");
    assert_string_equal(HOLDS(db, eq(task.title, "")), "t5");
    assert_string_equal(HOLDS(db, gt(task.title, "a")),
                        "t2 t4 t6"); // by bytes: capitals before small letters, Ä behind both
}

static void test_decimals_compare_by_value(struct charle_db *db)
{
    const struct charle_numeric nine = {S("9")}, nine_again = {S("9.00")}, small = {S("-2.3")};
    fill(db);
    assert_string_equal(HOLDS(db, gt(task.estimate, nine)), "t1");
    assert_string_equal(HOLDS(db, eq(task.estimate, nine_again)), "t2");
    assert_string_equal(HOLDS(db, in(task.estimate, small, nine_again)), "t2");
    assert_string_equal(HOLDS(db, lt(task.estimate, nine)), "t3 t4 t5 t6");
    assert_string_equal(HOLDS(db, gt(task.estimate, small)), "t1 t2 t3 t4 t5 t6");
    assert_string_equal(ids(db, charle_select(task_id, from(task), order_by(desc(task.estimate), asc(task.id)))),
                        "t1 t2 t4 t5 t6 t3");
}

static void test_patterns(struct charle_db *db)
{
    fill(db);
    assert_string_equal(HOLDS(db, like(task.title, "Paint%")), "t1");
    assert_string_equal(HOLDS(db, ilike(task.title, "PAINT%")), "t1 t2");
    assert_string_equal(HOLDS(db, not_like(task.title, "%a%")), "t3 t4 t5");
    assert_string_equal(HOLDS(db, not_ilike(task.title, "%A%")), "t3 t4 t5");
    assert_string_equal(HOLDS(db, like(task.title, "100\\%%")), "t3");
    assert_string_equal(HOLDS(db, like(task.title, "%cotton\\_w__l")), "t3");
    assert_string_equal(HOLDS(db, like(task.title, "_rger")), "t4");       // one character, not one byte
    assert_string_equal(HOLDS(db, ilike(task.title, "\xc3\xa4rger")), ""); // only ASCII is folded
    assert_string_equal(HOLDS(db, like(task.title, "back\\\\%")), "t6");
    assert_string_equal(HOLDS(db, like(task.title, "")), "t5");
    assert_string_equal(HOLDS(db, like(task.parent_id, "t%")), "t2 t3");
    assert_string_equal(HOLDS(db, not_like(task.parent_id, "x%")), "t2 t3"); // NULL is neither like nor unlike
    assert_non_null(strstr(HOLDS(db, like(task.title, "x\\")), "ends in a backslash"));
}

static void test_nulls_and_lists(struct charle_db *db)
{
    const char *const some[] = {"t1", "t5", "t9"};
    const int64_t numbers[] = {5, 6};
    fill(db);
    assert_string_equal(HOLDS(db, is_null(task.due_at)), "t2 t4 t6");
    assert_string_equal(HOLDS(db, is_not_null(task.due_at)), "t1 t3 t5");
    assert_string_equal(HOLDS(db, in(task.id, "t2", "t4", "t9")), "t2 t4");
    assert_string_equal(HOLDS(db, not_in(task.id, "t2", "t4", "t9")), "t1 t3 t5 t6");
    assert_string_equal(HOLDS(db, in_array(task.id, some, 3)), "t1 t5");
    assert_string_equal(HOLDS(db, in_array(task.points, numbers, 2)), "t1 t4");
    assert_string_equal(HOLDS(db, in(task.status, TASK_BLOCKED, TASK_DONE)), "t2 t5");
    assert_string_equal(HOLDS(db, in_array(task.id, some, 0)), "");
    assert_string_equal(HOLDS(db, not_in_array(task.id, some, 0)), "t1 t2 t3 t4 t5 t6");
    assert_string_equal(HOLDS(db, has(task.tags, "red")), "t1");
    assert_string_equal(HOLDS(db, not(has(task.tags, "red"))), "t2 t3 t4 t5 t6");
}

static void test_conditions_combine(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_conditions filter = charle_conditions(&arena);
    fill(db);
    assert_string_equal(
        HOLDS(db, and(eq(task.client_id, "b"), or (eq(task.status, TASK_OPEN), gt(task.due_at, AT(0))))), "t4 t5");
    assert_string_equal(HOLDS(db, not(and(eq(task.client_id, "b"), eq(task.status, TASK_OPEN)))), "t1 t2 t3 t5 t6");
    assert_string_equal(HOLDS(db, and()), "t1 t2 t3 t4 t5 t6");
    assert_string_equal(HOLDS(db, or ()), "");
    assert_string_equal(HOLDS(db, exists(from(entry), where(eq(entry.task_id, task.id)))), "t1 t3");
    assert_string_equal(HOLDS(db, not_exists(from(client), where(eq(client.id, task.client_id)))), "t6");
    assert_string_equal(HOLDS(db, raw("length(\"task\".\"title\") > $2 and \"task\".\"id\" <> $1 and '$3' = '$3'",
                                      charle_text(S("t1")), charle_int4(14))),
                        "t3");
    for (int i = 0; i < 3; i++) { // conditions made in an inner block
        if (i == 1)
            charle_conditions_add(&filter, or (in(task.client_id, "a", "b"), eq(task.id, "t6")));
        if (i == 2)
            charle_conditions_add(&filter,
                                  exists(from(entry), where(and(eq(entry.task_id, task.id), gt(entry.minutes, 50)))));
    }
    assert_string_equal(HOLDS(db, charle_conditions_all(&filter)), "t3");
    charle_arena_deinit(&arena);
}

static void test_order_and_pages(struct charle_db *db)
{
    fill(db);
    // PostgreSQL's place for NULLs: as if they were larger than everything.
    assert_string_equal(ids(db, charle_select(task_id, from(task), order_by(asc(task.due_at), asc(task.id)))),
                        "t3 t1 t5 t2 t4 t6");
    assert_string_equal(ids(db, charle_select(task_id, from(task), order_by(desc(task.due_at), asc(task.id)))),
                        "t2 t4 t6 t5 t1 t3");
    assert_string_equal(
        ids(db, charle_select(task_id, from(task), order_by(nulls_first(asc(task.due_at)), desc(task.id)))),
        "t6 t4 t2 t3 t1 t5");
    assert_string_equal(
        ids(db, charle_select(task_id, from(task), order_by(nulls_last(desc(task.due_at)), desc(task.id)))),
        "t5 t1 t3 t6 t4 t2");
    assert_string_equal(ids(db, charle_select(task_id, from(task), order_by(asc(task.title)))), "t5 t3 t1 t6 t2 t4");
    assert_string_equal(ids(db, charle_select(task_id, from(task), order_by(asc(task.status), asc(task.id)))),
                        "t5 t2 t3 t1 t4 t6");
    assert_string_equal(ids(db, charle_select(task_id, from(task), order_by(asc(task.id)), limit(2), offset(3))),
                        "t4 t5");
    assert_string_equal(ids(db, charle_select(task_id, from(task), order_by(asc(task.id)), offset(4))), "t5 t6");
    assert_string_equal(ids(db, charle_select(task_id, from(task), order_by(asc(task.id)), limit(0))), "");
    assert_non_null(strstr(ids(db, charle_select(task_id, from(task), limit(-1))), "negative"));
}

#define TASK_PAGE(FIELD, OUTER)    \
    FIELD(id, task.id)             \
    FIELD(status, task.status)     \
    FIELD(points, task.points)     \
    FIELD(tags, task.tags)         \
    FIELD(estimate, task.estimate) \
    OUTER(client, client.name)     \
    OUTER(phone, client.phone)     \
    OUTER(is_active, client.is_active)
CHARLE_SHAPE(task_page, TASK_PAGE);

static void test_joins_and_typed_rows(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct task_page *rows, one;
    size_t count;
    fill(db);
    assert_ok(charle_fetch_all(db, &arena,
                               charle_select(task_page, from(task), left_join(client, eq(client.id, task.client_id)),
                                             order_by(asc(task.id))),
                               &rows, &count, &err),
              &err);
    assert_int_equal(count, 6);
    assert_true(charle_str_equal(rows[0].client.value, S("Alpha")) && rows[0].client.has);
    assert_true(rows[0].phone.has && rows[0].is_active.has && rows[0].is_active.value);
    assert_int_equal(rows[0].status, TASK_OPEN);
    assert_int_equal(rows[0].points.value, 5);
    assert_int_equal(rows[0].tags.count, 2);
    assert_true(charle_str_equal(((const struct charle_str *)rows[0].tags.items)[1], S("blue")));
    assert_true(charle_str_equal(rows[2].estimate.text, S("-2.25")));
    assert_true(rows[2].client.has && !rows[2].phone.has);
    assert_false(rows[5].client.has || rows[5].phone.has || rows[5].is_active.has || rows[5].points.has);
    assert_ok(charle_fetch_one(db, &arena,
                               charle_select(task_page, from(task), inner_join(client, eq(client.id, task.client_id)),
                                             order_by(desc(task.id))),
                               &one, &err),
              &err);
    assert_true(charle_str_equal(one.id, S("t5")));
    assert_fails(charle_fetch_one(db, &arena,
                                  charle_select(task_page, from(task), left_join(client, eq(client.id, task.client_id)),
                                                where(eq(task.id, "none"))),
                                  &one, &err),
                 CHARLE_NOT_FOUND, &err, NULL);
    // NULLs of a left join, ordered; and rows for which the join found nothing.
    assert_string_equal(ids(db, charle_select(task_id, from(task), left_join(client, eq(client.id, task.client_id)),
                                              order_by(desc(client.name), asc(task.id)))),
                        "t6 t3 t4 t5 t1 t2");
    assert_string_equal(ids(db, charle_select(task_id, from(task), left_join(client, eq(client.id, task.client_id)),
                                              where(is_missing(client.id)))),
                        "t6");
    charle_arena_deinit(&arena);
}

#define PAIR(FIELD, OUTER) FIELD(id, task.id) FIELD(parent, task_alias(1).title)
CHARLE_SHAPE(pair, PAIR);

static void test_self_joins(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct task_columns parent = task_alias(1);
    struct pair *rows;
    size_t count;
    fill(db);
    assert_ok(charle_fetch_all(db, &arena,
                               charle_select(pair, from(task), inner_join(parent, eq(parent.id, task.parent_id)),
                                             where(eq(parent.status, TASK_OPEN)), order_by(asc(task.id))),
                               &rows, &count, &err),
              &err);
    assert_int_equal(count, 2);
    assert_true(charle_str_equal(rows[0].id, S("t2")) && charle_str_equal(rows[0].parent, S("Paint the wall")));
    charle_arena_deinit(&arena);
}

#define TOTALS(FIELD, OUTER)                    \
    FIELD(client_id, task.client_id)            \
    FIELD(tasks, count_rows())                  \
    FIELD(scored, count_of(task.points))        \
    FIELD(kinds, count_distinct(task.points))   \
    FIELD(points, sum_of(task.points))          \
    FIELD(mean, avg_of(task.points))            \
    FIELD(priorities, sum_of(task.priority))    \
    FIELD(estimate, sum_of(task.estimate))      \
    FIELD(mean_estimate, avg_of(task.estimate)) \
    FIELD(smallest, min_of(task.estimate))      \
    FIELD(latest, max_of(task.due_at))          \
    FIELD(last_title, max_of(task.title))
CHARLE_SHAPE(totals, TOTALS);

static void test_groups(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct totals *rows;
    size_t count;
    fill(db);
    assert_ok(charle_fetch_all(db, &arena,
                               charle_select(totals, from(task), group_by(by(task.client_id)),
                                             having(gt(count_rows(), 1)), order_by(desc(count_rows()))),
                               &rows, &count, &err),
              &err);
    assert_int_equal(count, 2);
    assert_true(charle_str_equal(rows[0].client_id, S("b")));
    assert_int_equal(rows[0].tasks, 3);
    assert_int_equal(rows[0].scored, 2);
    assert_int_equal(rows[0].kinds, 2);
    assert_int_equal(rows[0].points.value, 2);
    assert_true(rows[0].mean.has && rows[0].mean.value == 1.0);
    assert_int_equal(rows[0].priorities.value, 9);
    assert_true(charle_str_equal(rows[0].estimate.value.text, S("0.75")));
    assert_true(charle_str_equal(rows[0].mean_estimate.value.text, S("0.25")));
    assert_true(charle_str_equal(rows[0].smallest.value.text, S("-2.25")));
    assert_int_equal(rows[0].latest.value.us, AT(900).us);
    assert_true(charle_str_equal(rows[1].last_title.value, S("paint the DOOR")));
    assert_true(charle_str_equal(rows[1].mean_estimate.value.text, S("9.5")));
    // Of no rows: no groups, or one group of nothing.
    assert_ok(
        charle_fetch_all(db, &arena,
                         charle_select(totals, from(task), where(eq(task.id, "none")), group_by(by(task.client_id))),
                         &rows, &count, &err),
        &err);
    assert_int_equal(count, 0);
    charle_arena_deinit(&arena);
}

#define OVERALL(FIELD, OUTER)          \
    FIELD(rows, count_rows())          \
    FIELD(points, sum_of(task.points)) \
    FIELD(mean, avg_of(task.ratio))    \
    FIELD(third, avg_of(task.estimate))
CHARLE_SHAPE(overall, OVERALL);
#define STATUSES(FIELD, OUTER) FIELD(status, task.status)
CHARLE_SHAPE(statuses, STATUSES);

static void test_aggregates_of_everything_and_distinct(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct overall all;
    struct statuses *rows;
    size_t count;
    fill(db);
    assert_ok(charle_fetch_one(db, &arena, charle_select(overall, from(task), where(in(task.id, "t1", "t2", "t3"))),
                               &all, &err),
              &err);
    assert_int_equal(all.rows, 3);
    assert_int_equal(all.points.value, 2);
    assert_false(all.mean.has);
    assert_true(charle_str_equal(all.third.value.text, S("5.5833333333333333")));
    assert_ok(charle_fetch_one(db, &arena, charle_select(overall, from(task), where(eq(task.id, "none"))), &all, &err),
              &err);
    assert_int_equal(all.rows, 0);
    assert_false(all.points.has || all.third.has);
    assert_ok(charle_fetch_all(db, &arena, charle_select(statuses, from(task), distinct(), order_by(desc(task.status))),
                               &rows, &count, &err),
              &err);
    assert_int_equal(count, 4);
    assert_int_equal(rows[0].status, TASK_OPEN);
    must_exec(db, "update task set points = 9223372036854775807 where id in ('t1', 't4')");
    assert_fails(charle_fetch_one(db, &arena, charle_select(overall, from(task)), &all, &err), CHARLE_OUT_OF_RANGE,
                 &err, NULL);
    charle_arena_deinit(&arena);
}

static void test_whole_rows(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct task *rows, row;
    struct client wrong;
    size_t count;
    fill(db);
    assert_ok(charle_fetch_rows(db, &arena,
                                charle_select_rows(task, where(eq(task.client_id, "b")), order_by(asc(task.id))), &rows,
                                &count, &err),
              &err);
    assert_int_equal(count, 3);
    assert_true(charle_str_equal(rows[1].title, S("\xc3\x84rger")));
    assert_true(rows[1].is_urgent.has && rows[1].is_urgent.value);
    assert_ok(charle_fetch_row(db, &arena, charle_select_rows(task, where(eq(task.id, "t1"))), &row, &err), &err);
    assert_int_equal(row.tags.count, 2);
    assert_ok(charle_fetch_row(
                  db, &arena,
                  charle_select_rows(task, inner_join(entry, eq(entry.task_id, task.id)), where(eq(entry.id, 3))), &row,
                  &err),
              &err);
    assert_true(charle_str_equal(row.id, S("t3")));
    assert_fails(charle_fetch_row(db, &arena, charle_select_rows(task, where(eq(task.id, "t1"))), &wrong, &err),
                 CHARLE_INVALID_ARGUMENT, &err, "do not fit");
    charle_arena_deinit(&arena);
}

static enum charle_err add_up(const void *row, void *ctx, struct charle_error *err)
{
    const struct task_id *id = row;
    char *text = ctx;
    if (charle_str_equal(id->id, S("t5")))
        return charle_fail(err, CHARLE_CANCELLED, "enough");
    strncat(text, id->id.ptr, id->id.len);
    return CHARLE_OK;
}

static void test_rows_one_by_one(struct charle_db *db)
{
    struct charle_error err = {0};
    char text[32] = "";
    fill(db);
    assert_fails(charle_fetch_each(db, charle_select(task_id, from(task), order_by(asc(task.id))), add_up, text, &err),
                 CHARLE_CANCELLED, &err, "enough");
    assert_string_equal(text, "t1t2t3t4");
    assert_int_equal(must_count(db, "select count(*) from task"), 6);
}

static void test_updates_and_deletes(struct charle_db *db)
{
    struct charle_error err = {0};
    int64_t changed = 0;
    const struct charle_opt_ts none = {0};
    fill(db);
    assert_ok(charle_run(db,
                         charle_update(task, eq(task.id, "t1"), set(task.title, "New"), set(task.status, TASK_DONE),
                                       set_null(task.points), set(task.due_at, none), set(task.ratio, 2),
                                       set(task.meta, ((struct charle_json){S("{\"b\": 1, \"a\": [true]}")}))),
                         &changed, &err),
              &err);
    assert_int_equal(changed, 1);
    assert_string_equal(HOLDS(db, and(eq(task.title, "New"), eq(task.status, TASK_DONE), is_null(task.points),
                                      is_null(task.due_at), eq(task.ratio, 2.0), is_not_null(task.meta))),
                        "t1");
    assert_ok(charle_run(db, charle_update(task, every_row(), set(task.title, task.id)), &changed, &err), &err);
    assert_int_equal(changed, 6);
    assert_string_equal(HOLDS(db, eq(task.title, "t4")), "t4");
    assert_ok(charle_run(db, charle_delete(task, in(task.id, "t1", "t2", "gone")), &changed, &err), &err);
    assert_int_equal(changed, 2);
    assert_ok(
        charle_run(db, charle_delete(task, exists(from(client), where(eq(client.id, task.client_id)))), &changed, &err),
        &err);
    assert_string_equal(HOLDS(db, and()), "t6");
}

static void test_an_empty_condition_is_refused(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_conditions nothing = charle_conditions(&arena);
    struct charle_error err = {0};
    const char *const no_ids[] = {"x"};
    fill(db);
    assert_fails(charle_run(db, charle_delete(task, charle_conditions_all(&nothing)), NULL, &err),
                 CHARLE_INVALID_ARGUMENT, &err, "every_row()");
    assert_fails(charle_run(db, charle_delete(task, and()), NULL, &err), CHARLE_INVALID_ARGUMENT, &err, "every_row()");
    assert_fails(charle_run(db, charle_delete(task, or (eq(task.id, "t1"), and())), NULL, &err),
                 CHARLE_INVALID_ARGUMENT, &err, "a delete");
    assert_fails(charle_run(db, charle_delete(task, not_in_array(task.id, no_ids, 0)), NULL, &err),
                 CHARLE_INVALID_ARGUMENT, &err, "empty");
    assert_fails(charle_run(db, charle_update(task, and(and(), not(or ())), set(task.title, "x")), NULL, &err),
                 CHARLE_INVALID_ARGUMENT, &err, "an update of task");
    assert_fails(charle_run(db, charle_update(task, eq(task.id, "t1")), NULL, &err), CHARLE_INVALID_ARGUMENT, &err,
                 "set");
    assert_int_equal(must_count(db, "select count(*) from task"), 6);
}

static void test_upserts_and_returning(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct task row = new_task("t1", "c", "Again", TASK_BLOCKED);
    struct task_id *rows;
    size_t count;
    int64_t changed;
    fill(db);
    assert_fails(charle_run(db, charle_insert(task, row), NULL, &err), CHARLE_UNIQUE_VIOLATION, &err, NULL);
    assert_ok(charle_run(db, on_conflict_do_nothing(charle_insert(task, row)), &changed, &err), &err);
    assert_int_equal(changed, 0);
    assert_ok(charle_run(db,
                         on_conflict_do_update(charle_insert(task, row), target(by(task.id)),
                                               set(task.title, excluded(task.title)), set(task.priority, 8)),
                         &changed, &err),
              &err);
    assert_int_equal(changed, 1);
    assert_string_equal(HOLDS(db, and(eq(task.title, "Again"), eq(task.priority, 8), eq(task.client_id, "a"))), "t1");
    assert_ok(charle_fetch_all(db, &arena,
                               returning(task_id, charle_update(task, eq(task.client_id, "b"), set(task.priority, 7))),
                               &rows, &count, &err),
              &err);
    assert_int_equal(count, 3);
    assert_ok(charle_fetch_all(db, &arena, returning(task_id, charle_delete(task, eq(task.priority, 7))), &rows, &count,
                               &err),
              &err);
    assert_int_equal(count, 3);
    row.id = S("t9");
    assert_ok(charle_fetch_all(db, &arena, returning(task_id, charle_insert(task, row)), &rows, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_true(charle_str_equal(rows[0].id, S("t9")));
    charle_arena_deinit(&arena);
}

// Rows that leave out different columns become several statements, but all of them or none are inserted.
static void test_many_rows_at_once(struct charle_db *db)
{
    struct charle_error err = {0};
    static struct entry rows[1000];
    int64_t changed = 0;
    make_tables(db);
    for (int i = 0; i < 1000; i++)
        rows[i] = (struct entry){.id = i + 1, .task_id = S("t"), .minutes = i, .note = {S("n"), i % 7 == 0}};
    assert_ok(charle_run(db, charle_insert_many(entry, rows, 1000), &changed, &err), &err);
    assert_int_equal(changed, 1000);
    assert_int_equal(must_count(db, "select sum(minutes) from entry"), 499500);
    assert_int_equal(must_count(db, "select count(*) from entry where note is not null"), 143);
    must_exec(db, "delete from entry where id < 1000");
    assert_fails(charle_run(db, charle_insert_many(entry, rows, 1000), &changed, &err), CHARLE_UNIQUE_VIOLATION, &err,
                 NULL);
    assert_int_equal(must_count(db, "select count(*) from entry"), 1);
}

#define ONE_CLIENT(FIELD, OUTER) FIELD(name, client.name)
CHARLE_SHAPE(one_client, ONE_CLIENT);
#define MIXED(FIELD, OUTER) FIELD(id, task.id) FIELD(rows, count_rows())
CHARLE_SHAPE(mixed, MIXED);
#define DOUBLE_SUM(FIELD, OUTER) FIELD(sum, sum_of(sum_of(task.points)))
CHARLE_SHAPE(double_sum, DOUBLE_SUM);

#define WITH_META(FIELD, OUTER) FIELD(meta, task.meta)
CHARLE_SHAPE(with_meta, WITH_META);
#define META_COUNT(FIELD, OUTER) FIELD(count, count_distinct(task.meta))
CHARLE_SHAPE(meta_count, META_COUNT);

static void refused(enum charle_err rc, const struct charle_error *err, const char *words)
{
    assert_fails(rc, CHARLE_INVALID_ARGUMENT, err, words);
    assert_int_equal(err->domain, CHARLE_DOMAIN_CHARLE); // the database was not asked
}

static void test_wrong_statements_never_reach_the_database(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct one_client *clients;
    struct mixed *mixed;
    struct double_sum *sums;
    static const struct task_columns no_table;
    const struct task_columns other = task_alias(2);
    struct with_meta *metas;
    struct meta_count *counts;
    struct task_page *pages;
    struct task_id *id;
    size_t n;
    struct charle_db *const d = db;
    struct charle_arena *const a = &arena;
    refused(charle_fetch_all(d, a, charle_select(one_client, from(task)), &clients, &n, &err), &err,
            "add from(client)");
    refused(charle_fetch_all(d, a, charle_select(task_id, from(task), where(eq(client.name, "x"))), &id, &n, &err),
            &err, "client.name");
    refused(charle_fetch_all(d, a, charle_select(task_id, from(task), where(eq(task_alias(2).id, "x"))), &id, &n, &err),
            &err, "under an alias");
    refused(charle_fetch_all(d, a, charle_select(task_id, from(task), order_by(asc(client.id))), &id, &n, &err), &err,
            "client.id");
    refused(charle_fetch_all(d, a, charle_select(task_id, where(eq(task.id, "x"))), &id, &n, &err), &err, "from");
    refused(charle_fetch_all(d, a, charle_select(task_id, from(task), cross_join(task)), &id, &n, &err), &err, "twice");
    refused(charle_fetch_all(d, a, charle_select(task_id, from(task), where(gt(count_rows(), 1))), &id, &n, &err), &err,
            "having");
    refused(charle_fetch_all(d, a, charle_select(task_id, from(task), where(and()), where(and())), &id, &n, &err), &err,
            "twice");
    refused(charle_fetch_all(d, a, charle_select(mixed, from(task)), &mixed, &n, &err), &err, "group_by");
    refused(charle_fetch_all(d, a, charle_select(double_sum, from(task)), &sums, &n, &err), &err,
            "aggregate of an aggregate");
    refused(charle_fetch_all(d, a, charle_select(task_id, from(task), where(eq(task.status, 77))), &id, &n, &err), &err,
            "77");
    refused(charle_fetch_all(d, a, charle_select(task_id, from(task), where(eq(task.is_urgent, 2))), &id, &n, &err),
            &err, "bool");
    refused(charle_fetch_all(d, a, charle_select(task_id, from(task), distinct(), order_by(asc(task.title))), &id, &n,
                             &err),
            &err, "distinct");
    refused(charle_fetch_all(d, a, charle_select(task_id, from(task), where(raw("$2 = $1", charle_int4(1)))), &id, &n,
                             &err),
            &err, "$2");
    refused(charle_fetch_all(
                d, a, charle_select(task_id, from(task), where(eq(task.estimate, ((struct charle_numeric){S("1,5")})))),
                &id, &n, &err),
            &err, "decimal");
    refused(charle_run(d, charle_update(task, eq(task.id, "x"), set(client.name, "y")), NULL, &err), &err,
            "cannot be set");
    refused(
        charle_run(d, charle_update(task, eq(task.id, "x"), set(task.title, "y"), set(task.title, "z")), NULL, &err),
        &err, "set twice");
    refused(charle_run(d, charle_delete(task, eq(client.id, "x")), NULL, &err), &err, "client.id");
    refused(charle_run(d, charle_delete(other, eq(other.id, "x")), NULL, &err), &err, "without an alias");
    refused(charle_fetch_all(d, a, charle_select(task_id, from(no_table)), &id, &n, &err), &err, "as in from(task)");
    refused(charle_fetch_all(d, a, charle_select(task_id, cross_join(task)), &id, &n, &err), &err, "needs a from()");
    refused(charle_fetch_all(d, a, charle_select(task_id, from(task), where(eq(no_table.id, "x"))), &id, &n, &err), &err,
            "handle is empty");
    refused(charle_fetch_all(d, a, charle_select(with_meta, from(task), distinct()), &metas, &n, &err), &err, "cannot hold JSON");
    refused(charle_fetch_all(d, a, charle_select(meta_count, from(task)), &counts, &n, &err), &err, "cannot be counted");
    assert_fails(
        charle_fetch_all(d, a, charle_select(task_id, from(task), where(eq(task.priority, 5000000000))), &id, &n, &err),
        CHARLE_OUT_OF_RANGE, &err, "int4");
    assert_fails(
        charle_fetch_all(d, a, charle_select(task_id, from(task), where(eq(task.points, UINT64_MAX))), &id, &n, &err),
        CHARLE_OUT_OF_RANGE, &err, "int8");
    // The client's not null columns are taken as OUTER; a shape that takes them plain does not fit a left join.
    refused(charle_fetch_all(d, a,
                             charle_select(one_client, from(task), left_join(client, eq(client.id, task.client_id))),
                             &clients, &n, &err),
            &err, "OUTER(name");
    assert_fails(
        charle_fetch_all(d, a, charle_select(task_page, from(task), inner_join(client, eq(client.id, task.client_id))),
                         &pages, &n, &err),
        CHARLE_INVALID_ARGUMENT, &err, NULL); // there are no tables yet
    assert_int_not_equal(err.domain, CHARLE_DOMAIN_CHARLE);
    charle_arena_deinit(&arena);
}

static void keep_sql(const struct charle_trace *trace, void *ctx)
{
    snprintf(ctx, 400, "%.*s", CHARLE_FMT(trace->sql));
}

static void test_what_it_says(struct charle_db *db)
{
    struct charle_buf buf = {0};
    struct charle_error err = {0};
    char sql[400] = "";
    bool is_pg = charle_db_dialect(db) == CHARLE_PG;
    fill(db);
    assert_ok(charle_query_text(
                  charle_db_dialect(db),
                  charle_select(task_id, from(task),
                                where(and(eq(task.title, "it's"), gt(task.due_at, AT(0)), in(task.points, 1, 2, 3))),
                                order_by(desc(task.due_at)), limit(5)),
                  &buf, &err),
              &err);
    assert_string_equal(charle_buf_text(&buf), is_pg
                                                   ? "select \"task\".\"id\" from \"task\" where (\"task\".\"title\" = "
                                                     "$1 and \"task\".\"due_at\" > $2 and \"task\".\"points\" in "
                                                     "($3, $4, $5, $6)) order by \"task\".\"due_at\" desc limit $7 -- "
                                                     "$1 = 'it's', $2 = '1970-01-01T00:00:00Z', $3 = 1, $4 = 2, $5 = 3,"
                                                     " $6 = 3, $7 = 5"
                                                   : "select \"task\".\"id\" from \"task\" where (\"task\".\"title\" = "
                                                     "$1 and \"task\".\"due_at\" > $2 and \"task\".\"points\" in "
                                                     "($3, $4, $5, $6)) order by \"task\".\"due_at\" desc nulls first "
                                                     "limit $7 -- $1 = 'it's', $2 = '1970-01-01T00:00:00Z', $3 = 1,"
                                                     " $4 = 2, $5 = 3, $6 = 3, $7 = 5");
    charle_db_set_trace(db, keep_sql, sql);
    charle_db_set_service(db, "agency.TaskService/List */ drop");
    assert_string_equal(HOLDS(db, eq(task.id, "t1")), "t1");
    assert_string_equal(
        sql, "/* agency.TaskService/List/drop */ select \"task\".\"id\" from \"task\" where \"task\".\"id\" = $1"
             " order by \"task\".\"id\"");
    charle_db_set_trace(db, NULL, NULL);
    charle_db_set_service(db, NULL);
    charle_buf_deinit(&buf);
}

static void test_floats_agree(struct charle_db *db)
{
    fill(db);
    struct charle_error err = {0};
    assert_ok(charle_run(db, charle_update(task, eq(task.id, "t1"), set(task.ratio, (double)NAN)), NULL, &err), &err);
    assert_ok(charle_run(db, charle_update(task, eq(task.id, "t2"), set(task.ratio, (double)INFINITY)), NULL, &err),
              &err);
    assert_ok(charle_run(db, charle_update(task, eq(task.id, "t3"), set(task.ratio, -0.0)), NULL, &err), &err);
    assert_string_equal(HOLDS(db, eq(task.ratio, (double)NAN)), "t1");
    assert_string_equal(HOLDS(db, gt(task.ratio, 0.5)), "t1 t2");
    assert_string_equal(HOLDS(db, eq(task.ratio, 0.0)), "t3");
    assert_string_equal(
        ids(db, charle_select(task_id, from(task), where(is_not_null(task.ratio)), order_by(desc(task.ratio)))),
        "t1 t2 t6 t3");
}

int main(void)
{
    const struct suite_item items[] = {
        SUITE_ITEM(test_comparisons),
        SUITE_ITEM(test_decimals_compare_by_value),
        SUITE_ITEM(test_patterns),
        SUITE_ITEM(test_nulls_and_lists),
        SUITE_ITEM(test_conditions_combine),
        SUITE_ITEM(test_order_and_pages),
        SUITE_ITEM(test_joins_and_typed_rows),
        SUITE_ITEM(test_self_joins),
        SUITE_ITEM(test_groups),
        SUITE_ITEM(test_aggregates_of_everything_and_distinct),
        SUITE_ITEM(test_whole_rows),
        SUITE_ITEM(test_rows_one_by_one),
        SUITE_ITEM(test_updates_and_deletes),
        SUITE_ITEM(test_an_empty_condition_is_refused),
        SUITE_ITEM(test_upserts_and_returning),
        SUITE_ITEM(test_many_rows_at_once),
        SUITE_ITEM(test_wrong_statements_never_reach_the_database),
        SUITE_ITEM(test_what_it_says),
        SUITE_ITEM(test_floats_agree),
    };
    return suite_run("db query", items, sizeof(items) / sizeof(items[0]));
}
