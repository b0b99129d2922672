// Streams of the real server: first copy, live pulls woken by services and by strangers, slow peers, revoked sessions,
// stopping.
#include "charle/admin.channel.charle.h"
#include "charle/sync.channel.charle.h"

#include "charleos.schema.charle.h"
#include "charleos/core.channel.charle.h"
#include "msg/wire.h"
#include "process.h"
#include "rpc/rpc.h"
#include "server/password.h"
#include "support/pg_cluster.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

enum { PATIENCE_MS = 60000, MESSAGES_MAX = 4096 };

static struct server server;
static char database_url[CH_PG_CLUSTER_URL_SIZE];
static char ann_token[60];
static struct charle_arena arena;

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static struct charle_channel *open_channel(void)
{
    struct charle_channel *channel = NULL;
    struct charle_channel_options options = {.token = *ann_token ? ann_token : NULL};
    struct charle_error err = {0};
    assert_ok(charle_channel_open(server.address, &options, &channel, &err), &err);
    return channel;
}

static void sign_in(void)
{
    struct charle_login_request request = {.principal = charle_str("user"),
                                           .email = charle_str("ann@agency.test"),
                                           .password = charle_str("secret horse")};
    struct charle_login_reply reply;
    struct charle_error err = {0};
    ann_token[0] = '\0';
    struct charle_channel *channel = open_channel();
    assert_ok(charle_session_login_rpc(channel, &request, &arena, &reply, NULL, &err), &err);
    snprintf(ann_token, sizeof(ann_token), "%.*s", CHARLE_FMT(reply.token));
    charle_channel_close(channel);
}

static int start_all(void **state)
{
    (void)state;
    char hash[CH_PASSWORD_HASH_SIZE], sql[1000];
    struct charle_error err = {0};
    server_init(&server);
    assert_true(ch_pg_cluster_database(ch_pg_cluster_shared(), "streams", database_url));
    server_start(&server, database_url, (const char *const[]){"--migrate", NULL});
    server_wait_ready(&server);
    assert_ok(ch_password_hash(charle_str("secret horse"), hash, &err), &err);
    snprintf(sql, sizeof(sql),
             "insert into \"user\" (id, name, email, status, access_level) values ('u1', 'Ann', 'ann@agency.test', "
             "'active', 'admin');"
             "insert into charle.credential (principal, principal_id, hash) values ('user', 'u1', '%s');"
             "insert into department (id, name) select 'd' || i, 'Department ' || i from generate_series(1, 20) i",
             hash);
    run_sql(database_url, sql);
    sign_in();
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    server_remove(&server);
    charle_arena_deinit(&arena);
    return 0;
}

// --- a stream and what came through it -----------------------------------------------------------------------------

struct stream {
    struct charle_rpc *rpc;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct charle_bytes messages[MESSAGES_MAX]; // copies
    size_t count, seen;
    bool is_over, is_lazy; // lazy: takes nothing off the sender's credit
    enum charle_err code;
    char text[240];
};

static void on_message(void *ctx, struct charle_rpc *rpc, struct charle_bytes message)
{
    struct stream *stream = ctx;
    uint8_t *copy = malloc(message.len + 1);
    memcpy(copy, message.ptr, message.len);
    pthread_mutex_lock(&stream->mutex);
    if (stream->count < MESSAGES_MAX)
        stream->messages[stream->count++] = charle_bytes(copy, message.len);
    else
        free(copy);
    if (!stream->is_lazy)
        charle_rpc_consumed(rpc, message.len);
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->mutex);
}

static void on_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct stream *stream = ctx;
    (void)rpc;
    pthread_mutex_lock(&stream->mutex);
    stream->is_over = true;
    stream->code = status->code;
    snprintf(stream->text, sizeof(stream->text), "%.*s", CHARLE_FMT(status->text));
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->mutex);
}

static struct stream *stream_start(struct charle_channel *channel, const struct charle_method *method,
                                   const void *request, bool is_lazy)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    struct charle_buf buf = {0};
    struct charle_error err = {0};
    struct charle_call_options options = {.timeout_ms = UINT32_MAX};
    struct charle_rpc_events events = {on_message, on_done, stream};
    pthread_mutex_init(&stream->mutex, NULL);
    pthread_cond_init(&stream->changed, NULL);
    stream->is_lazy = is_lazy;
    charle_message_write(method->request, request, &buf);
    assert_ok(charle_rpc_start(channel, method->name, charle_buf_bytes(&buf), &options, &events, &stream->rpc, &err),
              &err);
    charle_buf_deinit(&buf);
    return stream;
}

// The next message, decoded into `out`; false: the stream is over and there is none.
static bool stream_next(struct stream *stream, const struct charle_message *type, void *out)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    pthread_mutex_lock(&stream->mutex);
    int late = 0;
    while (stream->seen == stream->count && !stream->is_over && !late)
        late = pthread_cond_timedwait(&stream->changed, &stream->mutex, &until);
    bool has = stream->seen < stream->count;
    struct charle_bytes bytes =
        has ? charle_arena_bytes(&arena, stream->messages[stream->seen++]) : (struct charle_bytes){0};
    pthread_mutex_unlock(&stream->mutex);
    if (late && !has)
        fail_msg("nothing came through the stream");
    struct charle_error err = {0};
    if (has)
        assert_ok(charle_message_read(type, bytes, &arena, out, &err), &err);
    return has;
}

// What has not been read is passed over.
static void stream_wait_over(struct stream *stream)
{
    struct timespec until;
    int late = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    pthread_mutex_lock(&stream->mutex);
    while (!stream->is_over && !late)
        late = pthread_cond_timedwait(&stream->changed, &stream->mutex, &until);
    bool is_over = stream->is_over;
    pthread_mutex_unlock(&stream->mutex);
    assert_true(is_over);
}

static void stream_free(struct stream *stream)
{
    charle_rpc_cancel(stream->rpc);
    stream_wait_over(stream);
    charle_rpc_release(stream->rpc);
    for (size_t i = 0; i < stream->count; i++)
        free((void *)(uintptr_t)stream->messages[i].ptr);
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->mutex);
    free(stream);
}

// --- what tests ask for --------------------------------------------------------------------------------------------

static const char device_id[] = "01AAAAAAAAAAAAAAAAAAAAAAAA";

static void open_device(struct charle_channel *channel)
{
    struct charle_open_request request = {.device_id = charle_str(device_id),
                                          .schema_hash = charleos_schema_tables.hash};
    struct charle_open_reply reply;
    struct charle_error err = {0};
    assert_ok(charle_sync_open_rpc(channel, &request, &arena, &reply, NULL, &err), &err);
    assert_true(reply.scope.count > 3);
}

// Copies the departments and returns the cursor of their scope.
static struct charle_cursor copy_departments(struct charle_channel *channel, size_t *out_rows)
{
    struct charle_copy_request request = {
        .scope = charle_str("staff"),
        .table = charle_schema_table_named(&charleos_schema_tables, charle_str("department"))->id,
        .schema_hash = charleos_schema_tables.hash};
    struct stream *stream = stream_start(channel, &charle_sync_copy_method, &request, false);
    struct charle_cursor cursor = {0};
    struct charle_copy_page page;
    *out_rows = 0;
    while (stream_next(stream, &charle_copy_page_message, &page)) {
        if (page.head)
            cursor = *page.head;
        *out_rows += page.row.count;
    }
    assert_int_equal(stream->code, CHARLE_OK);
    cursor.scope = charle_arena_str(&arena, cursor.scope);
    stream_free(stream);
    return cursor;
}

static struct stream *pull(struct charle_channel *channel, const struct charle_cursor *cursor, bool is_live,
                           bool is_lazy)
{
    const struct charle_cursor *const cursors[] = {cursor};
    struct charle_pull_request request = {.cursor = {.items = cursors, .count = 1},
                                          .live = {is_live, true},
                                          .schema_hash = charleos_schema_tables.hash,
                                          .device_id = charle_str(device_id)};
    return stream_start(channel, &charle_sync_pull_method, &request, is_lazy);
}

static const struct charle_scope_delta *find_delta(const struct charle_pull_page *page, const char *scope)
{
    for (size_t i = 0; i < page->delta.count; i++) {
        const struct charle_scope_delta *delta = ((const struct charle_scope_delta *const *)page->delta.items)[i];
        if (charle_str_equal(delta->scope, charle_str(scope)))
            return delta;
    }
    return NULL;
}

// Reads pages up to the one with a change of the scope "staff".
static void wait_staff_delta(struct stream *stream)
{
    struct charle_pull_page page;
    do {
        if (!stream_next(stream, &charle_pull_page_message, &page))
            fail_msg("the stream ended: %s", stream->text);
    } while (!find_delta(&page, "staff"));
}

static void wait_first_moment(struct stream *stream)
{
    struct charle_pull_page page;
    do {
        if (!stream_next(stream, &charle_pull_page_message, &page))
            fail_msg("the stream ended: %s", stream->text);
    } while (!page.is_last);
}

// --- cases ---------------------------------------------------------------------------------------------------------

static void changes_of_anybody_reach_a_live_stream(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel();
    struct charle_error err = {0};
    size_t rows;
    open_device(channel);
    struct charle_cursor cursor = copy_departments(channel, &rows);
    assert_int_equal(rows, 20);
    struct stream *stream = pull(channel, &cursor, true, false);
    wait_first_moment(stream);
    run_sql(database_url, "update department set name = 'By psql' where id = 'd1'");
    wait_staff_delta(stream);
    struct charleos_department_key key = {.id = charle_str("d2")};
    struct charleos_department_patch set = {.name = {charle_str("By a service"), true}}, reply;
    struct charleos_department_update update = {.key = &key, .set = &set};
    assert_ok(charleos_department_service_update_rpc(channel, &update, &arena, &reply, NULL, &err), &err);
    wait_staff_delta(stream);
    struct charle_status_reply status;
    assert_ok(charle_admin_status_rpc(channel, &(struct charle_status_request){0}, &arena, &status, NULL, &err), &err);
    assert_int_equal(status.live_streams, 1);
    stream_free(stream);
    for (int i = 0; i < PATIENCE_MS / 20 && status.live_streams; i++) { // the peer's leaving is noticed
        pause_ms(20);
        assert_ok(charle_admin_status_rpc(channel, &(struct charle_status_request){0}, &arena, &status, NULL, &err),
                  &err);
    }
    assert_int_equal(status.live_streams, 0);
    charle_channel_close(channel);
}

static void a_change_of_grants_is_told_and_the_stream_goes_on(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel();
    struct charle_pull_page page = {0};
    size_t rows;
    open_device(channel);
    struct charle_cursor cursor = copy_departments(channel, &rows);
    struct stream *stream = pull(channel, &cursor, true, false);
    wait_first_moment(stream);
    // Ann gets somebody to report to her: a new scope, told by the pull that the server makes in place of the stream.
    run_sql(database_url, "insert into \"user\" (id, name, email, status, reports_to_id) values ('u9', 'Dan', "
                          "'dan@agency.test', 'active', 'u1')");
    bool is_told = false;
    while (!is_told) {
        if (!stream_next(stream, &charle_pull_page_message, &page))
            fail_msg("the stream ended: %s", stream->text);
        for (size_t i = 0; i < page.gained.count; i++)
            is_told |= charle_str_equal(((const struct charle_str *)page.gained.items)[i], charle_str("reports:u9"));
    }
    run_sql(database_url, "update department set name = 'After the change' where id = 'd3'");
    wait_staff_delta(stream);
    stream_free(stream);
    charle_channel_close(channel);
}

static void a_slow_peer_gets_everything_in_the_end(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel();
    size_t rows;
    open_device(channel);
    struct charle_cursor cursor = copy_departments(channel, &rows);
    struct stream *stream = pull(channel, &cursor, true, true); // never gives credit back: 256 KiB and it is full
    wait_first_moment(stream);
    run_sql(database_url, "do $$ begin for i in 1..60 loop update department set name = 'Round ' || i || ' ' || id; "
                          "commit; perform pg_sleep(0.02); end loop; end $$");
    run_sql(database_url, "update department set name = 'The end' where id = 'd20'");
    pthread_mutex_lock(&stream->mutex);
    stream->is_lazy = false;
    size_t held = 0;
    for (size_t i = 0; i < stream->count; i++)
        held += stream->messages[i].len;
    pthread_mutex_unlock(&stream->mutex);
    charle_rpc_consumed(stream->rpc, held);
    bool has_end = false;
    while (!has_end) {
        struct charle_pull_page page;
        if (!stream_next(stream, &charle_pull_page_message, &page))
            break; // overtaken is right too: the replica pulls again
        const struct charle_scope_delta *delta = find_delta(&page, "staff");
        for (size_t t = 0; delta && t < delta->table.count; t++) {
            const struct charle_table_delta *table = ((const struct charle_table_delta *const *)delta->table.items)[t];
            for (size_t r = 0; r < table->row.count; r++) {
                struct charle_bytes row = ((const struct charle_bytes *)table->row.items)[r];
                has_end |= memmem(row.ptr, row.len, "The end", 7) != NULL;
            }
        }
    }
    assert_true(has_end || stream->code == CHARLE_ABORTED);
    stream_free(stream);
    charle_channel_close(channel);
}

// A table that the scope shows; 0: the scope is only a right.
static uint32_t table_of_scope(struct charle_str scope)
{
    const char *colon = memchr(scope.ptr, ':', scope.len);
    struct charle_str name = charle_str_n(scope.ptr, colon ? (size_t)(colon - scope.ptr) : scope.len);
    for (size_t t = 0; t < charleos_schema_tables.table_count; t++) {
        const struct charle_table *table = charleos_schema_tables.tables[t];
        for (size_t a = 0; table->is_replicated && a < table->audience_count; a++)
            if (charle_str_equal(table->audiences[a].name, name))
                return table->id;
    }
    return 0;
}

static const struct charle_live_client *live_client(const struct charle_server_reply *reply, size_t index)
{
    return ((const struct charle_live_client *const *)reply->client.items)[index];
}

static void look_at_server(struct charle_channel *channel, struct charle_server_reply *out)
{
    const struct charle_server_request request = {0};
    struct charle_error err = {0};
    assert_ok(charle_admin_server_rpc(channel, &request, &arena, out, NULL, &err), &err);
}

static void an_operator_sees_who_is_slow(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel();
    struct charle_server_reply reply;
    struct charle_error err = {0};
    size_t rows;
    open_device(channel);
    struct charle_cursor cursor = copy_departments(channel, &rows);
    struct stream *good = pull(channel, &cursor, true, false), *slow = pull(channel, &cursor, true, true);
    wait_first_moment(good);
    wait_first_moment(slow);
    look_at_server(channel, &reply);
    for (int i = 0; i < 3000 && (reply.client.count < 2 || reply.live_streams < 2); i++) { // a stream goes live a moment after its first page
        pause_ms(20);
        look_at_server(channel, &reply);
    }
    assert_int_equal(reply.live_streams, 2);
    assert_int_equal(reply.client.count, 2);
    assert_int_equal(live_client(&reply, 0)->behind_us, 0);
    for (int round = 0; round < 40; round++) { // until the slow one takes nothing any more
        run_sql(database_url, "do $$ begin for i in 1..20 loop update department set name = rpad(i || ' ' || id || ' ', 90, md5(random()::text)); "
                              "commit; perform pg_sleep(0.004); end loop; end $$");
        look_at_server(channel, &reply);
        if (live_client(&reply, 0)->queued_bytes > 0 && live_client(&reply, 0)->silent_us > 0)
            break;
    }
    assert_int_equal(reply.client.count, 2);
    const struct charle_live_client *last = live_client(&reply, 0), *first = live_client(&reply, 1);
    assert_true(last->behind_us > 0 && last->behind_stamps > 0 && last->queued_bytes > 0 && last->silent_us > 0);
    assert_true(charle_str_equal(last->principal, charle_str("user")) && charle_str_equal(last->principal_id, charle_str("u1")));
    assert_true(charle_str_equal(last->device_id, charle_str(device_id)));
    assert_true(first->behind_us == 0 && first->silent_us == 0);
    assert_true(reply.ring_ticks > 0 && reply.ring_bytes > 0 && reply.log_bytes > 0);
    const struct charle_hot_scope *hot = ((const struct charle_hot_scope *const *)reply.hot.items)[0];
    assert_true(charle_str_equal(hot->scope, charle_str("staff")) && hot->raises >= 20);
    const struct charle_server_request none = {.limit = {0, true}}, one = {.limit = {1, true}};
    assert_int_equal(charle_admin_server_rpc(channel, &none, &arena, &reply, NULL, &err), CHARLE_INVALID_ARGUMENT);
    assert_ok(charle_admin_server_rpc(channel, &one, &arena, &reply, NULL, &err), &err);
    assert_int_equal(reply.client.count, 1);
    stream_free(slow);
    stream_free(good);
    charle_channel_close(channel);
}

// Laptops on slow lines copy for hours: as many as there are threads for copies, and more. Those that only want what has changed do not wait for them.
static void slow_copies_hold_up_no_pull(void **state)
{
    (void)state;
    enum { COPIES = 12, COPY_THREADS = 8 };
    struct charle_channel *channel = open_channel();
    struct charle_copy_request request = {
        .scope = charle_str("staff"),
        .table = charle_schema_table_named(&charleos_schema_tables, charle_str("department"))->id,
        .schema_hash = charleos_schema_tables.hash};
    struct charle_copy_page page;
    struct stream *copies[COPIES];
    size_t rows;
    open_device(channel);
    struct charle_cursor cursor = copy_departments(channel, &rows);
    // More than a stream's sender may be ahead of its reader, so that none of the copies ends.
    run_sql(database_url, "insert into department (id, name) select 'large' || i, i || repeat('x', 80) from generate_series(1, 15000) i");
    for (size_t i = 0; i < COPIES; i++)
        copies[i] = stream_start(channel, &charle_sync_copy_method, &request, true);
    for (size_t i = 0; i < COPY_THREADS; i++)
        assert_true(stream_next(copies[i], &charle_copy_page_message, &page));
    struct stream *stream = pull(channel, &cursor, true, false);
    wait_first_moment(stream);
    stream_free(stream);
    for (size_t i = 0; i < COPIES; i++) {
        assert_false(copies[i]->is_over);
        stream_free(copies[i]);
    }
    run_sql(database_url, "delete from department where id like 'large%'");
    charle_channel_close(channel);
}

static const struct charle_blocker *blocker_of(const struct charle_server_reply *reply, int pid)
{
    const struct charle_blocker *const *blockers = reply->blocker.items;
    for (size_t i = 0; i < reply->blocker.count; i++)
        if (blockers[i]->pid == pid)
            return blockers[i];
    return NULL;
}

// One holds a row, a second waits for it, and a third for what the second holds: who waits is not told as the one to blame.
static void an_operator_sees_who_holds_up_others(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel();
    struct charle_server_reply reply;
    const struct charle_blocker *blocker = NULL;
    PGconn *holder = PQconnectdb(database_url), *second = PQconnectdb(database_url), *third = PQconnectdb(database_url);
    PQclear(PQexec(holder, "set application_name = 'forgetful'; begin; select from department where id = 'd1' for update"));
    PQclear(PQexec(second, "begin; select from department where id = 'd2' for update"));
    assert_int_equal(PQsendQuery(second, "select from department where id = 'd1' for update"), 1);
    assert_int_equal(PQsendQuery(third, "select from department where id = 'd2' for update"), 1);
    for (int i = 0; i < 3000 && (!blocker || blocker->waiting < 1); i++) {
        look_at_server(channel, &reply);
        blocker = blocker_of(&reply, PQbackendPID(holder));
        pause_ms(20);
    }
    assert_non_null(blocker);
    assert_true(charle_str_equal(blocker->application, charle_str("forgetful")));
    assert_true(charle_str_equal(blocker->state, charle_str("idle in transaction")));
    assert_true(blocker->user.len > 0 && blocker->open_us.has && blocker->open_us.value > 0 && blocker->waited_us > 0);
    PQclear(PQexec(holder, "rollback"));
    PQfinish(third);
    PQfinish(second);
    for (int i = 0; i < 3000 && reply.blocker.count; i++) {
        look_at_server(channel, &reply);
        pause_ms(20);
    }
    assert_int_equal(reply.blocker.count, 0);
    PQfinish(holder);
    charle_channel_close(channel);
}

static void an_idle_pull_is_answered_from_memory(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel();
    struct charle_error err = {0};
    struct charle_status_reply before, after;
    struct charle_pull_page page;
    open_device(channel);
    // A pull without cursors tells which scopes there are; copying one table of each gives their cursors.
    struct charle_pull_request ask = {.schema_hash = charleos_schema_tables.hash, .device_id = charle_str(device_id)};
    struct stream *stream = stream_start(channel, &charle_sync_pull_method, &ask, false);
    const struct charle_cursor *cursors[64];
    size_t count = 0;
    while (stream_next(stream, &charle_pull_page_message, &page)) {
        for (size_t i = 0; i < page.gained.count && count < 64; i++) {
            struct charle_cursor *cursor = CHARLE_ARENA_NEW(&arena, struct charle_cursor);
            struct charle_str scope = ((const struct charle_str *)page.gained.items)[i];
            struct charle_copy_request request = {
                .scope = scope, .table = table_of_scope(scope), .schema_hash = charleos_schema_tables.hash};
            cursor->scope = scope;
            if (!request.table)
                fail_msg("%.*s is to be copied, but no table shows it", CHARLE_FMT(scope));
            struct stream *copy = stream_start(channel, &charle_sync_copy_method, &request, false);
            struct charle_copy_page rows;
            while (stream_next(copy, &charle_copy_page_message, &rows))
                if (rows.head)
                    *cursor = *rows.head;
            if (copy->code != CHARLE_OK)
                fail_msg("%.*s: %s", CHARLE_FMT(scope), copy->text);
            cursor->scope = scope;
            cursors[count++] = cursor;
            stream_free(copy);
        }
    }
    assert_true(count > 0);
    stream_free(stream);
    struct charle_pull_request again = ask;
    again.cursor = (struct charle_array){.items = cursors, .count = count};
    again.last_sequence.has = true; // the replica has seen that none of its calls arrived yet
    assert_ok(charle_admin_status_rpc(channel, &(struct charle_status_request){0}, &arena, &before, NULL, &err), &err);
    for (int i = 0; i < 5; i++) {
        stream = stream_start(channel, &charle_sync_pull_method, &again, false);
        stream_wait_over(stream);
        assert_int_equal(stream->code, CHARLE_OK);
        stream_free(stream);
    }
    assert_ok(charle_admin_status_rpc(channel, &(struct charle_status_request){0}, &arena, &after, NULL, &err), &err);
    print_message("%zu scopes, pulls %lu, idle %lu\n", count, (unsigned long)(after.pulls - before.pulls),
                  (unsigned long)(after.pulls_idle - before.pulls_idle));
    assert_int_equal(after.pulls - before.pulls, 5);
    assert_true(after.pulls_idle - before.pulls_idle >= 3); // the first may have to ask
    // A replica that comes back with everything goes live without PostgreSQL being asked, and hears of what comes next.
    again.live = (struct charle_opt_bool){true, true};
    stream = stream_start(channel, &charle_sync_pull_method, &again, false);
    assert_true(stream_next(stream, &charle_pull_page_message, &page));
    assert_true(page.is_last && page.scope.count >= count);
    run_sql(database_url, "update department set name = 'After coming back' where id = 'd4'");
    wait_staff_delta(stream);
    stream_free(stream);
    assert_ok(charle_admin_status_rpc(channel, &(struct charle_status_request){0}, &arena, &before, NULL, &err), &err);
    assert_int_equal(before.pulls_idle, after.pulls_idle + 1);
    charle_channel_close(channel);
}

static void a_revoked_session_ends_its_live_stream(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel();
    size_t rows;
    open_device(channel);
    struct charle_cursor cursor = copy_departments(channel, &rows);
    struct stream *stream = pull(channel, &cursor, true, false);
    wait_first_moment(stream);
    run_sql(database_url, "delete from session");
    stream_wait_over(stream);
    assert_int_equal(stream->code, CHARLE_UNAUTHENTICATED);
    assert_contains(stream->text, "sign in again");
    stream_free(stream);
    charle_channel_close(channel);
    sign_in();
}

static void stopping_ends_live_streams_at_once(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel();
    size_t rows;
    open_device(channel);
    struct charle_cursor cursor = copy_departments(channel, &rows);
    struct stream *stream = pull(channel, &cursor, true, false);
    wait_first_moment(stream);
    server_signal(&server, SIGTERM);
    stream_wait_over(stream);
    assert_int_equal(stream->code, CHARLE_UNAVAILABLE);
    assert_int_equal(server_wait_exit(&server), 0);
    stream_free(stream);
    charle_channel_close(channel);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_of_anybody_reach_a_live_stream),
        cmocka_unit_test(a_change_of_grants_is_told_and_the_stream_goes_on),
        cmocka_unit_test(a_slow_peer_gets_everything_in_the_end),
        cmocka_unit_test(an_operator_sees_who_is_slow),
        cmocka_unit_test(slow_copies_hold_up_no_pull),
        cmocka_unit_test(an_operator_sees_who_holds_up_others),
        cmocka_unit_test(an_idle_pull_is_answered_from_memory),
        cmocka_unit_test(a_revoked_session_ends_its_live_stream),
        cmocka_unit_test(stopping_ends_live_streams_at_once),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
