#include "office.h"

#include "call/method.h"
#include "charleos.schema.charle.h"
#include "db/db.h"
#include "msg/json.h"
#include "server/password.h"

#include <poll.h>
#include <time.h>

enum { PATIENCE_MS = 60000 };

static const char password[] = "secret horse";

void office_pause(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

void office_fill(const char *database_url)
{
    char hash[CH_PASSWORD_HASH_SIZE], sql[1000];
    struct charle_error err = {0};
    assert_ok(ch_password_hash(charle_str(password), hash, &err), &err);
    snprintf(sql, sizeof(sql),
             "insert into \"user\" (id, name, email, status, access_level) values ('u1', 'Ann', 'ann@agency.test', "
             "'active', 'admin');"
             "insert into charle.credential (principal, principal_id, hash) values ('user', 'u1', '%s');"
             "insert into department (id, name) select 'd' || i, 'Department ' || i from generate_series(1, 20) i",
             hash);
    run_sql(database_url, sql);
}

void office_login(const struct server *server, char out_token[256])
{
    struct charle_error err = {0};
    struct charle_login_result reply;
    const struct charle_login_options options = {.url = server->address, .email = "ann@agency.test", .password = password};
    assert_ok((enum charle_err)charle_login(&options, &reply, &err), &err);
    memcpy(out_token, reply.token, sizeof(reply.token));
}

struct charle_client *office_replica(const struct server *server, const char *name, const char *token)
{
    char file[160];
    struct charle_error err = {0};
    struct charle_client *client;
    snprintf(file, sizeof(file), "%s/../%s/replica.db", server->folder, name);
    const struct charle_client_options options = {
        .file = file, .schema = &charleos_schema, .url = server->address, .token = token, .device_name = name};
    assert_ok((enum charle_err)charle_client_open(&options, &client, &err), &err);
    assert_ok((enum charle_err)charle_client_sync(client, PATIENCE_MS, &err), &err);
    assert_ok((enum charle_err)charle_client_start(client, &err), &err);
    struct charle_client_status status = {0};
    for (int i = 0; i < PATIENCE_MS / 10 && status.state != CHARLE_CLIENT_LIVE; i++) {
        office_pause(10);
        charle_client_status(client, &status);
    }
    assert_int_equal(status.state, CHARLE_CLIENT_LIVE);
    return client;
}

void *office_call(struct charle_client *client, const char *name, const char *request_json, struct charle_arena *arena)
{
    struct charle_error err = {0};
    const struct charle_client_call_options options = {.is_online = true};
    const struct charle_method *method = charle_client_method(client, name);
    assert_non_null(method);
    void *request = charle_arena_alloc(arena, method->request->size), *reply = charle_arena_alloc(arena, method->reply->size);
    assert_true(request && reply);
    assert_ok(charle_message_read_json(method->request, charle_str(request_json), arena, request, &err), &err);
    assert_ok((enum charle_err)charle_client_call(client, method, request, arena, reply, &options, &err), &err);
    return reply;
}

struct charle_server_reply *office_overview(struct charle_client *client, struct charle_arena *arena)
{
    return office_call(client, "charle.Admin/Server", "{}", arena);
}

static bool shows(struct charle_client *client, const char *sql, const char *value)
{
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    struct charle_value found = {0};
    bool is_shown = false;
    enum charle_err rc = charle_query(charle_client_db(client), sql, NULL, 0, &rows, &err);
    if (rc == CHARLE_OK && charle_rows_next(rows, &err) == CHARLE_OK)
        is_shown = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &found, &err) == CHARLE_OK &&
                   charle_str_equal(found.text, charle_str(value));
    charle_rows_close(rows);
    assert_ok(rc, &err);
    return is_shown;
}

void office_wait(struct charle_client *client, const char *sql, const char *value)
{
    struct pollfd wait = {.fd = charle_client_fd(client), .events = POLLIN};
    for (int i = 0; i < PATIENCE_MS / 100 && !shows(client, sql, value); i++) {
        poll(&wait, 1, 100);
        charle_client_take_events(client);
    }
    if (!shows(client, sql, value))
        fail_msg("%s does not give \"%s\" on the replica", sql, value);
}
