// Live queries as an application uses them. The oracle is plain: a list that follows the told changes one by one must be what the query
// gives when it is simply run.
#include "fixture.h"

#include "base/buf.h"
#include "db/query.h"
#include "notes.columns.charle.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

// --- a list that follows ------------------------------------------------------------------------------------------------------

enum { ROWS_MAX = 2000 };

struct list {
    char *rows[ROWS_MAX]; // "value|value"
    int count;
    int inserted, updated, deleted, moved, settled, failed; // changes since list_calm
    int code;
};

static char *row_text(const struct charle_value *values, size_t count)
{
    struct charle_buf buf = {0};
    for (size_t i = 0; i < count; i++) {
        if (i)
            charle_buf_add_byte(&buf, '|');
        if (values[i].is_null)
            charle_buf_add_text(&buf, "NULL");
        else if (values[i].type == CHARLE_TYPE_INT8)
            charle_buf_printf(&buf, "%lld", (long long)values[i].int8);
        else if (values[i].type == CHARLE_TYPE_FLOAT8)
            charle_buf_printf(&buf, "%g", values[i].float8);
        else
            charle_buf_add_str(&buf, values[i].text);
    }
    char *text = strdup(charle_buf_text(&buf));
    charle_buf_deinit(&buf);
    return text;
}

static void take_out(struct list *list, int64_t at, char *expected)
{
    assert_true(at >= 0 && at < list->count);
    assert_string_equal(list->rows[at], expected);
    free(expected);
    free(list->rows[at]);
    memmove(&list->rows[at], &list->rows[at + 1], (size_t)(list->count - at - 1) * sizeof(list->rows[0]));
    list->count--;
}

static void put_in(struct list *list, int64_t at, char *row)
{
    assert_true(at >= 0 && at <= list->count && list->count < ROWS_MAX);
    memmove(&list->rows[at + 1], &list->rows[at], (size_t)(list->count - at) * sizeof(list->rows[0]));
    list->rows[at] = row;
    list->count++;
}

static void follow(void *ctx, const struct charle_live_change *change)
{
    struct list *list = ctx;
    switch (change->event) {
    case CHARLE_LIVE_INSERTED:
        put_in(list, change->at, row_text(change->values, change->column_count));
        list->inserted++;
        break;
    case CHARLE_LIVE_UPDATED:
        take_out(list, change->at, row_text(change->old_values, change->column_count));
        put_in(list, change->at, row_text(change->values, change->column_count));
        list->updated++;
        break;
    case CHARLE_LIVE_DELETED:
        take_out(list, change->at, row_text(change->values, change->column_count));
        list->deleted++;
        list->moved += change->has_moved;
        break;
    case CHARLE_LIVE_SETTLED:
        assert_int_equal(change->at, list->count);
        assert_null(change->values);
        list->settled++;
        break;
    case CHARLE_LIVE_FAILED:
        assert_true(change->text[0]);
        list->failed++;
        list->code = change->code;
        break;
    }
}

static void list_calm(struct list *list)
{
    list->inserted = list->updated = list->deleted = list->moved = list->settled = list->failed = 0;
}

static void list_free(struct list *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->rows[i]);
    *list = (struct list){0};
}

static void must_be(const struct list *list, struct charle_db *db, const char *sql)
{
    struct charle_error err = {0};
    struct charle_rows *rows;
    struct charle_value values[16];
    int count = 0;
    assert_int_equal(charle_query(db, sql, NULL, 0, &rows, &err), CHARLE_OK);
    while (charle_rows_next(rows, &err) == CHARLE_OK) {
        for (size_t i = 0; i < charle_rows_column_count(rows); i++)
            assert_int_equal(charle_rows_value(rows, i, 0, false, &values[i], &err), CHARLE_OK);
        char *text = row_text(values, charle_rows_column_count(rows));
        assert_true(count < list->count);
        assert_string_equal(list->rows[count++], text);
        free(text);
    }
    charle_rows_close(rows);
    assert_int_equal(count, list->count);
}

// --- short ways ---------------------------------------------------------------------------------------------------------------

static struct charle_client_live *open_live(struct charle_client *client, bool has_thread)
{
    struct charle_client_live *live = NULL;
    struct charle_error err = {0};
    if (charle_client_live_open(client, &(struct charle_client_live_options){.has_thread = has_thread}, &live, &err))
        fail_msg("%s", err.text);
    return live;
}

static int64_t add(struct charle_client_live *live, const char *sql, const char *key, struct list *list)
{
    struct charle_error err = {0};
    int64_t id = 0;
    if (charle_client_live_add(live, &(struct charle_live_query){.sql = sql, .key = key, .fn = follow, .ctx = list}, &id, &err))
        fail_msg("%s", err.text);
    return id;
}

static void must_take(struct charle_client_live *live)
{
    struct charle_error err = {0};
    if (charle_client_live_take(live, &err))
        fail_msg("%s", err.text);
}

static bool is_readable(int fd, int ms)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, ms) == 1;
}

// Until a first result is told, any word about the client wakes a live: also that its synchronising has ended, which comes when it wants.
static void must_calm(struct charle_client_live *live)
{
    for (int i = 0; i < 10 && is_readable(charle_client_live_fd(live), 0); i++)
        must_take(live);
    assert_false(is_readable(charle_client_live_fd(live), 0));
}

static void must_set_title(struct fixture *f, struct charle_client *client, const char *id, const char *title)
{
    struct charle_error err = {0};
    if (set_title(f, client, id, title, NULL, &err))
        fail_msg("%s", err.text);
}

// --- cases --------------------------------------------------------------------------------------------------------------------

static void tells_first_result_then_differences(void **state)
{
    struct fixture *f = *state;
    static const char sql[] = "select id, title from note where id <= 'n0005' order by title";
    struct list list = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    struct charle_client_live *live = open_live(client, false);
    add(live, sql, "id", &list);
    assert_true(is_readable(charle_client_live_fd(live), 0));
    must_take(live);
    must_calm(live);
    assert_int_equal(list.count, 5);
    assert_int_equal(list.settled, 1);
    must_be(&list, charle_client_db(client), sql);
    list_calm(&list);
    must_take(live); // nothing was written
    assert_int_equal(list.settled, 0);
    // In place, to the end, and gone; the calls are told as soon as they returned.
    must_set_title(f, client, "n0003", "Title 3b");
    assert_true(is_readable(charle_client_live_fd(live), 0));
    must_take(live);
    assert_int_equal(list.updated, 1);
    assert_int_equal(list.inserted + list.deleted, 0);
    must_set_title(f, client, "n0001", "Zebra");
    must_take(live);
    assert_int_equal(list.moved, 1);
    assert_int_equal(list.inserted, 1);
    assert_int_equal(list.settled, 2);
    must_be(&list, charle_client_db(client), sql);
    // What the server changes comes the same way.
    list_calm(&list);
    fake_server_sql(served_lock(&f->served), "delete from note where id = 'n0002'");
    served_unlock(&f->served);
    must_sync(client);
    must_take(live);
    assert_int_equal(list.deleted, 1);
    assert_int_equal(list.count, 4);
    must_be(&list, charle_client_db(client), sql);
    charle_client_live_close(live);
    charle_client_close(client);
    list_free(&list);
}

static void is_silent_when_its_result_is_the_same(void **state)
{
    struct fixture *f = *state;
    struct list list = {0}, people = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    struct charle_client_live *live = open_live(client, false);
    add(live, "select id, votes from note where id = 'n0001'", "id", &list);
    add(live, "select name from person", NULL, &people);
    must_take(live);
    list_calm(&list);
    list_calm(&people);
    must_set_title(f, client, "n0001", "Another"); // not a column of the result
    assert_true(is_readable(charle_client_live_fd(live), 0));
    must_take(live);
    assert_int_equal(list.settled + people.settled, 0);
    charle_client_live_close(live);
    charle_client_close(client);
    list_free(&list);
    list_free(&people);
}

// A query that counts how often it was run: the function is called once a run.
static void is_not_run_for_other_tables(void **state)
{
    struct fixture *f = *state;
    struct list list = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    struct charle_client_live *live = open_live(client, false);
    // Its result differs with every run, so each run is told.
    add(live, "select random(), count(*) from person", NULL, &list);
    must_take(live);
    assert_int_equal(list.settled, 1);
    must_calm(live);
    must_set_title(f, client, "n0001", "Only a note");
    assert_false(is_readable(charle_client_live_fd(live), 0));
    must_take(live);
    assert_int_equal(list.settled, 1);
    fake_server_sql(served_lock(&f->served), "insert into person(id, name) values ('p2', 'Bob')");
    served_unlock(&f->served);
    must_sync(client);
    assert_true(is_readable(charle_client_live_fd(live), 0));
    must_take(live);
    assert_int_equal(list.settled, 2);
    // Another program's write: which table is not known.
    struct charle_client *other = open_client(f);
    must_set_title(f, other, "n0002", "By another program");
    must_take(live);
    assert_int_equal(list.settled, 3);
    must_take(live);
    assert_int_equal(list.settled, 3);
    charle_client_close(other);
    charle_client_live_close(live);
    charle_client_close(client);
    list_free(&list);
}

static void tells_rows_without_a_key_apart(void **state)
{
    struct fixture *f = *state;
    static const char sql[] = "select state, votes from note where id <= 'n0200' order by votes";
    struct list list = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    struct charle_client_live *live = open_live(client, false);
    add(live, sql, NULL, &list);
    must_take(live);
    assert_int_equal(list.count, 200); // all the same
    list_calm(&list);
    fake_server_sql(served_lock(&f->served), "update note set votes = 7 where id in ('n0003', 'n0009')");
    served_unlock(&f->served);
    must_sync(client);
    must_take(live);
    assert_int_equal(list.deleted, 2);
    assert_int_equal(list.inserted, 2);
    assert_int_equal(list.updated, 0);
    must_be(&list, charle_client_db(client), sql);
    charle_client_live_close(live);
    charle_client_close(client);
    list_free(&list);
}

// One transaction of the server with some random changes.
static void change_at_random(struct fixture *f, unsigned *seed)
{
    struct charle_buf sql = {0};
    for (int n = 1 + rand_r(seed) % 40; n > 0; n--) {
        int id = rand_r(seed) % 340, kind = rand_r(seed) % 10;
        if (kind < 2)
            charle_buf_printf(&sql, "delete from note where id = 'n%04d';", id);
        else if (kind < 4)
            charle_buf_printf(&sql, "insert or ignore into note(id, room_id, title, votes, state, created_at, updated_at, labels) "
                                    "values ('n%04d', 'p1', 'New %d', %d, 'open', 1, 1, '[]');", id, id, rand_r(seed) % 9);
        else if (kind < 7)
            charle_buf_printf(&sql, "update note set title = 'T' || %d where id = 'n%04d';", rand_r(seed) % 50, id);
        else
            charle_buf_printf(&sql, "update note set votes = %d where id = 'n%04d';", rand_r(seed) % 9, id);
    }
    fake_server_sql(served_lock(&f->served), "%s", charle_buf_text(&sql));
    served_unlock(&f->served);
    charle_buf_deinit(&sql);
}

static void follows_any_order_of_changes(void **state)
{
    struct fixture *f = *state;
    static const char *const sqls[] = {"select id, title, votes from note order by votes, id desc",
                                       "select votes, count(*) as n from note group by votes order by n, votes",
                                       "select title from note where votes % 2 = 1 order by votes * 7919 % 13, substr(title, 3)",
                                       "select n.id, p.name from note n left join person p on p.id = n.room_id order by n.votes desc, n.id limit 20"};
    static const char *const keys[] = {"id", "votes", NULL, "id"};
    enum { COUNT = 4 };
    struct list lists[COUNT] = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    struct charle_client_live *live = open_live(client, false);
    for (int i = 0; i < COUNT; i++)
        add(live, sqls[i], keys[i], &lists[i]);
    unsigned seed = 42;
    for (int round = 0; round < 60; round++) {
        change_at_random(f, &seed);
        must_sync(client);
        must_take(live);
        for (int i = 0; i < COUNT; i++)
            must_be(&lists[i], charle_client_db(client), sqls[i]);
    }
    assert_true(lists[0].moved > 100 && lists[0].updated > 100 && lists[0].inserted > 400 && lists[0].deleted > 200);
    charle_client_live_close(live);
    charle_client_close(client);
    for (int i = 0; i < COUNT; i++)
        list_free(&lists[i]);
}

static void moves_as_few_rows_as_possible(void **state)
{
    struct fixture *f = *state;
    struct list list = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    struct charle_client_live *live = open_live(client, false);
    add(live, "select id from note order by votes desc, id", "id", &list);
    must_take(live);
    list_calm(&list);
    fake_server_sql(served_lock(&f->served), "update note set votes = 1 where id = 'n0250'"); // to the top, over 249 others
    served_unlock(&f->served);
    must_sync(client);
    must_take(live);
    assert_int_equal(list.moved, 1);
    assert_int_equal(list.deleted, 1);
    assert_int_equal(list.inserted, 1);
    assert_string_equal(list.rows[0], "n0250");
    charle_client_live_close(live);
    charle_client_close(client);
    list_free(&list);
}

// --- typed --------------------------------------------------------------------------------------------------------------------

#define BRIEF(FIELD, OUTER)                                                                                            \
    FIELD(id, note.id)                                                                                                 \
    FIELD(title, note.title)                                                                                           \
    FIELD(labels, note.labels)                                                                                         \
    FIELD(state, note.state)
CHARLE_SHAPE(brief, BRIEF);

struct seen {
    int count;
    char title[40], old_title[40];
    size_t labels;
};

static void see_brief(void *ctx, const struct charle_live_change *change)
{
    struct seen *seen = ctx;
    const struct brief *row = change->row, *old = change->old_row;
    if (change->event == CHARLE_LIVE_SETTLED)
        return;
    assert_non_null(row);
    assert_int_equal(row->state, NOTES_S_OPEN);
    assert_string_equal(change->columns[0], "id");
    seen->count++;
    seen->labels = row->labels.count;
    snprintf(seen->title, sizeof(seen->title), "%.*s", CHARLE_FMT(row->title));
    snprintf(seen->old_title, sizeof(seen->old_title), "%.*s", old ? (int)old->title.len : 0, old ? old->title.ptr : "");
}

static void typed_queries_give_structs(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct seen seen = {0};
    struct charle_client *client = open_client(f);
    fake_server_sql(served_lock(&f->served), "update note set labels = '[\"a\",\"b\"]' where id = 'n0002'");
    served_unlock(&f->served);
    must_sync(client);
    struct charle_client_live *live = open_live(client, false);
    {
        char id[8] = "n0002"; // gone when the query runs
        const struct charle_live_query query = {
            .query = &charle_select(brief, charle_from(note), charle_where(charle_eq(note.id, id))).query, .key = "id", .fn = see_brief, .ctx = &seen};
        assert_int_equal(charle_client_live_add(live, &query, NULL, &err), CHARLE_OK);
        memset(id, 'x', sizeof(id) - 1);
    }
    must_take(live);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.title, "Title 2");
    assert_int_equal(seen.labels, 2);
    must_set_title(f, client, "n0002", "Typed");
    must_take(live);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.title, "Typed");
    assert_string_equal(seen.old_title, "Title 2");
    charle_client_live_close(live);
    charle_client_close(client);
}

// --- wrong ones ---------------------------------------------------------------------------------------------------------------

static int try_add(struct charle_client_live *live, struct charle_live_query query, struct charle_error *err)
{
    query.fn = follow;
    return charle_client_live_add(live, &query, NULL, err);
}

static void wrong_queries_are_told_so(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    struct charle_client_live *live = open_live(client, false);
    const struct charle_value array = {.type = CHARLE_TYPE_TEXT, .is_array = true};
    assert_int_equal(try_add(live, (struct charle_live_query){0}, &err), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(try_add(live, (struct charle_live_query){.sql = "select id from nowhere"}, &err), CHARLE_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "nowhere"));
    assert_int_equal(try_add(live, (struct charle_live_query){.sql = "delete from note"}, &err), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(try_add(live, (struct charle_live_query){.sql = "select 1; select 2"}, &err), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(try_add(live, (struct charle_live_query){.sql = ""}, &err), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(try_add(live, (struct charle_live_query){.sql = "select id from note where id = $1"}, &err), CHARLE_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "$1"));
    assert_int_equal(try_add(live, (struct charle_live_query){.sql = "select $1", .params = &array, .param_count = 1}, &err), CHARLE_INVALID_ARGUMENT);
    assert_int_equal(try_add(live, (struct charle_live_query){.sql = "select id from note", .key = "id,colour"}, &err), CHARLE_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "colour"));
    assert_int_equal(try_add(live, (struct charle_live_query){.sql = "select 1", .size_max = (size_t)1 << 40}, &err), CHARLE_INVALID_ARGUMENT);
    for (int i = 0; i < 256; i++)
        assert_int_equal(try_add(live, (struct charle_live_query){.sql = "select 1"}, &err), CHARLE_OK);
    assert_int_equal(try_add(live, (struct charle_live_query){.sql = "select 1"}, &err), CHARLE_RESOURCE_EXHAUSTED);
    charle_client_live_close(live);
    charle_client_live_close(NULL);
    charle_client_close(client);
}

static void too_large_a_result_fails_and_recovers(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct list list = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    struct charle_client_live *live = open_live(client, false);
    const struct charle_value from = charle_text(CHARLE_STR("Big"));
    const struct charle_live_query query = {.sql = "select id, title from note where title like $1 || '%' order by id", .params = &from, .param_count = 1,
                                            .key = "id", .size_max = 3000, .fn = follow, .ctx = &list};
    assert_int_equal(charle_client_live_add(live, &query, NULL, &err), CHARLE_OK);
    must_set_title(f, client, "n0001", "Big one");
    must_take(live);
    assert_int_equal(list.count, 1);
    fake_server_sql(served_lock(&f->served), "update note set title = 'Big ' || id where id < 'n0200'");
    served_unlock(&f->served);
    must_sync(client);
    must_take(live);
    assert_int_equal(list.failed, 1);
    assert_int_equal(list.code, CHARLE_TOO_LARGE);
    assert_int_equal(list.count, 1); // what was told stays
    must_take(live);
    assert_int_equal(list.failed, 1); // not again without a change
    fake_server_sql(served_lock(&f->served), "update note set title = 'Small' where id > 'n0005'");
    served_unlock(&f->served);
    must_sync(client);
    must_take(live);
    assert_int_equal(list.count, 5);
    must_be(&list, charle_client_db(client), "select id, title from note where title like 'Big%' order by id");
    charle_client_live_close(live);
    charle_client_close(client);
    list_free(&list);
}

static void nothing_is_told_before_the_first_copy_is_complete(void **state)
{
    struct fixture *f = *state;
    struct list list = {0}, empty = {0};
    struct charle_client *client = open_client(f);
    struct charle_client_live *live = open_live(client, false);
    add(live, "select id from note", "id", &list);
    add(live, "select id from room", "id", &empty); // nobody's rows
    must_take(live);
    assert_int_equal(list.settled + empty.settled, 0);
    must_sync(client);
    assert_true(is_readable(charle_client_live_fd(live), 0));
    must_take(live);
    assert_int_equal(list.count, 300);
    assert_int_equal(empty.settled, 1);
    charle_client_live_close(live);
    charle_client_close(client);
    list_free(&list);
}

// --- callbacks ----------------------------------------------------------------------------------------------------------------

struct meddler {
    struct charle_client *client;
    struct charle_client_live *live;
    int64_t id;
    int calls;
    struct list added;
};

static void remove_myself(void *ctx, const struct charle_live_change *change)
{
    struct meddler *m = ctx;
    struct charle_error err = {0};
    (void)change;
    m->calls++;
    assert_int_equal(charle_client_live_take(m->live, &err), CHARLE_FAILED_PRECONDITION);
    add(m->live, "select name from person", NULL, &m->added);
    charle_client_live_remove(m->live, m->id);
    assert_int_equal(number(charle_client_db(m->client), "select count(*) from note"), 300);
}

static void callback_may_add_and_remove(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct meddler m = {.client = open_client(f)};
    must_sync(m.client);
    m.live = open_live(m.client, false);
    const struct charle_live_query query = {.sql = "select id from note", .fn = remove_myself, .ctx = &m};
    assert_int_equal(charle_client_live_add(m.live, &query, &m.id, &err), CHARLE_OK);
    must_take(m.live);
    assert_int_equal(m.calls, 1);
    must_take(m.live);
    assert_int_equal(m.added.settled, 1);
    assert_int_equal(m.calls, 1);
    charle_client_live_remove(m.live, 999);
    charle_client_live_close(m.live);
    charle_client_close(m.client);
    list_free(&m.added);
}

// Every transaction moves votes from one note to another. A sum and a list told by the same live must agree whenever both have settled.
struct bank {
    struct list sum, notes;
    pthread_t caller;
    atomic_int agreed, disagreed, on_caller;
    atomic_long total; // at the last moment told
};

static void check_bank(struct bank *bank)
{
    long total = 0;
    for (int i = 0; i < bank->notes.count; i++)
        total += strtol(strchr(bank->notes.rows[i], '|') + 1, NULL, 10);
    atomic_store(&bank->total, total);
    atomic_fetch_add(total == strtol(bank->sum.rows[0], NULL, 10) ? &bank->agreed : &bank->disagreed, 1);
    atomic_fetch_add(&bank->on_caller, pthread_equal(bank->caller, pthread_self()) != 0);
}

static void follow_sum(void *ctx, const struct charle_live_change *change)
{
    struct bank *bank = ctx;
    follow(&bank->sum, change);
}

static void follow_notes(void *ctx, const struct charle_live_change *change)
{
    struct bank *bank = ctx;
    follow(&bank->notes, change);
    if (change->event == CHARLE_LIVE_SETTLED)
        check_bank(bank);
}

static void *vote(void *ctx)
{
    struct fixture *f = ctx;
    unsigned seed = 7;
    for (int i = 0; i < 300; i++) {
        int a = 1 + rand_r(&seed) % 300;
        fake_server_sql(served_lock(&f->served), "update note set votes = votes + %d where id = 'n%04d'", 1 + rand_r(&seed) % 5, a);
        served_unlock(&f->served);
        usleep(1000);
    }
    return NULL;
}

static void all_queries_of_a_live_show_one_moment(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct bank bank = {.caller = pthread_self()};
    pthread_t writer;
    struct charle_client *client = open_client(f);
    must_sync(client);
    assert_int_equal(charle_client_start(client, &err), CHARLE_OK);
    struct charle_client_live *live = open_live(client, true);
    assert_int_equal(charle_client_live_take(live, &err), CHARLE_FAILED_PRECONDITION);
    const struct charle_live_query sum = {.sql = "select sum(votes) from note", .fn = follow_sum, .ctx = &bank};
    const struct charle_live_query notes = {.sql = "select id, votes from note", .key = "id", .fn = follow_notes, .ctx = &bank};
    struct list between = {0};
    assert_int_equal(charle_client_live_add(live, &sum, NULL, &err), CHARLE_OK);
    add(live, "select count(*), sum(a.votes * b.votes) from note a, note b", NULL, &between); // takes so long that pages arrive meanwhile
    assert_int_equal(charle_client_live_add(live, &notes, NULL, &err), CHARLE_OK);
    pthread_create(&writer, NULL, vote, f);
    for (int i = 0; i < 100; i++) { // this program's own writes in between
        char id[8];
        snprintf(id, sizeof(id), "n%04d", 1 + i);
        must_set_title(f, client, id, "Busy");
    }
    pthread_join(writer, NULL);
    must_sync(client);
    int64_t total = server_number(f, "select sum(votes) from note");
    for (int i = 0; i < 4000 && atomic_load(&bank.total) != total; i++) // the last moment is told soon
        usleep(5000);
    charle_client_live_close(live);
    assert_int_equal(atomic_load(&bank.disagreed), 0);
    assert_true(atomic_load(&bank.agreed) > 3);
    assert_int_equal(atomic_load(&bank.on_caller), 0); // never on the caller's thread
    assert_int_equal(strtol(bank.sum.rows[0], NULL, 10), total);
    must_be(&bank.notes, charle_client_db(client), "select id, votes from note");
    charle_client_close(client);
    list_free(&bank.sum);
    list_free(&bank.notes);
    list_free(&between);
}

static void see_neighbour(void *ctx, const struct charle_live_change *change)
{
    if (change->event == CHARLE_LIVE_INSERTED && charle_str_equal(change->values[0].text, CHARLE_STR("From next door")))
        atomic_store((atomic_int *)ctx, 1);
}

static void own_thread_sees_what_other_programs_write(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    atomic_int seen = 0;
    struct charle_client *client = open_client(f), *other = open_client(f);
    must_sync(client);
    struct charle_client_live *live = open_live(client, true); // the client is not started: nobody else looks at the file
    const struct charle_live_query query = {.sql = "select title from note where id = 'n0001'", .fn = see_neighbour, .ctx = &seen};
    assert_int_equal(charle_client_live_add(live, &query, NULL, &err), CHARLE_OK);
    must_set_title(f, other, "n0001", "From next door");
    for (int i = 0; i < 4000 && !atomic_load(&seen); i++)
        usleep(5000);
    charle_client_live_close(live);
    assert_true(atomic_load(&seen));
    charle_client_close(other);
    charle_client_close(client);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(tells_first_result_then_differences),
        CASE(is_silent_when_its_result_is_the_same),
        CASE(is_not_run_for_other_tables),
        CASE(tells_rows_without_a_key_apart),
        CASE(follows_any_order_of_changes),
        CASE(moves_as_few_rows_as_possible),
        CASE(typed_queries_give_structs),
        CASE(wrong_queries_are_told_so),
        CASE(too_large_a_result_fails_and_recovers),
        CASE(nothing_is_told_before_the_first_copy_is_complete),
        CASE(callback_may_add_and_remove),
        CASE(all_queries_of_a_live_show_one_moment),
        CASE(own_thread_sees_what_other_programs_write),
    };
#undef CASE
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
