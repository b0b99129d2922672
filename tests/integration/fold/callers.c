#include "callers.h"

#include "fold.schema.charle.h"
#include "msg/wire.h"
#include "server/token.h"

#include <stdlib.h>
#include <time.h>

enum { QUEUE_MS = 400 }; // for calls that were sent to reach the server's queue: were it too short, less would be folded

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

void round_sql(struct round *round, const char *sql)
{
    PGresult *result = PQexec(round->pg, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(round->pg));
    PQclear(result);
}

long round_number(struct round *round, const char *sql)
{
    PGresult *result = PQexec(round->pg, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        fail_msg("%s: %s", sql, PQerrorMessage(round->pg));
    long value = strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return value;
}

static void add_person(struct round *round, int i)
{
    struct caller *caller = &round->callers[i];
    char hash[CH_TOKEN_HASH_SIZE], sql[500];
    caller->round = round;
    snprintf(caller->id, sizeof(caller->id), "p%d", i);
    ch_token_new(caller->token);
    ch_token_hash(charle_str(caller->token), hash);
    snprintf(sql, sizeof(sql),
             "insert into person (id, email, is_lead) values ('%s', '%s@test', %s);"
             "insert into charle.session (id, principal_id, token, principal, expires_at) values ('s%d', '%s', '%s', 'person', now() + "
             "interval '1 day')",
             caller->id, caller->id, i % 2 ? "true" : "false", i, caller->id, hash);
    round_sql(round, sql);
}

void round_start(struct round *round, const char *name, const char *pool_size)
{
    char option[40];
    memset(round, 0, sizeof(*round));
    assert_true(ch_pg_cluster_database(ch_pg_cluster_shared(), name, round->url));
    server_init(&round->server);
    snprintf(option, sizeof(option), "--pool-size=%s", pool_size);
    server_start(&round->server, round->url, (const char *const[]){"--migrate", option, NULL});
    server_wait_ready(&round->server);
    round->pg = PQconnectdb(round->url);
    assert_int_equal(PQstatus(round->pg), CONNECTION_OK);
    round_sql(round, "set client_min_messages = warning");
    for (int i = 0; i < CALLERS; i++)
        add_person(round, i);
    round_open_channels(round);
}

void round_open_channels(struct round *round)
{
    for (int i = 0; i < CALLERS; i++) {
        struct charle_error err = {0};
        const struct charle_channel_options options = {.token = round->callers[i].token};
        assert_ok(charle_channel_open(round->server.address, &options, &round->callers[i].channel, &err), &err);
    }
}

void round_close_channels(struct round *round)
{
    for (int i = 0; i < CALLERS; i++) {
        charle_channel_close(round->callers[i].channel);
        charle_buf_deinit(&round->callers[i].request);
        charle_buf_deinit(&round->callers[i].reply);
    }
}

void round_stop(struct round *round)
{
    round_close_channels(round);
    PQfinish(round->pg);
    assert_int_equal(server_stop(&round->server), 0);
    server_remove(&round->server);
}

// --- calls --------------------------------------------------------------------------------------------------------------

static void on_message(void *ctx, struct charle_rpc *rpc, struct charle_bytes message)
{
    struct caller *caller = ctx;
    charle_buf_reset(&caller->reply);
    charle_buf_add(&caller->reply, message.ptr, message.len);
    charle_rpc_consumed(rpc, message.len);
}

static void on_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct caller *caller = ctx;
    caller->rc = status->code;
    snprintf(caller->text, sizeof(caller->text), "%.*s", CHARLE_FMT(status->text));
    caller->place = atomic_fetch_add(&caller->round->ended, 1) + 1;
    charle_rpc_release(rpc);
    atomic_store(&caller->is_over, 1);
}

void caller_start(struct caller *caller, const char *method, const struct charle_message *type, const void *request)
{
    struct charle_error err = {0};
    const struct charle_rpc_events events = {.message = on_message, .done = on_done, .ctx = caller};
    const struct charle_call_options options = {.timeout_ms = 60000};
    charle_buf_reset(&caller->request);
    charle_message_write(type, request, &caller->request);
    atomic_store(&caller->is_over, 0);
    assert_ok(charle_rpc_start(caller->channel, charle_str(method), charle_buf_bytes(&caller->request), &options, &events, &caller->rpc, &err),
              &err);
}

void caller_do(struct caller *caller, const char *method, const char *what)
{
    const struct fold_do_request request = {.what = charle_str(what)};
    caller_start(caller, method, &fold_do_request_message, &request);
}

void caller_wait(struct caller *caller)
{
    for (int i = 0; i < 90000 && !atomic_load(&caller->is_over); i++)
        pause_ms(1);
    assert_true(atomic_load(&caller->is_over));
}

void caller_reply(struct caller *caller, const struct charle_message *type, struct charle_arena *arena, void *out)
{
    struct charle_error err = {0};
    if (caller->rc)
        fail_msg("%s: %s: %s", caller->id, charle_err_name(caller->rc), caller->text);
    assert_ok(charle_message_read(type, charle_buf_bytes(&caller->reply), arena, out, &err), &err);
}

void round_hold(struct round *round, int count)
{
    round_sql(round, "select pg_advisory_lock(42)");
    for (int i = 0; i < count; i++)
        caller_do(&round->callers[i], "fold.Odd/Other", "wait");
    while (round_number(round, "select count(*) from pg_locks where locktype = 'advisory' and objid = 42 and not granted") < count)
        pause_ms(5);
    atomic_store(&round->ended, 0);
}

void round_let_go(struct round *round)
{
    pause_ms(QUEUE_MS);
    round_sql(round, "select pg_advisory_unlock(42)");
}
