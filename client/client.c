// The public functions around the life of a client, its status, and waiting for synchronisation. Calls are in client_call.c, the lists of
// waiting calls and verdicts in client_lists.c, signing in in client_login.c.
#include "client/edge.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "client/core_parts.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    UNREACHABLE_US = 10000000, // with no limit of its own, sync gives up when the server has been out of reach for so long
    FAILURES_MAX = 5,          // … or when the same trouble came back so often
};

const char *charle_version(void)
{
#define TEXT(x) #x
#define VERSION(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)
    return VERSION(CHARLE_VERSION_MAJOR, CHARLE_VERSION_MINOR, CHARLE_VERSION_PATCH);
#undef VERSION
#undef TEXT
}

int charle_client_open(const struct charle_client_options *options, struct charle_client **out, struct charle_error *err)
{
    if (!options || !options->file || !*options->file)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a client needs the path of its replica: options.file");
    if (!options->schema)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a client needs the schema it was built with: options.schema");
    struct charle_client *client = ch_alloc_zeroed(1, sizeof(*client));
    if (!client)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a client");
    enum charle_err rc = ch_edge_open(client, options, err);
    if (rc) {
        ch_edge_close(client);
        ch_free(client);
        return rc;
    }
    *out = client;
    return CHARLE_OK;
}

void charle_client_close(struct charle_client *client)
{
    if (!client)
        return;
    ch_edge_close(client);
    ch_free(client);
}

static int check_may_sync(struct charle_client *client, struct charle_error *err)
{
    if (client->replica.is_read_only)
        return charle_fail(err, CHARLE_READ_ONLY, "%s was opened for reading only, so it cannot be synchronised", client->file);
    if (!client->channel)
        return charle_fail(err, CHARLE_UNAVAILABLE, "%s was opened without a server and none is kept in it; give its address", client->file);
    return CHARLE_OK;
}

int charle_client_start(struct charle_client *client, struct charle_error *err)
{
    int rc = check_may_sync(client, err);
    if (!rc)
        rc = ch_edge_need_thread(client, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&client->mutex);
    client->is_started = true;
    pthread_mutex_unlock(&client->mutex);
    ch_edge_wish(client, EDGE_START, NULL);
    return CHARLE_OK;
}

// The core runs as long as it was started or somebody is in a sync or verify.
static void stop_if_unused(struct charle_client *client)
{
    int64_t answer;
    pthread_mutex_lock(&client->mutex);
    bool is_unused = !client->is_started && client->users == 0;
    pthread_mutex_unlock(&client->mutex);
    if (is_unused && client->has_thread)
        ch_edge_wish(client, EDGE_STOP, &answer);
}

void charle_client_stop(struct charle_client *client)
{
    pthread_mutex_lock(&client->mutex);
    client->is_started = false;
    pthread_mutex_unlock(&client->mutex);
    stop_if_unused(client);
}

static int use_core(struct charle_client *client, struct charle_error *err)
{
    int rc = check_may_sync(client, err);
    if (!rc && ch_edge_is_own_thread(client))
        rc = charle_fail(err, CHARLE_FAILED_PRECONDITION, "a watch callback cannot wait for synchronisation, which it is part of");
    if (!rc)
        rc = ch_edge_need_thread(client, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&client->mutex);
    client->users++;
    pthread_mutex_unlock(&client->mutex);
    ch_edge_wish(client, EDGE_START, NULL);
    return CHARLE_OK;
}

static void leave_core(struct charle_client *client)
{
    pthread_mutex_lock(&client->mutex);
    client->users--;
    pthread_mutex_unlock(&client->mutex);
    stop_if_unused(client);
}

// --- waiting ------------------------------------------------------------------------------------------------------------------

struct patience {
    int64_t deadline_us;   // INT64_MAX: none
    int64_t contact_us;    // when the server was last in reach
    const char *what;
};

static struct patience be_patient(uint32_t timeout_ms, const char *what)
{
    int64_t now = ch_clock_mono_us();
    return (struct patience){timeout_ms ? now + (int64_t)timeout_ms * 1000 : INT64_MAX, now, what};
}

// Is waiting on hopeless? Says why.
static int check_hope(struct charle_client *client, struct patience *patience, const struct edge_view *view, struct charle_error *err)
{
    const struct charle_client_status *status = &view->status;
    int64_t now = ch_clock_mono_us();
    const char *why = status->problem[0] ? status->problem : "no answer from it yet";
    if (status->is_connected || status->state == CHARLE_CLIENT_FOLLOWING)
        patience->contact_us = now;
    if (status->state == CHARLE_CLIENT_BLOCKED || status->state == CHARLE_CLIENT_WIPED || status->state == CHARLE_CLIENT_PAUSED ||
        (status->state == CHARLE_CLIENT_METERED && view->problem_code))
        return charle_fail(err, view->problem_code, "%s", status->problem);
    if (view->failures >= FAILURES_MAX && status->is_connected)
        return charle_fail(err, view->problem_code ? view->problem_code : CHARLE_UNAVAILABLE, "%s", why);
    if (now - patience->contact_us > UNREACHABLE_US && patience->deadline_us == INT64_MAX)
        return charle_fail(err, CHARLE_UNAVAILABLE, "the server at %s cannot be reached (%s); what was done here is kept and sent later",
                           client->url, why);
    if (now >= patience->deadline_us)
        return charle_fail(err, CHARLE_DEADLINE_EXCEEDED, "%s did not end in time: the state is %s, %s", patience->what,
                           charle_client_state_name(status->state), why);
    return CHARLE_OK;
}

// One wait of at most a second, so that hope is looked at again.
static void wait_a_turn(struct charle_client *client, const struct patience *patience, struct edge_view *view)
{
    int64_t until = ch_clock_mono_us() + 1000000;
    ch_edge_wait(client, view->turns, until < patience->deadline_us ? until : patience->deadline_us, view);
}

int charle_client_sync(struct charle_client *client, uint32_t timeout_ms, struct charle_error *err)
{
    struct patience patience = be_patient(timeout_ms, "synchronising");
    struct edge_view view;
    int64_t ticket;
    int rc = use_core(client, err);
    if (rc)
        return rc;
    ch_edge_wish(client, EDGE_SYNC, &ticket);
    ch_edge_view(client, &view);
    while (!rc && view.synced < ticket) {
        rc = check_hope(client, &patience, &view, err);
        if (!rc)
            wait_a_turn(client, &patience, &view);
    }
    leave_core(client);
    return rc;
}

int ch_client_wait_for(struct charle_client *client, uint32_t timeout_ms, const char *what, ch_client_done_fn is_done, void *ctx,
                       struct charle_error *err)
{
    struct patience patience = be_patient(timeout_ms, what);
    struct edge_view view;
    int rc = use_core(client, err);
    if (rc)
        return rc;
    ch_edge_wish(client, EDGE_FILES, NULL);
    ch_edge_view(client, &view);
    enum charle_err done;
    while ((done = is_done(client, ctx, err)) == CHARLE_DONE) {
        rc = check_hope(client, &patience, &view, err);
        if (rc)
            break;
        wait_a_turn(client, &patience, &view);
    }
    leave_core(client);
    return rc ? rc : (int)done;
}

int charle_client_verify(struct charle_client *client, uint32_t timeout_ms, struct charle_verify_report *out,
                         struct charle_error *err)
{
    struct patience patience = be_patient(timeout_ms, "verifying");
    struct edge_view view;
    int64_t ticket = 0;
    *out = (struct charle_verify_report){0};
    int rc = use_core(client, err);
    if (rc)
        return rc;
    ch_edge_wish(client, EDGE_VERIFY, &ticket);
    if (!ticket)
        rc = charle_fail(err, CHARLE_BUSY, "another program synchronises %s; verify there, or close it first", client->file);
    ch_edge_view(client, &view);
    while (!rc && view.verified < ticket) {
        rc = check_hope(client, &patience, &view, err);
        if (!rc)
            wait_a_turn(client, &patience, &view);
    }
    *out = view.report;
    if (!rc && view.verify_error.code) {
        rc = (int)view.verify_error.code;
        if (err)
            *err = view.verify_error;
    }
    leave_core(client);
    return rc;
}

void charle_client_set_token(struct charle_client *client, const char *token)
{
    if (client->channel)
        charle_channel_set_token(client->channel, token);
    ch_edge_wish(client, EDGE_RETRY, NULL);
}

// --- reading --------------------------------------------------------------------------------------------------------------------

int charle_client_db_open(struct charle_client *client, struct charle_db **out, struct charle_error *err)
{
    return ch_replica_open_reader(&client->replica, out, err);
}

struct charle_db *charle_client_db(struct charle_client *client)
{
    struct charle_error err = {0};
    pthread_mutex_lock(&client->mutex);
    if (!client->db && ch_replica_open_reader(&client->replica, &client->db, &err))
        snprintf(client->view.status.problem, sizeof(client->view.status.problem), "%s", err.text);
    struct charle_db *db = client->db;
    pthread_mutex_unlock(&client->mutex);
    return db;
}

// --- looking --------------------------------------------------------------------------------------------------------------------

const char *charle_client_state_name(enum charle_client_state state)
{
    static const char *const names[] = {"stopped", "offline", "connecting", "copying", "syncing", "live", "following", "blocked", "paused", "metered", "wiped"};
    return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static void look_into_file(struct charle_client *client, struct charle_client_status *out)
{
    struct ch_replica *replica = &client->replica;
    struct charle_error err;
    int64_t ready = 0, contact = 0;
    struct stat info;
    struct ch_meter meter = {0};
    pthread_mutex_lock(&replica->look_mutex);
    // Whatever cannot be read stays zero: a status is a view, not a promise.
    (void)!ch_meta_number(&replica->look, "ready", 0, &ready, &err);
    (void)!ch_meta_number(&replica->look, "contact_at", 0, &contact, &err);
    (void)!ch_lite_number(&replica->look, CH_LITE_OUTBOX_COUNT, 0, &out->pending_calls, &err, "");
    (void)!ch_lite_number(&replica->look, CH_LITE_INBOX_COUNT, 0, &out->inbox_count, &err, "");
    (void)!ch_meta_text(&replica->look, "principal", out->principal, sizeof(out->principal), &err);
    (void)!ch_meta_text(&replica->look, "principal_id", out->principal_id, sizeof(out->principal_id), &err);
    (void)!ch_meta_text(&replica->look, "device_id", out->device_id, sizeof(out->device_id), &err);
    (void)!ch_meta_number(&replica->look, "audit_tables", 0, &out->audited_tables, &err);
    (void)!ch_meta_number(&replica->look, "audit_repaired", 0, &out->audit_repaired, &err);
    (void)!ch_meta_number(&replica->look, "audit_at", 0, &out->audited_at_us, &err);
    (void)!ch_meter_read(&replica->look, ch_clock_wall().us, &meter, &err);
    pthread_mutex_unlock(&replica->look_mutex);
    out->is_ready = ready != 0;
    out->is_paused = meter.is_paused;
    out->meter_budget = meter.budget;
    out->meter_used = out->meter_used > meter.used ? out->meter_used : meter.used; // the file is written now and then
    out->meter_ends_at_us = meter.budget ? meter.started_us + meter.period_us : 0;
    if (contact > out->contact_at_us)
        out->contact_at_us = contact;
    if (stat(client->file, &info) == 0)
        out->file_size = info.st_size;
}

void charle_client_status(struct charle_client *client, struct charle_client_status *out)
{
    struct edge_view view;
    ch_edge_view(client, &view);
    *out = view.status;
    look_into_file(client, out);
    if (!out->is_connected && client->channel)
        out->is_connected = charle_channel_is_connected(client->channel);
}

void charle_client_watch(struct charle_client *client, charle_watch_fn fn, void *ctx)
{
    pthread_mutex_lock(&client->mutex);
    client->watch = fn;
    client->watch_ctx = ctx;
    pthread_mutex_unlock(&client->mutex);
}

int charle_client_fd(struct charle_client *client)
{
    return client->event_fd;
}

unsigned charle_client_take_events(struct charle_client *client)
{
    uint64_t count;
    pthread_mutex_lock(&client->mutex);
    unsigned events = client->events;
    client->events = 0;
    if (client->event_fd >= 0)
        (void)!read(client->event_fd, &count, sizeof(count));
    pthread_mutex_unlock(&client->mutex);
    return events;
}
