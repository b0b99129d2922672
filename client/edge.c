#include "client/edge.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "client/live.h"
#include "services/crud.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { WAKE_LEAP_US = 2000000 }; // more sleep of the machine than this, and the connection is not trusted any more

enum edge_kind { EVENT_WISH, EVENT_CONNECTED, EVENT_MESSAGE, EVENT_DONE };

// A wish that somebody waits for: on the stack of the waiting thread.
struct edge_answer {
    int64_t ticket;
    uint64_t turns; // of the publication that shows what came of it
    bool is_taken;
};

struct edge_event {
    struct edge_event *next;
    enum edge_kind kind;
    enum edge_wish wish;
    struct edge_answer *answer;
    bool is_connected;
    struct edge_call *call;
    enum charle_err code;
    size_t size;
    uint8_t bytes[]; // of the message, or the status text
};

// One RPC. Lives until its done event has been taken; a cancelled one has lost its id and its events are dropped.
struct edge_call {
    struct edge_call *next;
    struct charle_client *client;
    struct charle_rpc *rpc;
    uint64_t id;
};

// --- the queue ----------------------------------------------------------------------------------------------------------------

static struct edge_event *event_new(enum edge_kind kind, const void *bytes, size_t size)
{
    struct edge_event *event = ch_alloc(sizeof(*event) + size);
    if (!event)
        return NULL;
    *event = (struct edge_event){.kind = kind, .size = size};
    if (size)
        memcpy(event->bytes, bytes, size);
    return event;
}

static void push_event(struct charle_client *client, struct edge_event *event)
{
    pthread_mutex_lock(&client->mutex);
    if (client->last)
        client->last->next = event;
    else
        client->first = event;
    client->last = event;
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->mutex);
}

static void on_message(void *ctx, struct charle_rpc *rpc, struct charle_bytes message)
{
    struct edge_call *call = ctx;
    struct edge_event *event = event_new(EVENT_MESSAGE, message.ptr, message.len);
    if (!event) {
        charle_rpc_cancel(rpc); // the core sees the stream end and begins again
        return;
    }
    event->call = call;
    push_event(call->client, event);
}

// The end of a call must not get lost, so its event is made without memory for the text if need be.
static void queue_done(struct edge_call *call, enum charle_err code, struct charle_str text)
{
    struct edge_event *event = event_new(EVENT_DONE, text.ptr, text.len);
    while (!event) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        event = event_new(EVENT_DONE, NULL, 0);
    }
    event->call = call;
    event->code = code;
    push_event(call->client, event);
}

static void on_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    (void)rpc;
    queue_done(ctx, status->code, status->text);
}

static void on_watch(void *ctx, bool is_connected)
{
    struct edge_event *event = event_new(EVENT_CONNECTED, NULL, 0);
    if (!event)
        return; // the next call fails or works, and says the same
    event->is_connected = is_connected;
    push_event(ctx, event);
}

// --- what the core sees -------------------------------------------------------------------------------------------------------

static int64_t env_mono(void *ctx)
{
    (void)ctx;
    return ch_clock_mono_us();
}

static int64_t env_wall(void *ctx)
{
    (void)ctx;
    return ch_clock_wall().us;
}

static void env_random(void *ctx, void *out, size_t size)
{
    (void)ctx;
    for (size_t at = 0; at < size;) {
        ssize_t got = getrandom((char *)out + at, size - at, 0);
        if (got > 0)
            at += (size_t)got;
    }
}

static void env_start(void *ctx, uint64_t id, struct charle_str method, struct charle_bytes request, uint32_t timeout_ms)
{
    struct charle_client *client = ctx;
    struct charle_error err = {0};
    struct edge_call *call = ch_alloc_zeroed(1, sizeof(*call));
    bool is_bulk = charle_str_equal(method, CHARLE_STR("charle.Sync/Copy")) || charle_str_equal(method, CHARLE_STR("charle.Sync/SeedRead"));
    bool is_wide = is_bulk && ch_client_core_has_wide_line(client->core);
    bool is_pull = charle_str_equal(method, CHARLE_STR("charle.Sync/Pull"));
    const struct charle_call_options options = {.timeout_ms = timeout_ms ? timeout_ms : UINT32_MAX,
                                                .window = is_wide ? CH_RPC_BULK_WINDOW : is_pull ? CH_RPC_PULL_WINDOW : 0,
                                                .fail_fast = true};
    while (!call) { // a call without a record could never be answered
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        call = ch_alloc_zeroed(1, sizeof(*call));
    }
    *call = (struct edge_call){.next = client->calls, .client = client, .id = id};
    client->calls = call;
    const struct charle_rpc_events events = {.message = on_message, .done = on_done, .ctx = call};
    pthread_mutex_lock(&client->mutex);
    client->bytes_sent += request.len;
    pthread_mutex_unlock(&client->mutex);
    enum charle_err rc = client->channel ? charle_rpc_start(client->channel, method, request, &options, &events, &call->rpc, &err)
                                         : charle_fail(&err, CHARLE_UNAVAILABLE, "this client was opened without a server");
    if (rc)
        queue_done(call, rc, charle_str(err.text));
}

static struct edge_call *find_call(struct charle_client *client, uint64_t id)
{
    struct edge_call *call = client->calls;
    while (call && call->id != id)
        call = call->next;
    return call;
}

static void env_cancel(void *ctx, uint64_t id)
{
    struct edge_call *call = find_call(ctx, id);
    if (!call)
        return;
    call->id = 0;
    if (call->rpc)
        charle_rpc_cancel(call->rpc);
}

static void env_consumed(void *ctx, uint64_t id, size_t size)
{
    struct edge_call *call = find_call(ctx, id);
    if (call && call->rpc)
        charle_rpc_consumed(call->rpc, size);
}

// Takes the call's next event out of a list if it is a message. *out_is_over: it is another one, so no message follows.
static struct edge_event *take_message_of(struct edge_event **list, uint64_t id, bool *out_is_over)
{
    for (struct edge_event **link = list; *link; link = &(*link)->next) {
        struct edge_event *event = *link;
        if ((event->kind != EVENT_MESSAGE && event->kind != EVENT_DONE) || event->call->id != id)
            continue;
        *out_is_over = event->kind == EVENT_DONE;
        if (!*out_is_over)
            *link = event->next;
        return *out_is_over ? NULL : event;
    }
    return NULL;
}

static struct edge_event *take_queued_message_of(struct charle_client *client, uint64_t id, bool *out_is_over)
{
    struct edge_event *event = take_message_of(&client->first, id, out_is_over);
    client->last = client->first;
    while (client->last && client->last->next)
        client->last = client->last->next;
    return event;
}

// Not on the core's clock: this is the real one's wait.
static struct edge_event *wait_message_of(struct charle_client *client, uint64_t id, int64_t until_us)
{
    struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
    bool is_over = false, is_late = false;
    struct edge_event *event = NULL;
    pthread_mutex_lock(&client->mutex);
    for (;;) {
        bool is_wanted = client->is_quitting || atomic_load(&client->replica.lock.waiting) > 0;
        event = is_wanted ? NULL : take_queued_message_of(client, id, &is_over);
        if (event || is_wanted || is_over || is_late)
            break;
        is_late = pthread_cond_timedwait(&client->wake, &client->mutex, &until) == ETIMEDOUT;
    }
    if (event)
        client->bytes_received += event->size;
    pthread_mutex_unlock(&client->mutex);
    return event;
}

static bool env_more(void *ctx, uint64_t id, int64_t wait_us, struct charle_bytes *out)
{
    struct charle_client *client = ctx;
    bool is_over = false;
    bool is_wanted = atomic_load(&client->replica.lock.waiting) > 0;
    ch_free(client->more);
    client->more = is_wanted ? NULL : take_message_of(&client->turn, id, &is_over);
    if (client->more) {
        pthread_mutex_lock(&client->mutex);
        client->bytes_received += client->more->size;
        pthread_mutex_unlock(&client->mutex);
    } else if (!is_over && !is_wanted) {
        client->more = wait_message_of(client, id, ch_clock_mono_us() + wait_us);
    }
    if (client->more)
        *out = charle_bytes(client->more->bytes, client->more->size);
    return client->more != NULL;
}

// On the thread of somebody who has to wait for the replica's lock.
static void lock_wanted(void *ctx)
{
    struct charle_client *client = ctx;
    pthread_mutex_lock(&client->mutex);
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->mutex);
}

static void env_timer(void *ctx, int64_t mono_us)
{
    struct charle_client *client = ctx;
    pthread_mutex_lock(&client->mutex);
    client->timer_at = mono_us;
    pthread_mutex_unlock(&client->mutex);
}

static enum charle_err env_wipe(void *ctx, struct charle_error *err)
{
    struct charle_client *client = ctx;
    return (enum charle_err)charle_replica_wipe(client->file, err);
}

static bool env_lead_take(void *ctx)
{
    return ch_lead_take(&((struct charle_client *)ctx)->lead);
}

static void env_lead_drop(void *ctx)
{
    ch_lead_drop(&((struct charle_client *)ctx)->lead);
}

// Rows can be read at once. What is told of the core waits until it is published: who is told looks, and would not be told again.
static void env_changed(void *ctx, unsigned events, const uint32_t *tables, size_t table_count)
{
    struct charle_client *client = ctx;
    pthread_mutex_lock(&client->mutex);
    client->owes_status = true;
    pthread_mutex_unlock(&client->mutex);
    if (events & ~(unsigned)CHARLE_EVENT_STATUS)
        ch_edge_changed(client, events & ~(unsigned)CHARLE_EVENT_STATUS, tables, table_count);
}

void ch_edge_changed(struct charle_client *client, unsigned events, const uint32_t *tables, size_t table_count)
{
    pthread_mutex_lock(&client->mutex);
    charle_watch_fn watch = client->watch;
    void *ctx = client->watch_ctx;
    bool was_quiet = client->events == 0;
    client->events |= events;
    if (was_quiet && events && client->event_fd >= 0)
        (void)!write(client->event_fd, &(uint64_t){1}, sizeof(uint64_t));
    ch_lives_wake(client, events, tables, table_count);
    pthread_mutex_unlock(&client->mutex);
    if (watch)
        watch(ctx, &(struct charle_client_change){.events = events, .tables = tables, .table_count = table_count});
}

// --- the thread ---------------------------------------------------------------------------------------------------------------

static void drop_call(struct charle_client *client, struct edge_call *call)
{
    struct edge_call **link = &client->calls;
    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
    if (call->rpc)
        charle_rpc_release(call->rpc);
    ch_free(call);
}

static int64_t grant_wish(struct charle_client *client, enum edge_wish wish)
{
    switch (wish) {
    case EDGE_START:
        ch_client_core_start(client->core);
        return 0;
    case EDGE_STOP:
        ch_client_core_stop(client->core);
        return 0;
    case EDGE_KICK:
        ch_client_core_kick(client->core);
        return 0;
    case EDGE_RETRY:
        ch_client_core_retry(client->core);
        return 0;
    case EDGE_SYNC:
        return ch_client_core_sync(client->core);
    case EDGE_POLICY:
        ch_client_core_policy(client->core);
        return 0;
    case EDGE_FILES:
        ch_client_core_files(client->core);
        return 0;
    case EDGE_VERIFY:
        return ch_client_core_verify(client->core);
    }
    return 0;
}

static void take_message(struct charle_client *client, struct edge_event *event)
{
    pthread_mutex_lock(&client->mutex);
    client->bytes_received += event->size;
    pthread_mutex_unlock(&client->mutex);
    if (event->call->id)
        ch_client_core_on_message(client->core, event->call->id, charle_bytes(event->bytes, event->size));
}

static void take_event(struct charle_client *client, struct edge_event *event)
{
    switch (event->kind) {
    case EVENT_WISH: {
        int64_t ticket = grant_wish(client, event->wish);
        if (event->answer) {
            pthread_mutex_lock(&client->mutex);
            *event->answer = (struct edge_answer){ticket, client->view.turns + 1, true};
            pthread_mutex_unlock(&client->mutex);
        }
        break;
    }
    case EVENT_CONNECTED:
        ch_client_core_on_connected(client->core, event->is_connected);
        break;
    case EVENT_MESSAGE:
        take_message(client, event);
        break;
    case EVENT_DONE: {
        uint64_t id = event->call->id;
        drop_call(client, event->call);
        if (id)
            ch_client_core_on_done(client->core, id, event->code, charle_str_n((const char *)event->bytes, event->size));
        break;
    }
    }
}

// CLOCK_BOOTTIME runs on while the machine sleeps and CLOCK_MONOTONIC does not. After a sleep the peer has long given us up.
static void notice_sleep(struct charle_client *client)
{
    struct timespec boot, mono;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    int64_t slept = ((int64_t)boot.tv_sec - mono.tv_sec) * 1000000 + (boot.tv_nsec - mono.tv_nsec) / 1000;
    if (slept - client->sleep_us > WAKE_LEAP_US) {
        if (client->channel)
            charle_channel_redial(client->channel);
        ch_client_core_retry(client->core);
    }
    client->sleep_us = slept;
}

static void publish(struct charle_client *client)
{
    struct charle_client_status status;
    struct charle_verify_report report;
    int64_t synced = ch_client_core_synced(client->core), verified = ch_client_core_verified(client->core, &report);
    ch_client_core_status(client->core, &status);
    struct edge_view view = {.status = status, .synced = synced, .verified = verified, .report = report,
                             .verify_error = *ch_client_core_verify_error(client->core)};
    view.problem_code = ch_client_core_problem(client->core, &view.failures);
    pthread_mutex_lock(&client->mutex);
    view.turns = client->view.turns + 1;
    client->view = view;
    bool owes_status = client->owes_status;
    client->owes_status = false;
    pthread_cond_broadcast(&client->turned);
    pthread_mutex_unlock(&client->mutex);
    if (owes_status)
        ch_edge_changed(client, CHARLE_EVENT_STATUS, NULL, 0);
}

// Sleeps until there is something to do; hands out the queue. False: the thread is to end.
static bool next_turn(struct charle_client *client, struct edge_event **out)
{
    pthread_mutex_lock(&client->mutex);
    while (!client->first && !client->is_quitting && ch_clock_mono_us() < client->timer_at) {
        if (client->timer_at == INT64_MAX) {
            pthread_cond_wait(&client->wake, &client->mutex);
        } else {
            struct timespec at = {client->timer_at / 1000000, client->timer_at % 1000000 * 1000};
            pthread_cond_timedwait(&client->wake, &client->mutex, &at);
        }
    }
    *out = client->first;
    client->first = client->last = NULL;
    bool goes_on = !client->is_quitting || *out;
    pthread_mutex_unlock(&client->mutex);
    return goes_on;
}

static void *run(void *ctx)
{
    struct charle_client *client = ctx;
    pthread_setname_np(pthread_self(), "charle-sync");
    while (next_turn(client, &client->turn)) {
        notice_sleep(client);
        while (client->turn) {
            struct edge_event *event = client->turn;
            client->turn = event->next;
            take_event(client, event);
            ch_free(event);
            ch_free(client->more);
            client->more = NULL;
        }
        pthread_mutex_lock(&client->mutex);
        bool is_due = ch_clock_mono_us() >= client->timer_at;
        pthread_mutex_unlock(&client->mutex);
        if (is_due)
            ch_client_core_on_timer(client->core);
        publish(client);
    }
    return NULL;
}

enum charle_err ch_edge_need_thread(struct charle_client *client, struct charle_error *err)
{
    pthread_mutex_lock(&client->mutex);
    enum charle_err rc = CHARLE_OK;
    if (!client->has_lead) {
        rc = ch_lead_open(&client->lead, client->file, err);
        client->has_lead = rc == CHARLE_OK;
    }
    if (!rc && !client->has_thread) {
        int code = pthread_create(&client->thread, NULL, run, client);
        client->has_thread = code == 0;
        if (code)
            rc = charle_fail_foreign(err, CHARLE_NO_MEMORY, CHARLE_DOMAIN_POSIX, code, "no thread for synchronising: %s", strerror(code));
        else if (client->channel)
            client->is_watching = true;
    }
    bool watch = client->is_watching && !client->was_watching;
    client->was_watching = client->was_watching || watch;
    pthread_mutex_unlock(&client->mutex);
    if (watch) {
        charle_channel_watch(client->channel, on_watch, client);
        if (charle_channel_is_connected(client->channel))
            on_watch(client, true);
    }
    return rc;
}

bool ch_edge_is_own_thread(const struct charle_client *client)
{
    return client->has_thread && pthread_equal(pthread_self(), client->thread);
}

void ch_edge_wish(struct charle_client *client, enum edge_wish wish, int64_t *out_ticket)
{
    struct edge_answer answer = {0};
    struct edge_event *event = client->has_thread ? event_new(EVENT_WISH, NULL, 0) : NULL;
    if (out_ticket)
        *out_ticket = 0;
    if (!event)
        return; // without memory the poll of the file finds queued calls a moment later
    event->wish = wish;
    event->answer = out_ticket ? &answer : NULL;
    push_event(client, event);
    if (!out_ticket)
        return;
    pthread_mutex_lock(&client->mutex);
    while (!answer.is_taken || client->view.turns < answer.turns)
        pthread_cond_wait(&client->turned, &client->mutex);
    pthread_mutex_unlock(&client->mutex);
    *out_ticket = answer.ticket;
}

void ch_edge_view(struct charle_client *client, struct edge_view *out)
{
    pthread_mutex_lock(&client->mutex);
    *out = client->view;
    out->status.bytes_received = client->bytes_received;
    out->status.bytes_sent = client->bytes_sent;
    pthread_mutex_unlock(&client->mutex);
}

bool ch_edge_wait(struct charle_client *client, uint64_t turns, int64_t deadline_us, struct edge_view *out)
{
    bool is_late = false;
    struct timespec at = {deadline_us / 1000000, deadline_us % 1000000 * 1000};
    pthread_mutex_lock(&client->mutex);
    while (client->view.turns <= turns && !is_late)
        is_late = pthread_cond_timedwait(&client->turned, &client->mutex, &at) == ETIMEDOUT;
    *out = client->view;
    pthread_mutex_unlock(&client->mutex);
    return !is_late;
}

// --- life ---------------------------------------------------------------------------------------------------------------------

static enum charle_err open_channel(struct charle_client *client, const struct charle_client_options *options,
                                    struct charle_error *err)
{
    char kept[512] = "";
    enum charle_err rc = CHARLE_OK;
    if (!options->url) {
        pthread_mutex_lock(&client->replica.look_mutex);
        rc = ch_meta_text(&client->replica.look, "url", kept, sizeof(kept), err);
        pthread_mutex_unlock(&client->replica.look_mutex);
    }
    const char *url = options->url ? options->url : kept;
    if (rc || !*url)
        return rc;
    const struct charle_channel_options channel = {.token = options->token, .tls_ca_file = options->tls_ca_file,
                                                   .tls_server_name = options->tls_server_name};
    client->url = ch_strdup_n(url, strlen(url));
    if (!client->url)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for an address");
    rc = charle_channel_open(url, &channel, &client->channel, err);
    if (rc || !options->url || options->is_read_only)
        return rc;
    rc = ch_replica_begin(&client->replica, CH_FETCHABLE, err);
    if (rc)
        return rc;
    rc = ch_meta_set_text(&client->replica.sql, "url", charle_str(url), err);
    return ch_replica_end(&client->replica, rc, err);
}

static void init_locks(struct charle_client *client)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&client->mutex, NULL);
    pthread_cond_init(&client->wake, &attr);
    pthread_cond_init(&client->turned, &attr);
    pthread_condattr_destroy(&attr);
}

static enum charle_err keep_first(struct charle_client *client, const char *const *names, struct charle_error *err)
{
    size_t count = 0;
    while (names && names[count])
        count++;
    const char **copies = charle_arena_array(&client->options, count + 1, sizeof(*copies));
    bool is_whole = copies != NULL;
    for (size_t i = 0; is_whole && i < count; i++) {
        copies[i] = charle_arena_str(&client->options, charle_str(names[i])).ptr;
        is_whole = copies[i] != NULL;
    }
    if (!is_whole)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for what comes first");
    ch_client_core_set_first(client->core, copies);
    ch_client_core_set_audit(client->core, (int64_t)CH_AUDIT_EVERY_S * 1000000);
    return CHARLE_OK;
}

enum charle_err ch_edge_open(struct charle_client *client, const struct charle_client_options *options,
                             struct charle_error *err)
{
    char host[128] = "";
    *client = (struct charle_client){.timer_at = INT64_MAX, .event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    client->env = (struct ch_client_env){
        .ctx = client, .now_mono_us = env_mono, .now_wall_us = env_wall, .random = env_random, .call_start = env_start,
        .call_cancel = env_cancel, .call_consumed = env_consumed, .call_more = env_more, .timer_set = env_timer, .lead_take = env_lead_take,
        .lead_drop = env_lead_drop, .changed = env_changed, .wipe = env_wipe};
    init_locks(client);
    if (gethostname(host, sizeof(host) - 1))
        host[0] = '\0';
    client->file = ch_strdup_n(options->file, strlen(options->file));
    if (!client->file)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a path");
    const struct ch_replica_options replica = {
        .file = options->file, .schema = options->schema, .crud = ch_crud_run, .lock_timeout_ms = options->lock_timeout_ms,
        .device_name = options->device_name ? options->device_name : host, .is_read_only = options->is_read_only, .key = options->key};
    enum charle_err rc = ch_replica_open(&client->replica, &client->env, &replica, err);
    client->replica.lock.wanted = lock_wanted;
    client->replica.lock.wanted_ctx = client;
    if (!rc)
        rc = ch_client_core_new(&client->env, &client->replica, &client->core, err);
    if (!rc)
        rc = keep_first(client, options->first, err);
    if (!rc && options->ignores_seed_files)
        ch_client_core_ignore_seeds(client->core);
    return rc ? rc : open_channel(client, options, err);
}

static void end_thread(struct charle_client *client)
{
    if (!client->has_thread)
        return;
    pthread_mutex_lock(&client->mutex);
    client->is_quitting = true;
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->mutex);
    pthread_join(client->thread, NULL);
    client->has_thread = false;
}

// The channel is closed while the thread still runs, so that every call's done event is taken. Then the thread, then what it used.
void ch_edge_close(struct charle_client *client)
{
    if (client->has_thread)
        ch_edge_wish(client, EDGE_STOP, &(int64_t){0});
    charle_channel_close(client->channel);
    end_thread(client);
    for (struct edge_event *event = client->first, *next; event; event = next) {
        next = event->next;
        ch_free(event);
    }
    while (client->calls)
        drop_call(client, client->calls);
    ch_client_core_free(client->core);
    charle_db_close(client->db);
    ch_replica_close(&client->replica);
    if (client->has_lead)
        ch_lead_close(&client->lead);
    if (client->event_fd >= 0)
        close(client->event_fd);
    pthread_cond_destroy(&client->wake);
    pthread_cond_destroy(&client->turned);
    pthread_mutex_destroy(&client->mutex);
    charle_arena_deinit(&client->options);
    ch_free(client->url);
    ch_free(client->file);
}
