// Calls to the real server over tcp: signing in and being refused, ordinary calls, reads, deadlines, faults of the
// database, draining.
#include "charle/admin.channel.charle.h"

#include "charleos/auth.channel.charle.h"
#include "charleos/core.channel.charle.h"
#include "msg/wire.h"
#include "process.h"
#include "rpc/rpc.h"
#include "server/password.h"
#include "server/token.h"
#include "support/pg_cluster.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000 };

static struct server server;
static struct ch_pg_cluster *cluster;
static char database_url[CH_PG_CLUSTER_URL_SIZE];
static char ann_token[60]; // an administrator
static struct charle_arena arena;

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static struct charle_channel *open_channel(const char *token)
{
    struct charle_channel *channel = NULL;
    struct charle_channel_options options = {.token = token};
    struct charle_error err = {0};
    assert_ok(charle_channel_open(server.address, &options, &channel, &err), &err);
    return channel;
}

static enum charle_err sign_in(struct charle_channel *channel, const char *principal, const char *email,
                               const char *password, struct charle_login_reply *reply, struct charle_error *err)
{
    struct charle_login_request request = {
        .principal = charle_str(principal), .email = charle_str(email), .password = charle_str(password)};
    return charle_session_login_rpc(channel, &request, &arena, reply, NULL, err);
}

static void make_people(void)
{
    char hash[CH_PASSWORD_HASH_SIZE], sql[3000];
    struct charle_error err = {0};
    assert_ok(ch_password_hash(charle_str("secret horse"), hash, &err), &err);
    snprintf(
        sql, sizeof(sql),
        "insert into \"user\" (id, name, email, status, access_level) values"
        " ('u1', 'Ann', 'ann@agency.test', 'active', 'admin'), ('u2', 'Bob', 'bob@agency.test', 'active', 'staff');"
        "insert into client (id, name, slug) values ('c1', 'Acme', 'acme');"
        "insert into client_user (id, client_id, name, email, status) values ('p1', 'c1', 'Cy', 'cy@acme.test', "
        "'active');"
        "insert into client_account (id, client_user_id, provider_id, account_id, password) values ('a1', 'p1', "
        "'credential', 'p1', '%s');"
        "insert into charle.credential (principal, principal_id, hash) values ('user', 'u1', '%s'), ('user', 'u2', "
        "'%s')",
        hash, hash, hash);
    run_sql(database_url, sql);
}

static int start_all(void **state)
{
    (void)state;
    cluster = ch_pg_cluster_shared();
    server_init(&server);
    assert_true(ch_pg_cluster_database(cluster, "calls", database_url));
    server_start(&server, database_url, (const char *const[]){"--migrate", "--log-level=debug", NULL});
    server_wait_ready(&server);
    make_people();
    struct charle_channel *channel = open_channel(NULL);
    struct charle_login_reply reply;
    struct charle_error err = {0};
    assert_ok(sign_in(channel, "user", "ann@agency.test", "secret horse", &reply, &err), &err);
    snprintf(ann_token, sizeof(ann_token), "%.*s", CHARLE_FMT(reply.token));
    charle_channel_close(channel);
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    int code = server.pid ? server_stop(&server) : 0;
    char word[100];
    snprintf(word, sizeof(word), "%s", ann_token);
    assert_false(server_has_said(&server, word)); // no token and no password in the log
    assert_false(server_has_said(&server, "secret horse"));
    server_remove(&server);
    charle_arena_deinit(&arena);
    return code;
}

// --- sessions ------------------------------------------------------------------------------------------------------

static void people_sign_in_and_out(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel(NULL);
    struct charle_login_reply reply;
    struct charle_who_am_i_reply who;
    struct charle_error err = {0};
    assert_int_equal(
        charle_session_who_am_i_rpc(channel, &(struct charle_who_am_i_request){0}, &arena, &who, NULL, &err),
        CHARLE_UNAUTHENTICATED);
    assert_contains(err.text, "sign in first");
    assert_ok(sign_in(channel, "client_user", "cy@acme.test", "secret horse", &reply, &err), &err);
    char token[60];
    snprintf(token, sizeof(token), "%.*s", CHARLE_FMT(reply.token));
    charle_channel_set_token(channel, token);
    assert_ok(charle_session_who_am_i_rpc(channel, &(struct charle_who_am_i_request){0}, &arena, &who, NULL, &err),
              &err);
    assert_true(charle_str_equal(who.principal_id, charle_str("p1")));
    bool holds_portal = false;
    for (size_t i = 0; i < who.scope.count; i++)
        holds_portal |= charle_str_equal(((const struct charle_str *)who.scope.items)[i], charle_str("portal:c1"));
    assert_true(holds_portal);
    struct charle_logout_reply out;
    assert_ok(charle_session_logout_rpc(channel, &(struct charle_logout_request){0}, &arena, &out, NULL, &err), &err);
    assert_int_equal(
        charle_session_who_am_i_rpc(channel, &(struct charle_who_am_i_request){0}, &arena, &who, NULL, &err),
        CHARLE_UNAUTHENTICATED);
    assert_contains(err.text, "sign in again");
    assert_ok(sign_in(channel, "client_user", "cy@acme.test", "secret horse", &reply, &err),
              &err); // though the old token is still sent
    charle_channel_close(channel);
}

static void guessing_is_stopped(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel(NULL);
    struct charle_login_reply reply;
    struct charle_error err = {0};
    for (int i = 0; i < 5; i++)
        assert_int_equal(sign_in(channel, "user", "bob@agency.test", "guess", &reply, &err), CHARLE_UNAUTHENTICATED);
    assert_int_equal(sign_in(channel, "user", "bob@agency.test", "secret horse", &reply, &err),
                     CHARLE_RESOURCE_EXHAUSTED);
    assert_contains(err.text, "try again in 15 minutes");
    charle_channel_close(channel);
}

static void a_revoked_session_is_refused_within_a_second(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel(ann_token);
    struct charle_login_reply reply;
    struct charle_who_am_i_reply who;
    struct charle_error err = {0};
    char token[60];
    assert_ok(sign_in(channel, "user", "ann@agency.test", "secret horse", &reply, &err), &err);
    snprintf(token, sizeof(token), "%.*s", CHARLE_FMT(reply.token));
    charle_channel_set_token(channel, token);
    assert_ok(charle_session_who_am_i_rpc(channel, &(struct charle_who_am_i_request){0}, &arena, &who, NULL, &err),
              &err);
    char hash[CH_TOKEN_HASH_SIZE], sql[200];
    ch_token_hash(charle_str(token), hash);
    snprintf(sql, sizeof(sql), "delete from session where token = '%s'", hash);
    run_sql(database_url, sql);
    enum charle_err rc = CHARLE_OK;
    for (int i = 0; i < PATIENCE_MS / 20 && rc == CHARLE_OK; i++) {
        rc = charle_session_who_am_i_rpc(channel, &(struct charle_who_am_i_request){0}, &arena, &who, NULL, &err);
        pause_ms(20);
    }
    assert_int_equal(rc, CHARLE_UNAUTHENTICATED);
    charle_channel_close(channel);
}

static void forged_tokens_open_nothing(void **state)
{
    (void)state;
    char forged[CH_TOKEN_SIZE];
    ch_token_new(forged);
    const char *const tokens[] = {forged, "ct_x", "nonsense", "' or 1=1 --"};
    struct charle_who_am_i_reply who;
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        struct charle_error err = {0};
        struct charle_channel *channel = open_channel(tokens[i]);
        assert_int_equal(
            charle_session_who_am_i_rpc(channel, &(struct charle_who_am_i_request){0}, &arena, &who, NULL, &err),
            CHARLE_UNAUTHENTICATED);
        charle_channel_close(channel);
    }
}

struct flood {
    atomic_int left, answered, refused, other;
};

static void on_login_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct flood *flood = ctx;
    if (status->code == CHARLE_UNAUTHENTICATED)
        atomic_fetch_add(&flood->answered, 1);
    else
        atomic_fetch_add(status->code == CHARLE_RESOURCE_EXHAUSTED ? &flood->refused : &flood->other, 1);
    atomic_fetch_sub(&flood->left, 1);
    charle_rpc_release(rpc);
}

static void on_message(void *ctx, struct charle_rpc *rpc, struct charle_bytes message)
{
    (void)ctx;
    charle_rpc_consumed(rpc, message.len);
}

static void start_login(struct charle_channel *channel, int number, struct flood *flood)
{
    char email[40];
    struct charle_buf request = {0};
    struct charle_rpc *rpc;
    struct charle_error err = {0};
    struct charle_rpc_events events = {on_message, on_login_done, flood};
    struct charle_call_options options = {.timeout_ms = PATIENCE_MS};
    snprintf(email, sizeof(email), "flood%d@agency.test", number);
    struct charle_login_request login = {
        .principal = charle_str("user"), .email = charle_str(email), .password = charle_str("x")};
    charle_message_write(&charle_login_request_message, &login, &request);
    assert_ok(charle_rpc_start(channel, CHARLE_STR("charle.Session/Login"), charle_buf_bytes(&request), &options,
                               &events, &rpc, &err),
              &err);
    charle_buf_deinit(&request);
}

static void a_flood_of_logins_is_bounded_and_others_are_served(void **state)
{
    (void)state;
    enum { COUNT = 60 }; // two at work and 32 waiting are taken
    struct charle_channel *channel = open_channel(ann_token);
    struct charle_error err = {0};
    struct flood flood = {.left = COUNT};
    for (int i = 0; i < COUNT; i++)
        start_login(channel, i, &flood);
    struct charleos_user_key key = {.id = charle_str("u1")};
    struct charleos_user_patch user;
    assert_ok(charleos_user_service_get_rpc(channel, &key, &arena, &user, NULL, &err), &err);
    assert_true(atomic_load(&flood.left) > 0); // it was served while passwords were still being hashed
    for (int i = 0; i < PATIENCE_MS && atomic_load(&flood.left); i++)
        pause_ms(1);
    assert_int_equal(atomic_load(&flood.left), 0);
    assert_int_equal(atomic_load(&flood.other), 0);
    assert_true(atomic_load(&flood.refused) > 0);
    assert_true(atomic_load(&flood.answered) >= 32);
    charle_channel_close(channel);
}

// --- ordinary calls ------------------------------------------------------------------------------------------------

static void echo_needs_no_session(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel(NULL);
    struct charle_echo_message request = {.payload = {.value = charle_bytes("hello", 5), .has = true}}, reply;
    struct charle_error err = {0};
    struct charle_buf buf = {0};
    assert_ok(charle_admin_echo_rpc(channel, &request, &arena, &reply, NULL, &err), &err);
    assert_int_equal(reply.payload.value.len, 5);
    assert_memory_equal(reply.payload.value.ptr, "hello", 5);
    assert_ok(charle_admin_echo_rpc(channel, &(struct charle_echo_message){0}, &arena, &reply, NULL, &err), &err);
    assert_false(reply.payload.has);
    assert_int_equal(
        charle_call_bytes(channel, CHARLE_STR("charle.Admin/Echo"), charle_bytes("\xff\xff\xff", 3), &buf, NULL, &err),
        CHARLE_MALFORMED);
    charle_buf_deinit(&buf);
    charle_channel_close(channel);
}

static void unknown_and_malformed_requests_get_sentences(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel(ann_token);
    struct charle_error err = {0};
    struct charle_buf buf = {0};
    struct charle_bytes none = {0};
    assert_int_equal(charle_call_bytes(channel, CHARLE_STR("charleos.TaskService/Frobnicate"), none, &buf, NULL, &err),
                     CHARLE_UNIMPLEMENTED);
    assert_contains(err.text, "there is no method");
    assert_int_equal(charle_call_bytes(channel, CHARLE_STR("charleos.NoTableService/Get"), none, &buf, NULL, &err),
                     CHARLE_UNIMPLEMENTED);
    assert_int_equal(charle_call_bytes(channel, CHARLE_STR("charle.Session/Login"), none, &buf, NULL, &err),
                     CHARLE_INVALID_ARGUMENT);
    assert_contains(err.text, "is required and missing");
    assert_int_equal(charle_call_bytes(channel, CHARLE_STR("charleos.ClientService/Get"), none, &buf, NULL, &err),
                     CHARLE_INVALID_ARGUMENT);
    assert_int_equal(charle_call_bytes(channel, CHARLE_STR("charleos.ClientService/Get"), charle_bytes("\x0a\x7fx", 3),
                                       &buf, NULL, &err),
                     CHARLE_MALFORMED);
    charle_buf_deinit(&buf);
    charle_channel_close(channel);
}

static void an_oversized_request_is_refused(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel(ann_token);
    struct charle_error err = {0};
    size_t size = ((size_t)4 << 20) + 1;
    uint8_t *payload = calloc(1, size);
    struct charle_echo_message request = {.payload = {.value = charle_bytes(payload, size), .has = true}}, reply;
    enum charle_err rc = charle_admin_echo_rpc(channel, &request, &arena, &reply, NULL, &err);
    assert_true(rc == CHARLE_RESOURCE_EXHAUSTED || rc == CHARLE_TOO_LARGE);
    assert_true(strlen(err.text) > 20);
    request.payload.value.len = 1000; // and the connection still serves
    assert_ok(charle_admin_echo_rpc(channel, &request, &arena, &reply, NULL, &err), &err);
    free(payload);
    charle_channel_close(channel);
}

static void rows_are_written_and_read(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel(ann_token);
    struct charle_error err = {0};
    struct charleos_department_insert insert = {.name = charle_str("Design")};
    struct charleos_department_patch made, got;
    assert_ok(charleos_department_service_create_rpc(channel, &insert, &arena, &made, NULL, &err), &err);
    assert_int_equal(made.id.value.len, 26);
    struct charleos_department_key key = {.id = made.id.value};
    assert_ok(charleos_department_service_get_rpc(channel, &key, &arena, &got, NULL, &err), &err);
    assert_true(charle_str_equal(got.name.value, charle_str("Design")));
    key.id = charle_str("nobody");
    assert_int_equal(charleos_department_service_get_rpc(channel, &key, &arena, &got, NULL, &err), CHARLE_NOT_FOUND);
    assert_int_equal(charleos_department_service_create_rpc(channel, &insert, &arena, &made, NULL, &err),
                     CHARLE_UNIQUE_VIOLATION);
    assert_null(strstr(err.text, "insert into")); // no SQL reaches callers
    charle_channel_close(channel);
}

// --- the reads lane ------------------------------------------------------------------------------------------------

struct reads {
    atomic_int left, right, wrong;
};

static void on_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct reads *reads = ctx;
    atomic_fetch_add(status->code == CHARLE_OK ? &reads->right : &reads->wrong, 1);
    atomic_fetch_sub(&reads->left, 1);
    charle_rpc_release(rpc);
}

static void many_reads_at_once_are_all_answered(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    struct charle_channel *channel = open_channel(ann_token);
    struct charle_error err = {0};
    struct reads reads = {.left = COUNT};
    struct charle_rpc_events events = {on_message, on_done, &reads};
    for (int i = 0; i < COUNT; i++) {
        struct charle_buf request = {0};
        struct charle_rpc *rpc;
        struct charleos_user_key key = {.id = charle_str(i % 5 ? "u1" : "nobody")}; // every fifth finds nothing
        charle_message_write(&charleos_user_key_message, &key, &request);
        assert_ok(charle_rpc_start(channel, CHARLE_STR("charleos.UserService/Get"), charle_buf_bytes(&request), NULL,
                                   &events, &rpc, &err),
                  &err);
        charle_buf_deinit(&request);
    }
    for (int i = 0; i < PATIENCE_MS && atomic_load(&reads.left); i++)
        pause_ms(1);
    assert_int_equal(atomic_load(&reads.left), 0);
    assert_int_equal(atomic_load(&reads.right), COUNT / 5 * 4);
    assert_int_equal(atomic_load(&reads.wrong), COUNT / 5);
    charle_channel_close(channel);
}

// --- status --------------------------------------------------------------------------------------------------------

static void status_has_figures_and_no_secrets(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel(ann_token);
    struct charle_status_reply status;
    struct charle_error err = {0};
    assert_ok(charle_admin_status_rpc(channel, &(struct charle_status_request){0}, &arena, &status, NULL, &err), &err);
    assert_true(charle_str_equal(status.schema, charle_str("charleos")));
    assert_true(status.calls > 10 && status.calls_failed > 0 && status.connections >= 1);
    assert_true(status.epoch > 0 && status.scopes > 0);
    assert_true(status.pool_size >= 8 && status.pool_busy >= 1 && status.memory_bytes > 1 << 20);
    assert_true(status.postgres_version.len > 0);
    charle_channel_close(channel);
}

// --- deadlines and draining ----------------------------------------------------------------------------------------

// Another program's transaction that holds the row of department d1.
static PGconn *hold_row(void)
{
    PGconn *conn = PQconnectdb(database_url);
    PQclear(PQexec(conn, "begin"));
    PGresult *result = PQexec(conn, "update department set name = name where id = 'd1'");
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    return conn;
}

static enum charle_err rename_department(struct charle_channel *channel, const char *name, uint32_t timeout_ms,
                                         struct charle_error *err)
{
    struct charleos_department_key key = {.id = charle_str("d1")};
    struct charleos_department_patch set = {.name = {charle_str(name), true}}, reply;
    struct charleos_department_update update = {.key = &key, .set = &set};
    struct charle_call_options options = {.timeout_ms = timeout_ms};
    return charleos_department_service_update_rpc(channel, &update, &arena, &reply, &options, err);
}

static void wait_for_locks(const char *expected)
{
    char count[20];
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
        read_sql(database_url, "select count(*) from pg_stat_activity where wait_event_type = 'Lock'", count,
                 sizeof(count));
        if (strcmp(count, expected) == 0)
            return;
        pause_ms(10);
    }
    fail_msg("%s statements wait for locks, not %s", count, expected);
}

static void a_late_call_is_stopped_in_the_database_too(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel(ann_token);
    struct charle_error err = {0};
    run_sql(database_url, "insert into department (id, name) values ('d1', 'Held') on conflict do nothing");
    PGconn *holder = hold_row();
    assert_int_equal(rename_department(channel, "Late", 300, &err), CHARLE_DEADLINE_EXCEEDED);
    wait_for_locks("0");
    PQclear(PQexec(holder, "rollback"));
    PQfinish(holder);
    assert_ok(rename_department(channel, "In time", 0, &err), &err);
    charle_channel_close(channel);
}

struct background {
    struct charle_channel *channel;
    enum charle_err rc;
    struct charle_error err;
};

static void *rename_in_background(void *ctx)
{
    struct background *background = ctx;
    background->rc = rename_department(background->channel, "Drained", 0, &background->err);
    return NULL;
}

static void stopping_lets_calls_finish(void **state)
{
    (void)state;
    struct background background = {.channel = open_channel(ann_token)};
    pthread_t thread;
    PGconn *holder = hold_row();
    assert_int_equal(pthread_create(&thread, NULL, rename_in_background, &background), 0);
    wait_for_locks("1");
    server_signal(&server, SIGTERM);
    server_wait_words(&server, "stopping signal=SIGTERM");
    PQclear(PQexec(holder, "commit"));
    PQfinish(holder);
    pthread_join(thread, NULL);
    assert_ok(background.rc, &background.err);
    charle_channel_close(background.channel);
    assert_int_equal(server_wait_exit(&server), 0);
    char name[40];
    read_sql(database_url, "select name from department where id = 'd1'", name, sizeof(name));
    assert_string_equal(name, "Drained");
    server_start(&server, database_url, (const char *const[]){"--log-level=debug", NULL});
    server_wait_ready(&server);
}

// --- faults of the database ----------------------------------------------------------------------------------------

static void calls_fail_while_the_database_is_away_and_work_again(void **state)
{
    (void)state;
    struct charle_channel *channel = open_channel(ann_token);
    struct charleos_user_key key = {.id = charle_str("u1")};
    struct charleos_user_patch user;
    struct charle_error err = {0};
    assert_ok(charleos_user_service_get_rpc(channel, &key, &arena, &user, NULL, &err), &err);
    assert_true(ch_pg_cluster_halt(cluster, true));
    enum charle_err rc = charleos_user_service_get_rpc(channel, &key, &arena, &user, NULL, &err);
    assert_int_equal(rc, CHARLE_UNAVAILABLE);
    assert_int_equal(rename_department(channel, "Away", 0, &err), CHARLE_UNAVAILABLE);
    server_wait_words(&server, "the database cannot be used");
    assert_true(ch_pg_cluster_resume(cluster));
    for (int i = 0; i < PATIENCE_MS / 50; i++) {
        rc = charleos_user_service_get_rpc(channel, &key, &arena, &user, NULL, &err);
        if (rc != CHARLE_UNAVAILABLE)
            break;
        pause_ms(50);
    }
    assert_ok(rc, &err);
    server_wait_words(&server, "the database is back");
    assert_ok(rename_department(channel, "Back", 0, &err), &err);
    charle_channel_close(channel);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_sign_in_and_out),
        cmocka_unit_test(guessing_is_stopped),
        cmocka_unit_test(a_revoked_session_is_refused_within_a_second),
        cmocka_unit_test(forged_tokens_open_nothing),
        cmocka_unit_test(a_flood_of_logins_is_bounded_and_others_are_served),
        cmocka_unit_test(echo_needs_no_session),
        cmocka_unit_test(unknown_and_malformed_requests_get_sentences),
        cmocka_unit_test(an_oversized_request_is_refused),
        cmocka_unit_test(rows_are_written_and_read),
        cmocka_unit_test(many_reads_at_once_are_all_answered),
        cmocka_unit_test(status_has_figures_and_no_secrets),
        cmocka_unit_test(a_late_call_is_stopped_in_the_database_too),
        cmocka_unit_test(stopping_lets_calls_finish),
        cmocka_unit_test(calls_fail_while_the_database_is_away_and_work_again),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
