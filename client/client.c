#include "client/client.h"

#include "base/alloc.h"
#include "charle/admin.charle.h"
#include "charle/sync.charle.h"
#include "client/rebase.h"
#include "msg/wire.h"
#include "services/crud.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CALL_TIMEOUT_MS = 30000, POLL_US = 200000 };

#define STRINGIFY(x) #x
#define VERSION_TEXT(major, minor, patch) STRINGIFY(major) "." STRINGIFY(minor) "." STRINGIFY(patch)

const char *charle_version(void)
{
    return VERSION_TEXT(CHARLE_VERSION_MAJOR, CHARLE_VERSION_MINOR, CHARLE_VERSION_PATCH);
}

// --- watching -----------------------------------------------------------------------------------------------------------

void ch_client_tell(struct charle_client *client, unsigned events, const uint32_t *tables, size_t table_count)
{
    const struct charle_client_change change = {.events = events, .tables = tables, .table_count = table_count};
    if (!events)
        return;
    atomic_fetch_or(&client->events, events);
    if (client->event_fd >= 0 && eventfd_write(client->event_fd, 1) != 0) {
        // The counter is full: the descriptor is readable already, which is all it says.
    }
    pthread_mutex_lock(&client->watch_mutex);
    charle_watch_fn watch = client->watch;
    void *ctx = client->watch_ctx;
    pthread_mutex_unlock(&client->watch_mutex);
    if (watch)
        watch(ctx, &change);
}

static void on_changed(void *ctx, unsigned events, const uint32_t *tables, size_t table_count)
{
    ch_client_tell(ctx, events, tables, table_count);
}

void charle_client_watch(struct charle_client *client, charle_watch_fn fn, void *ctx)
{
    pthread_mutex_lock(&client->watch_mutex);
    client->watch = fn;
    client->watch_ctx = ctx;
    pthread_mutex_unlock(&client->watch_mutex);
}

int charle_client_fd(struct charle_client *client)
{
    return client->event_fd;
}

unsigned charle_client_take_events(struct charle_client *client)
{
    eventfd_t ignored;
    if (client->event_fd >= 0 && eventfd_read(client->event_fd, &ignored) != 0 && errno != EAGAIN)
        return 0;
    return atomic_exchange(&client->events, 0);
}

// --- life ---------------------------------------------------------------------------------------------------------------

static const struct charle_method *const platform_methods[] = {
    &charle_session_login_method, &charle_session_logout_method, &charle_session_who_am_i_method,
    &charle_admin_status_method,  &charle_admin_echo_method,     &charle_sync_hash_method};
enum { PLATFORM_METHODS = sizeof(platform_methods) / sizeof(platform_methods[0]) };

static enum charle_err check_options(const struct charle_client_options *options, struct charle_error *err)
{
    if (!options->file || !*options->file)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a client needs a file for its replica");
    if (!options->schema)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a client needs the schema it was built for");
    return CHARLE_OK;
}

// The server's address: given now and kept for the next time, or kept from the last time. In the arena; ptr NULL: none.
static enum charle_err settle_url(struct charle_client *client, const struct charle_client_options *options, char out[256],
                                  struct charle_error *err)
{
    struct ch_sql *sql = &client->replica.sql;
    char kept[256];
    enum charle_err rc = ch_meta_text(&client->replica.look, "url", kept, sizeof(kept), err);
    if (rc)
        return rc;
    snprintf(out, 256, "%s", options->url ? options->url : kept);
    if (!options->url || strcmp(options->url, kept) == 0)
        return CHARLE_OK;
    rc = ch_replica_begin(&client->replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = ch_meta_set_text(sql, "url", charle_str(options->url), err);
    return ch_replica_end(&client->replica, rc, err);
}

static enum charle_err open_parts(struct charle_client *client, const struct charle_client_options *options, struct charle_error *err)
{
    char host[64] = "", url[256] = "";
    if (!options->device_name && gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    const struct ch_replica_options replica = {.file = options->file,
                                               .schema = options->schema,
                                               .crud = ch_crud_run,
                                               .device_name = options->device_name ? options->device_name : host,
                                               .lock_timeout_ms = options->lock_timeout_ms,
                                               .is_read_only = options->is_read_only};
    enum charle_err rc = ch_replica_open(&client->replica, &client->edge.env, &replica, err);
    if (rc || options->is_read_only)
        return rc;
    rc = settle_url(client, options, url, err);
    if (rc)
        return rc;
    const struct charle_channel_options channel = {
        .token = options->token, .tls_ca_file = options->tls_ca_file, .tls_server_name = options->tls_server_name};
    return ch_edge_start(&client->edge, &client->replica, url[0] ? url : NULL, &channel, err);
}

int charle_client_open(const struct charle_client_options *options, struct charle_client **out, struct charle_error *err)
{
    enum charle_err rc = check_options(options, err);
    struct charle_client *client = rc ? NULL : ch_alloc_zeroed(1, sizeof(*client));
    if (rc)
        return (int)rc;
    if (!client || sodium_init() < 0)
        return (int)charle_fail(err, CHARLE_NO_MEMORY, "no memory for a client");
    ch_edge_init(&client->edge);
    client->edge.changed = on_changed;
    client->edge.changed_ctx = client;
    client->is_read_only = options->is_read_only;
    client->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&client->reader_mutex, NULL);
    pthread_mutex_init(&client->watch_mutex, NULL);
    rc = open_parts(client, options, err);
    if (rc)
        charle_client_close(client);
    else
        *out = client;
    return (int)rc;
}

void charle_client_close(struct charle_client *client)
{
    if (!client)
        return;
    ch_edge_stop(&client->edge);
    charle_db_close(client->reader);
    ch_replica_close(&client->replica);
    if (client->event_fd >= 0)
        close(client->event_fd);
    pthread_mutex_destroy(&client->reader_mutex);
    pthread_mutex_destroy(&client->watch_mutex);
    ch_free(client);
}

static enum charle_err need_writer(const struct charle_client *client, struct charle_error *err)
{
    return client->is_read_only ? charle_fail(err, CHARLE_READ_ONLY, "this replica was opened for reading only") : CHARLE_OK;
}

void ch_client_hold(struct charle_client *client)
{
    atomic_fetch_add(&client->syncing, 1);
    ch_edge_post(&client->edge, CH_EDGE_START);
}

void ch_client_release(struct charle_client *client)
{
    if (atomic_fetch_sub(&client->syncing, 1) == 1 && !atomic_load(&client->is_started))
        ch_edge_post(&client->edge, CH_EDGE_STOP);
}

int charle_client_start(struct charle_client *client, struct charle_error *err)
{
    enum charle_err rc = need_writer(client, err);
    if (rc == CHARLE_OK) {
        atomic_store(&client->is_started, true);
        ch_edge_post(&client->edge, CH_EDGE_START);
    }
    return (int)rc;
}

void charle_client_stop(struct charle_client *client)
{
    struct ch_edge_snapshot snapshot;
    if (client->is_read_only)
        return;
    atomic_store(&client->is_started, false);
    if (atomic_load(&client->syncing))
        return; // whoever waits for a sync stops it in the end
    ch_edge_snapshot(&client->edge, &snapshot);
    ch_edge_post(&client->edge, CH_EDGE_STOP);
    while (snapshot.status.state != CHARLE_CLIENT_STOPPED && !atomic_load(&client->is_started)) {
        ch_edge_wait(&client->edge, snapshot.round, ch_clock_mono_us() + POLL_US);
        ch_edge_snapshot(&client->edge, &snapshot);
    }
}

void charle_client_set_token(struct charle_client *client, const char *token)
{
    if (!client->edge.channel)
        return;
    charle_channel_set_token(client->edge.channel, token);
    ch_edge_post(&client->edge, CH_EDGE_RETRY);
}

// --- waiting ------------------------------------------------------------------------------------------------------------

enum charle_err ch_client_hope(const struct ch_edge_snapshot *snapshot, int64_t *offline_since_us, struct charle_error *err)
{
    const struct charle_client_status *status = &snapshot->status;
    int64_t now = ch_clock_mono_us();
    bool is_away = status->state == CHARLE_CLIENT_OFFLINE || status->state == CHARLE_CLIENT_STOPPED;
    if (status->state == CHARLE_CLIENT_BLOCKED)
        return charle_fail(err, snapshot->problem_code ? snapshot->problem_code : CHARLE_FAILED_PRECONDITION, "%s", status->problem);
    if (!is_away)
        *offline_since_us = 0;
    else if (!*offline_since_us)
        *offline_since_us = now;
    else if (now - *offline_since_us > CH_CLIENT_PATIENCE_US)
        return charle_fail(err, CHARLE_UNAVAILABLE, "the server cannot be reached%s%s", status->problem[0] ? ": " : "", status->problem);
    return CHARLE_OK;
}

static int64_t end_of(uint32_t timeout_ms)
{
    return timeout_ms ? ch_clock_mono_us() + (int64_t)timeout_ms * 1000 : INT64_MAX;
}

static enum charle_err too_late(const struct ch_edge_snapshot *snapshot, struct charle_error *err)
{
    const struct charle_client_status *status = &snapshot->status;
    if (status->state == CHARLE_CLIENT_COPYING)
        return charle_fail(err, CHARLE_DEADLINE_EXCEEDED, "the time was over after %lld rows were copied; what arrived is kept",
                           (long long)status->rows_copied);
    return charle_fail(err, CHARLE_DEADLINE_EXCEEDED, "the time was over while %s%s%s", charle_client_state_name(status->state),
                       status->problem[0] ? ": " : "", status->problem);
}

// Waits until synced (or verified) has reached the ticket.
static enum charle_err wait_ticket(struct charle_client *client, int64_t ticket, bool is_verify, uint32_t timeout_ms,
                                   struct ch_edge_snapshot *snapshot, struct charle_error *err)
{
    int64_t until = end_of(timeout_ms), offline_since = 0;
    for (;;) {
        ch_edge_snapshot(&client->edge, snapshot);
        if ((is_verify ? snapshot->verified : snapshot->synced) >= ticket)
            return CHARLE_OK;
        enum charle_err rc = ch_client_hope(snapshot, &offline_since, err);
        if (rc)
            return rc;
        int64_t now = ch_clock_mono_us();
        if (now >= until)
            return too_late(snapshot, err);
        ch_edge_wait(&client->edge, snapshot->round, until - now > POLL_US ? now + POLL_US : until);
    }
}

int charle_client_sync(struct charle_client *client, uint32_t timeout_ms, struct charle_error *err)
{
    struct ch_edge_snapshot snapshot;
    enum charle_err rc = need_writer(client, err);
    if (rc)
        return (int)rc;
    if (!client->edge.channel)
        return (int)charle_fail(err, CHARLE_UNAVAILABLE, "no server was named; give its address when opening the replica");
    ch_client_hold(client);
    ch_edge_post(&client->edge, CH_EDGE_RETRY);
    rc = wait_ticket(client, ch_edge_ask(&client->edge, CH_EDGE_SYNC), false, timeout_ms, &snapshot, err);
    ch_client_release(client);
    return (int)rc;
}

int charle_client_verify(struct charle_client *client, uint32_t timeout_ms, struct charle_verify_report *out, struct charle_error *err)
{
    struct ch_edge_snapshot snapshot;
    int rc = (int)need_writer(client, err);
    if (rc)
        return rc;
    ch_client_hold(client);
    rc = charle_client_sync(client, timeout_ms, err);
    int64_t ticket = rc ? 0 : ch_edge_ask(&client->edge, CH_EDGE_VERIFY);
    if (ticket < 0)
        rc = (int)charle_fail(err, CHARLE_FAILED_PRECONDITION, "another program synchronises this replica; let that one verify it");
    else if (!rc)
        rc = (int)wait_ticket(client, ticket, true, timeout_ms, &snapshot, err);
    if (!rc)
        *out = snapshot.report;
    ch_client_release(client);
    return rc;
}

// --- reading ------------------------------------------------------------------------------------------------------------

struct charle_db *charle_client_db(struct charle_client *client)
{
    pthread_mutex_lock(&client->reader_mutex);
    if (!client->reader && ch_replica_open_reader(&client->replica, &client->reader, NULL))
        client->reader = NULL;
    struct charle_db *reader = client->reader;
    pthread_mutex_unlock(&client->reader_mutex);
    return reader;
}

int charle_client_db_open(struct charle_client *client, struct charle_db **out, struct charle_error *err)
{
    return (int)ch_replica_open_reader(&client->replica, out, err);
}

// --- calling ------------------------------------------------------------------------------------------------------------

const struct charle_method *charle_client_method(const struct charle_client *client, const char *name)
{
    for (size_t i = 0; i < PLATFORM_METHODS; i++) {
        if (charle_str_equal(platform_methods[i]->name, charle_str(name)))
            return platform_methods[i];
    }
    return charle_method_find(&client->replica.methods, charle_str(name));
}

static bool is_ready(struct charle_client *client)
{
    int64_t ready = 0;
    pthread_mutex_lock(&client->replica.look_mutex);
    if (ch_meta_number(&client->replica.look, "ready", 0, &ready, NULL))
        ready = 0;
    pthread_mutex_unlock(&client->replica.look_mutex);
    return ready != 0;
}

static enum charle_err call_server(struct charle_client *client, const struct charle_method *method, const void *request,
                                   struct charle_arena *arena, void *reply, const struct charle_client_call_options *options,
                                   struct charle_error *err)
{
    const struct charle_call_options call = {
        .timeout_ms = options->timeout_ms ? options->timeout_ms : method->deadline_ms ? method->deadline_ms : CALL_TIMEOUT_MS};
    if (!client->edge.channel)
        return charle_fail(err, CHARLE_UNAVAILABLE, "%.*s needs a server, and none was named", CHARLE_FMT(method->name));
    enum charle_err rc = charle_call(client->edge.channel, method, request, arena, reply, &call, err);
    if (options->outcome && rc == CHARLE_OK)
        *options->outcome = (struct charle_client_outcome){.verdict = CHARLE_VERDICT_APPLIED, .is_confirmed = true};
    return rc;
}

static enum charle_err call_here(struct charle_client *client, const struct charle_method *method, const void *request,
                                 struct charle_arena *arena, void *reply, int64_t *out_ticket, struct charle_error *err)
{
    struct charle_buf bytes = {0}, answer = {0};
    charle_message_write(method->request, request, &bytes);
    enum charle_err rc = bytes.failed ? charle_fail(err, bytes.failed, "the request is too large")
                                      : ch_replica_call(&client->replica, method, charle_buf_bytes(&bytes), &answer, out_ticket, err);
    if (rc == CHARLE_OK) {
        ch_edge_post(&client->edge, CH_EDGE_KICK);
        ch_client_tell(client, CHARLE_EVENT_ROWS | CHARLE_EVENT_CALLS, NULL, 0);
        struct charle_bytes kept = charle_arena_bytes(arena, charle_buf_bytes(&answer)); // the reply's strings point into it
        rc = kept.ptr ? charle_message_read(method->reply, kept, arena, reply, err)
                      : charle_fail(err, CHARLE_NO_MEMORY, "the call was made, but there is no memory for its reply");
    }
    charle_buf_deinit(&bytes);
    charle_buf_deinit(&answer);
    return rc;
}

int charle_client_call(struct charle_client *client, const struct charle_method *method, const void *request, struct charle_arena *arena,
                       void *reply, const struct charle_client_call_options *given, struct charle_error *err)
{
    const struct charle_client_call_options options = given ? *given : (struct charle_client_call_options){0};
    struct charle_client_outcome outcome = {0};
    if (options.outcome)
        *options.outcome = outcome;
    enum charle_err rc = need_writer(client, err);
    if (rc)
        return (int)rc;
    if (!method->is_offline || options.is_online || !is_ready(client))
        return (int)call_server(client, method, request, arena, reply, &options, err);
    rc = call_here(client, method, request, arena, reply, &outcome.ticket, err);
    if (rc == CHARLE_OK && options.wait_for_verdict) {
        int64_t ticket = outcome.ticket;
        rc = (enum charle_err)charle_client_wait(client, ticket, options.timeout_ms ? options.timeout_ms : CALL_TIMEOUT_MS, &outcome, err);
        if (rc == CHARLE_OK && outcome.verdict == CHARLE_VERDICT_REJECTED)
            rc = charle_fail(err, (enum charle_err)outcome.code, "%s", outcome.text);
    }
    if (options.outcome)
        *options.outcome = outcome;
    return (int)rc;
}

// --- status -------------------------------------------------------------------------------------------------------------

static void look(struct charle_client *client, struct charle_client_status *out)
{
    struct ch_sql *sql = &client->replica.look;
    int64_t ready = 0, contact = 0;
    struct stat info;
    pthread_mutex_lock(&client->replica.look_mutex);
    enum charle_err rc = ch_meta_number(sql, "ready", 0, &ready, NULL);
    rc = rc ? rc : ch_meta_number(sql, "contact_at", 0, &contact, NULL);
    rc = rc ? rc : ch_sql_number(sql, CH_SQL_OUTBOX_COUNT, 0, &out->pending_calls, NULL, "");
    rc = rc ? rc : ch_sql_number(sql, CH_SQL_INBOX_COUNT, 0, &out->inbox_count, NULL, "");
    rc = rc ? rc : ch_meta_text(sql, "principal", out->principal, sizeof(out->principal), NULL);
    rc = rc ? rc : ch_meta_text(sql, "principal_id", out->principal_id, sizeof(out->principal_id), NULL);
    rc = rc ? rc : ch_meta_text(sql, "device_id", out->device_id, sizeof(out->device_id), NULL);
    pthread_mutex_unlock(&client->replica.look_mutex);
    out->is_ready = ready != 0;
    if (contact > out->contact_at_us)
        out->contact_at_us = contact;
    out->file_size = stat(client->replica.file, &info) == 0 ? (int64_t)info.st_size : 0;
    if (rc && !out->problem[0])
        snprintf(out->problem, sizeof(out->problem), "the replica cannot be read: %s", charle_err_text(rc));
}

void charle_client_status(struct charle_client *client, struct charle_client_status *out)
{
    struct ch_edge_snapshot snapshot = {0};
    if (!client->is_read_only)
        ch_edge_snapshot(&client->edge, &snapshot);
    *out = snapshot.status;
    out->bytes_received = atomic_load(&client->edge.bytes_received);
    out->bytes_sent = atomic_load(&client->edge.bytes_sent);
    look(client, out);
}

const char *charle_client_state_name(enum charle_client_state state)
{
    switch (state) {
    case CHARLE_CLIENT_STOPPED:
        return "stopped";
    case CHARLE_CLIENT_OFFLINE:
        return "offline";
    case CHARLE_CLIENT_CONNECTING:
        return "connecting";
    case CHARLE_CLIENT_COPYING:
        return "copying";
    case CHARLE_CLIENT_SYNCING:
        return "syncing";
    case CHARLE_CLIENT_LIVE:
        return "live";
    case CHARLE_CLIENT_FOLLOWING:
        return "following";
    case CHARLE_CLIENT_BLOCKED:
        return "blocked";
    }
    return "unknown";
}
