// List: filters of every type, orders, pages that neither skip nor repeat, and nothing that the caller does not see.
// Every case on PostgreSQL and on SQLite.
#include "office.h"

#include "msg/json.h"

#include <stdio.h>

#define BOSS "boss,person:boss,team"
#define ANN  "person:ann,team"
#define BOB  "person:bob,team"

// Thirty projects of ann's and bob's: titles t00 … t29, score i / 4, rank in days, every third without a start.
static void with_projects(struct office *o, struct charle_db *db)
{
    office_open(o, db, false);
    office_staff(o);
    assert_call(o, ANN, "Project/Delete", "{\"key\":{\"id\":\"p1\"}}", "{}");
    for (int i = 0; i < 30; i++) {
        const char *owner = i % 2 ? "bob" : "ann";
        char start[40] = "";
        if (i % 3)
            snprintf(start, sizeof(start), ",\"starts_on\":\"2026-01-%02d\"", 1 + i / 2);
        assert_matches(
            office_call(o, i % 2 ? BOB : ANN, "Project/Create",
                        "{\"id\":\"p%02d\",\"title\":\"t%02d\",\"owner_id\":\"%s\",\"state\":\"%s\",\"budget\":\"%d\","
                        "\"score\":%g,\"hours\":%d,"
                        "\"labels\":[\"l%d\"],\"is_active\":%s,\"token\":\"00000000-0000-0000-0000-0000000000%02d\"%s}",
                        i, i, owner,
                        i < 3    ? "new"
                        : i < 20 ? "open"
                                 : "done",
                        i * 9, i / 4.0, i % 5, i, i % 4 ? "true" : "false", i, start),
            "{\"id\"*", __FILE__, __LINE__);
    }
}

// The ids of a page, separated by blanks, and a "+" when there is a next one.
static const char *ids(struct office *o, const char *json)
{
    struct charle_buf out = {0};
    const char *at = json;
    for (; (at = strstr(at, "\"id\":\"")); at++)
        charle_buf_printf(&out, "%s%.*s", out.size ? " " : "", (int)strcspn(at + 6, "\""), at + 6);
    if (strstr(json, "\"next\":"))
        charle_buf_add_text(&out, " +");
    if (strncmp(json, "{\"rows\"", 7) != 0 && strcmp(json, "{}") != 0)
        charle_buf_add_text(&out, json);
    struct charle_str text = charle_arena_str(&o->arena, charle_buf_str(&out));
    charle_buf_deinit(&out);
    return text.ptr;
}

#define assert_list(o, who, request, expected) \
    assert_matches(ids(o, office_call(o, who, "Project/List", "%s", request)), expected, __FILE__, __LINE__)
#define assert_filter(o, column, op, values, expected)                                         \
    assert_list(o, BOSS,                                                                       \
                "{\"filter\":[{\"column\":\"" column "\",\"op\":\"" op "\",\"value\":[" values \
                "]}],\"order_by\":\"id\",\"ascending\":true}",                                 \
                expected)

static void newest_come_first(struct charle_db *db)
{
    struct office o;
    with_projects(&o, db);
    assert_list(&o, BOSS, "{}", "p29 p28 p27 p26 p25 p24 p23 p22 p21 p20 p19 p18 p17 p16 p15 p14 p13 p12 p11 p10 +");
    assert_list(&o, BOSS, "{\"limit\":3,\"ascending\":true}",
                "p03 p04 p05 +"); // the new ones are not the team's to see
    assert_list(&o, BOSS, "{\"limit\":1000}", "p29*p03");
    assert_list(&o, BOB, "{\"limit\":1000}", "p29*p04 p03 p01"); // p01 is bob's own
    assert_list(&o, "person:ann", "{\"limit\":1000}", "p28 p26 p24*p02 p00");
    assert_list(&o, "person:nobody", "{}", "");
    assert_list(&o, "", "{}", "");
    office_close(&o);
}

static void filters_of_every_type(struct charle_db *db)
{
    struct office o;
    with_projects(&o, db);
    assert_filter(&o, "title", "filter_eq", "\"t07\"", "p07");
    assert_filter(&o, "title", "filter_like", "\"t0%\"", "p03 p04 p05 p06 p07 p08 p09");
    assert_filter(&o, "title", "filter_like", "\"T0%\"", "");
    assert_filter(&o, "title", "filter_ilike", "\"T0_\"", "p03 p04 p05 p06 p07 p08 p09");
    assert_filter(&o, "title", "filter_like", "\"t0\\\\_\"", ""); // an escaped underscore is itself
    assert_filter(&o, "title", "filter_gt", "\"t27\"", "p28 p29");
    assert_filter(&o, "title", "filter_in", "\"t05\",\"t29\",\"zz\"", "p05 p29");
    assert_filter(&o, "state", "filter_eq", "\"done\"", "p20 p21 p22 p23 p24 p25 p26 p27 p28 p29");
    assert_filter(&o, "state", "filter_in", "\"done\",\"new\"", "p20*p29");
    assert_filter(&o, "hours", "filter_eq", "\"4\"", "p04 p09 p14 p19 p24 p29");
    assert_filter(&o, "hours", "filter_gte", "\"4\"", "p04 p09 p14 p19 p24 p29");
    assert_filter(&o, "hours", "filter_in", "\"0\"", "p05 p10 p15 p20 p25");
    assert_filter(&o, "score", "filter_lte", "\"1\"", "p03 p04");
    assert_filter(&o, "score", "filter_eq", "\"7.25\"", "p29");
    assert_filter(&o, "starts_on", "filter_eq", "\"2026-01-03\"", "p04 p05");
    assert_filter(&o, "starts_on", "filter_lt", "\"2026-01-03\"", "");
    assert_filter(&o, "starts_on", "filter_is_null", "", "p03 p06 p09 p12 p15 p18 p21 p24 p27");
    assert_filter(&o, "starts_on", "filter_is_not_null", "", "p04 p05 p07*p29");
    assert_filter(&o, "created_at", "filter_lt", "\"2026-11-22T12:41:10Z\"", "p03");
    assert_filter(&o, "is_active", "filter_eq", "\"false\"", "p04 p08 p12 p16 p20 p24 p28");
    assert_filter(&o, "token", "filter_eq", "\"00000000-0000-0000-0000-000000000029\"", "p29");
    assert_filter(&o, "token", "filter_gt", "\"00000000-0000-0000-0000-000000000027\"", "p28 p29");
    assert_filter(&o, "title", "filter_ne", "\"t03\"", "p04*p23 +");
    assert_list(&o, BOSS,
                "{\"filter\":[{\"column\":\"hours\",\"op\":\"filter_eq\",\"value\":[\"4\"]},{\"column\":\"state\","
                "\"op\":\"filter_eq\",\"value\":[\"done\"]}]}",
                "p29 p24");
    // Decimals by value, not by text: 9 is less than 18.
    assert_list(
        &o, "person:ann",
        "{\"filter\":[{\"column\":\"budget\",\"op\":\"filter_lt\",\"value\":[\"90.00\"]}],\"order_by\":\"budget\"}",
        "p08 p06 p04 p02 p00");
    assert_list(&o, "person:ann",
                "{\"filter\":[{\"column\":\"budget\",\"op\":\"filter_in\",\"value\":[\"18.0\",\"1\"]}]}", "p02");
    office_close(&o);
}

static void wrong_filters_are_refused(struct charle_db *db)
{
    struct office o;
    with_projects(&o, db);
    assert_filter(&o, "nope", "filter_eq", "\"1\"", "INVALID_ARGUMENT: project has no column \"nope\" to filter by");
    assert_filter(&o, "hours", "filter_eq", "\"many\"", "INVALID_ARGUMENT: filter eq: hours must be a whole number*");
    assert_filter(&o, "hours", "filter_eq", "", "INVALID_ARGUMENT: filter eq on hours: takes one value");
    assert_filter(&o, "hours", "filter_eq", "\"1\",\"2\"", "INVALID_ARGUMENT: filter eq on hours: takes one value");
    assert_filter(&o, "hours", "filter_is_null", "\"1\"", "INVALID_ARGUMENT: filter is_null on hours: takes no value");
    assert_filter(&o, "hours", "filter_in", "", "INVALID_ARGUMENT: filter in on hours: takes 1 to 1000 values");
    assert_filter(&o, "hours", "filter_like", "\"1\"",
                  "INVALID_ARGUMENT: filter like on hours: patterns are for text columns");
    assert_filter(&o, "title", "filter_like", "\"a\\\\\"",
                  "INVALID_ARGUMENT: filter like on title: the pattern ends in a single backslash*");
    assert_filter(&o, "state", "filter_gt", "\"new\"",
                  "INVALID_ARGUMENT: filter gt on state: this column has no order*");
    assert_filter(&o, "state", "filter_eq", "\"lost\"",
                  "INVALID_ARGUMENT: filter eq: state must be one of \"new\", \"open\", \"done\"");
    assert_filter(&o, "labels", "filter_eq", "\"x\"", "INVALID_ARGUMENT: filter eq on labels: an array can only*");
    assert_filter(&o, "settings", "filter_eq", "\"{}\"",
                  "INVALID_ARGUMENT: filter eq on settings: a JSON column can only*");
    assert_filter(&o, "title", "filter_nope", "\"x\"", "INVALID_ARGUMENT: charle.Filter.op must be one of*");
    assert_filter(&o, "title", "99", "\"x\"", "INVALID_ARGUMENT: the filter on title has the unknown operator 99");
    assert_list(&o, BOSS, "{\"limit\":0}", "INVALID_ARGUMENT: limit is 0; it must be 1 to 1000");
    assert_list(&o, BOSS, "{\"limit\":1001}", "INVALID_ARGUMENT: limit is 1001; it must be 1 to 1000");
    assert_list(&o, BOSS, "{\"order_by\":\"nope\"}", "INVALID_ARGUMENT: project has no column \"nope\" to order by");
    assert_list(&o, BOSS, "{\"order_by\":\"labels\"}", "INVALID_ARGUMENT: labels of project has no order");
    assert_list(&o, BOSS, "{\"after\":\"AAAA\"}", "INVALID_ARGUMENT: `after` is not the `next` of a page of project*");
    assert_list(&o, BOSS, "{\"after\":\"!\"}", "INVALID_ARGUMENT: `after` is not*");
    office_close(&o);
}

// What is typed is never text of a statement.
static void values_are_only_values(struct charle_db *db)
{
    struct office o;
    with_projects(&o, db);
    assert_filter(&o, "title", "filter_eq", "\"' or '1'='1\"", "");
    assert_filter(&o, "title", "filter_in", "\"x') or (1=1\"", "");
    assert_filter(&o, "title\\\" or 1=1 --", "filter_eq", "\"x\"",
                  "INVALID_ARGUMENT: project has no column \"title\" or 1=1 --\" to filter by");
    assert_list(&o, BOSS, "{\"order_by\":\"title; drop table project\"}", "INVALID_ARGUMENT: project has no column *");
    assert_int_equal(must_count(db, "select count(*) from project"), 30);
    office_close(&o);
}

static void a_list_does_not_tell_what_is_hidden(struct charle_db *db)
{
    struct office o;
    with_projects(&o, db);
    // The budget is shown to owners only: bob may ask for it, and hears of his own projects alone.
    assert_list(&o, BOB,
                "{\"filter\":[{\"column\":\"budget\",\"op\":\"filter_gte\",\"value\":[\"216\"]}],\"order_by\":\"id\"}",
                "p29 p27 p25");
    assert_list(&o, BOB, "{\"order_by\":\"budget\",\"limit\":4}", "p29 p27 p25 p23 +");
    assert_list(&o, "team", "{\"order_by\":\"budget\"}",
                "INVALID_ARGUMENT: project has no column \"budget\" to order by");
    assert_list(&o, "team", "{\"filter\":[{\"column\":\"budget\",\"op\":\"filter_gt\",\"value\":[\"1\"]}]}",
                "INVALID_ARGUMENT: project has no column budget that this caller may see");
    assert_call(&o, ANN, "Person/List", "{\"order_by\":\"secret\"}",
                "INVALID_ARGUMENT: person has no column \"secret\" to order by");
    assert_call(&o, BOSS, "Person/List", "{\"filter\":[{\"column\":\"secret\",\"op\":\"filter_is_null\"}]}",
                "INVALID_ARGUMENT: person has no column \"secret\" to filter by");
    const char *page = office_call(&o, BOB, "Project/List", "{\"limit\":2,\"order_by\":\"id\"}");
    assert_matches(page, "{\"rows\":[{\"id\":\"p29\",*\"budget\":\"261\",*},{\"id\":\"p28\",*", __FILE__, __LINE__);
    assert_int_equal(strstr(strstr(page, "p28"), "budget") != NULL, 0);
    office_close(&o);
}

// Walks all pages of an order, and compares the ids with those of one large page.
static void walk(struct office *o, const char *who, const char *order, bool is_ascending, int limit)
{
    const char *whole = office_call(o, who, "Project/List", "{\"order_by\":\"%s\",\"ascending\":%s,\"limit\":1000}",
                                    order, is_ascending ? "true" : "false");
    struct charle_buf all = {0};
    char after[512] = "";
    for (int page = 0; page < 40; page++) {
        const char *json = office_call(
            o, who, "Project/List", "{\"order_by\":\"%s\",\"ascending\":%s,\"limit\":%d%s%s%s}", order,
            is_ascending ? "true" : "false", limit, *after ? ",\"after\":\"" : "", after, *after ? "\"" : "");
        const char *list = ids(o, json), *next = strstr(json, "\"next\":\"");
        size_t len = strcspn(list, "+");
        while (len && list[len - 1] == ' ')
            len--;
        charle_buf_printf(&all, "%s%.*s", all.size && len ? " " : "", (int)len, list);
        if (!next)
            break;
        snprintf(after, sizeof(after), "%.*s", (int)strcspn(next + 8, "\""), next + 8);
    }
    assert_matches(charle_buf_text(&all), ids(o, whole), __FILE__, __LINE__);
    charle_buf_deinit(&all);
}

static void pages_neither_skip_nor_repeat(struct charle_db *db)
{
    static const char *const orders[] = {"id",         "title",     "state", "hours",  "score",    "starts_on",
                                         "created_at", "is_active", "token", "budget", "closed_at"};
    struct office o;
    with_projects(&o, db);
    for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
        for (int limit = 1; limit < 12; limit += 5) {
            walk(&o, "person:ann,person:bob", orders[i], true, limit);
            walk(&o, "person:ann,person:bob", orders[i], false, limit);
        }
    }
    // Rows without a value come last, both ways.
    assert_list(&o, BOSS, "{\"order_by\":\"starts_on\",\"ascending\":true,\"limit\":2}", "p04 p05 +");
    assert_list(&o, BOSS, "{\"order_by\":\"starts_on\",\"limit\":2}", "p29 p28 +");
    // A cursor is of one order.
    const char *json = office_call(&o, BOSS, "Project/List", "{\"order_by\":\"title\",\"limit\":1}");
    const char *next = strstr(json, "\"next\":\"") + 8;
    const char *text = office_call(&o, BOSS, "Project/List", "{\"order_by\":\"hours\",\"after\":\"%.*s\"}",
                                   (int)strcspn(next, "\""), next);
    assert_matches(text, "INVALID_ARGUMENT: `after` is not*", __FILE__, __LINE__);
    text = office_call(&o, BOSS, "Project/List", "{\"order_by\":\"title\",\"ascending\":true,\"after\":\"%.*s\"}",
                       (int)strcspn(next, "\""), next);
    assert_matches(text, "INVALID_ARGUMENT: `after` is not*", __FILE__, __LINE__);
    office_close(&o);
}

static void composite_keys_have_pages_too(struct charle_db *db)
{
    struct office o;
    with_projects(&o, db);
    for (int i = 3; i < 9; i++) {
        for (int n = 0; n < 3; n++)
            assert_matches(office_call(&o, ANN, "Member/Create",
                                       "{\"project_id\":\"p%02d\",\"person_id\":\"%s\",\"role\":\"r%d\"}", i,
                                       n == 0   ? "ann"
                                       : n == 1 ? "bob"
                                                : "boss",
                                       i % 2),
                           "{*", __FILE__, __LINE__);
    }
    char after[512] = "";
    int rows = 0;
    for (int page = 0; page < 20; page++) {
        const char *json = office_call(&o, ANN, "Member/List", "{\"order_by\":\"role\",\"limit\":4%s%s%s}",
                                       *after ? ",\"after\":\"" : "", after, *after ? "\"" : "");
        for (const char *at = json; (at = strstr(at, "person_id")); at++)
            rows++;
        const char *next = strstr(json, "\"next\":\"");
        if (!next)
            break;
        snprintf(after, sizeof(after), "%.*s", (int)strcspn(next + 8, "\""), next + 8);
    }
    assert_int_equal(rows, 18);
    office_close(&o);
}

static void large_rows_end_a_page(struct charle_db *db)
{
    struct office o;
    with_projects(&o, db);
    must_exec(db, charle_db_dialect(db) == CHARLE_PG
                      ? "update project set notes = repeat('x', 300000) where state = 'done'"
                      : "update project set notes = replace(hex(zeroblob(150000)), '0', 'x') where state = 'done'");
    assert_list(&o, BOSS, "{\"order_by\":\"id\",\"limit\":10}", "p29 p28 p27 p26 +"); // a little over 1 MiB
    office_close(&o);
}

int main(void)
{
    const struct suite_item items[] = {
        SUITE_ITEM(newest_come_first),
        SUITE_ITEM(filters_of_every_type),
        SUITE_ITEM(wrong_filters_are_refused),
        SUITE_ITEM(values_are_only_values),
        SUITE_ITEM(a_list_does_not_tell_what_is_hidden),
        SUITE_ITEM(pages_neither_skip_nor_repeat),
        SUITE_ITEM(composite_keys_have_pages_too),
        SUITE_ITEM(large_rows_end_a_page),
    };
    return suite_run("crud lists", items, sizeof(items) / sizeof(*items));
}
