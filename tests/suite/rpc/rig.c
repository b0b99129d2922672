
#include "suite/rpc/rig.h"

#include "base/clock.h"
#include "base/limits.h"
#include "support/scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

struct rig_work {
    struct rig_work *next;
    struct charle_server_call *call;
    void (*run)(struct rig *rig, struct charle_server_call *call);
};

const enum rig_kind rig_kinds[RIG_KIND_COUNT] = {RIG_LOOPBACK, RIG_TCP, RIG_IPC, RIG_TLS};

const char *rig_kind_name(enum rig_kind kind)
{
    static const char *const names[] = {"loopback", "tcp", "ipc", "tls+tcp"};
    return names[kind];
}

// --- the methods -----------------------------------------------------------------------------------------------------

static void finish_text(struct charle_server_call *call, enum charle_err code, const char *text)
{
    charle_server_call_finish(call, code, charle_str(text), (struct charle_bytes){0});
}

static void echo(struct rig *rig, struct charle_server_call *call)
{
    (void)rig;
    struct charle_bytes request = charle_server_call_request(call);
    charle_server_call_finish(call, CHARLE_OK, charle_str(""),
                              charle_bytes(request.ptr ? request.ptr : (void *)"", request.len));
}

static void numbers(struct charle_server_call *call, size_t *out_a, size_t *out_b)
{
    char text[64] = "";
    struct charle_bytes request = charle_server_call_request(call);
    memcpy(text, request.ptr, request.len < sizeof(text) ? request.len : sizeof(text) - 1);
    char *end;
    *out_a = strtoul(text, &end, 10);
    *out_b = strtoul(end, NULL, 10);
}

static uint8_t *numbered(size_t number, size_t size)
{
    uint8_t *message = calloc(1, size + 32);
    int used = snprintf((char *)message, size + 32, "%zu ", number);
    memset(message + used, 'x', size + 32 - (size_t)used);
    return message;
}

enum { PATIENCE_MS = 60000, SHORT_MS = 20 };

static void stream_in(struct charle_server_call *call, uint32_t wait_ms)
{
    size_t count, size;
    numbers(call, &count, &size);
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; i < count && !rc; i++) {
        uint8_t *message = numbered(i, size);
        rc = charle_server_call_send_wait(call, charle_bytes(message, size), wait_ms);
        free(message);
    }
    finish_text(call, rc, "");
}

static void stream(struct rig *rig, struct charle_server_call *call)
{
    (void)rig;
    stream_in(call, PATIENCE_MS);
}

static void hurry(struct rig *rig, struct charle_server_call *call)
{
    (void)rig;
    stream_in(call, SHORT_MS);
}

struct pusher {
    struct charle_server_call *call;
    size_t next, count, size;
};

static void push_on(void *ctx)
{
    struct pusher *pusher = ctx;
    enum charle_err rc = CHARLE_OK;
    while (pusher->next < pusher->count && !rc) {
        uint8_t *message = numbered(pusher->next, pusher->size);
        rc = charle_server_call_send(pusher->call, charle_bytes(message, pusher->size));
        free(message);
        pusher->next += rc == CHARLE_OK;
    }
    if (rc == CHARLE_RESOURCE_EXHAUSTED)
        return; // called again when there is room
    finish_text(pusher->call, rc, "");
    free(pusher);
}

static void push(struct rig *rig, struct charle_server_call *call)
{
    (void)rig;
    struct pusher *pusher = calloc(1, sizeof(*pusher));
    pusher->call = call;
    numbers(call, &pusher->count, &pusher->size);
    // One refused send is needed before on_writable calls, so the first round is ours.
    enum charle_err rc = CHARLE_OK;
    while (pusher->next < pusher->count && !rc) {
        uint8_t *message = numbered(pusher->next, pusher->size);
        rc = charle_server_call_send(call, charle_bytes(message, pusher->size));
        free(message);
        pusher->next += rc == CHARLE_OK;
    }
    if (rc == CHARLE_RESOURCE_EXHAUSTED) {
        charle_server_call_on_writable(call, push_on, pusher);
        return;
    }
    finish_text(call, rc, "");
    free(pusher);
}

// The first half waiting, then the rest by a callback that was there before: the two ways to send share a call.
static void both(struct rig *rig, struct charle_server_call *call)
{
    (void)rig;
    struct pusher *pusher = calloc(1, sizeof(*pusher));
    pusher->call = call;
    numbers(call, &pusher->count, &pusher->size);
    charle_server_call_on_writable(call, push_on, pusher);
    enum charle_err rc = CHARLE_OK;
    for (; pusher->next < pusher->count / 2 && !rc; pusher->next += rc == CHARLE_OK) {
        uint8_t *message = numbered(pusher->next, pusher->size);
        rc = charle_server_call_send_wait(call, charle_bytes(message, pusher->size), PATIENCE_MS);
        free(message);
    }
    while (!rc && pusher->next < pusher->count) {
        uint8_t *message = numbered(pusher->next, pusher->size);
        rc = charle_server_call_send(call, charle_bytes(message, pusher->size));
        free(message);
        if (rc == CHARLE_RESOURCE_EXHAUSTED)
            return; // the callback goes on, perhaps at this moment
        pusher->next += rc == CHARLE_OK;
    }
    finish_text(call, rc, "");
    free(pusher);
}

static void fail_call(struct rig *rig, struct charle_server_call *call)
{
    (void)rig;
    size_t code, unused;
    numbers(call, &code, &unused);
    CHARLE_ASSERT(charle_server_call_set_details(call, charle_bytes("why", 3)) == CHARLE_OK);
    CHARLE_ASSERT(charle_server_call_add_trailer(call, CHARLE_STR("x-trace"), CHARLE_STR("7")) == CHARLE_OK);
    finish_text(call, (enum charle_err)code, "it failed");
}

static void meta(struct rig *rig, struct charle_server_call *call)
{
    (void)rig;
    struct charle_buf text = {0};
    struct charle_metadata metadata = charle_server_call_metadata(call);
    for (size_t i = 0; i < metadata.count; i++)
        charle_buf_printf(&text, "%.*s=%.*s;", CHARLE_FMT(metadata.entries[i].key),
                          CHARLE_FMT(metadata.entries[i].value));
    charle_server_call_finish(call, CHARLE_OK, charle_str(""), charle_buf_bytes(&text));
    charle_buf_deinit(&text);
}

static void big(struct rig *rig, struct charle_server_call *call)
{
    (void)rig;
    size_t size, unused;
    numbers(call, &size, &unused);
    uint8_t *reply = calloc(1, size + 1);
    charle_server_call_finish(call, CHARLE_OK, charle_str(""), charle_bytes(reply, size));
    free(reply);
}

enum { HELD_MAX = sizeof(((struct rig *)0)->held_calls) / sizeof(struct rig_held) };

// Takes the call out of its place; NULL when somebody else has.
static struct charle_server_call *take_held(struct rig_held *held)
{
    pthread_mutex_lock(&held->rig->lock);
    struct charle_server_call *call = held->call;
    held->call = NULL;
    pthread_mutex_unlock(&held->rig->lock);
    return call;
}

static void held_is_over(void *ctx)
{
    struct rig_held *held = ctx;
    struct charle_server_call *call = take_held(held);
    atomic_fetch_add(&held->rig->overs, 1);
    if (!call)
        return;
    CHARLE_ASSERT(charle_server_call_is_over(call)); // on a thread where cmocka cannot fail a test
    finish_text(call, CHARLE_CANCELLED, "");
}

static void hold(struct rig *rig, struct charle_server_call *call)
{
    size_t place = 0;
    charle_server_call_set_peer_data(call, rig, NULL);
    CHARLE_ASSERT(charle_server_call_peer_data(call) == rig);
    pthread_mutex_lock(&rig->lock);
    while (rig->held_calls[place].call)
        place++;
    CHARLE_ASSERT(place < HELD_MAX);
    rig->held_calls[place].call = call;
    pthread_mutex_unlock(&rig->lock);
    charle_server_call_on_over(call, held_is_over, &rig->held_calls[place]);
    atomic_fetch_add(&rig->held, 1);
}

void rig_release_held(struct rig *rig)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        struct charle_server_call *call = take_held(&rig->held_calls[i]);
        if (call)
            charle_server_call_finish(call, CHARLE_OK, charle_str(""), charle_bytes("released", 8));
    }
}

static const struct {
    struct charle_str name;
    void (*run)(struct rig *rig, struct charle_server_call *call);
    bool is_work;
} methods[] = {
    {CHARLE_STR_INIT("test/Echo"), echo, false},      {CHARLE_STR_INIT("test/WorkEcho"), echo, true},
    {CHARLE_STR_INIT("test/Stream"), stream, true},   {CHARLE_STR_INIT("test/Push"), push, false},
    {CHARLE_STR_INIT("test/Fail"), fail_call, false}, {CHARLE_STR_INIT("test/Meta"), meta, false},
    {CHARLE_STR_INIT("test/Both"), both, true},       {CHARLE_STR_INIT("test/Big"), big, true},
    {CHARLE_STR_INIT("test/Hold"), hold, false},      {CHARLE_STR_INIT("test/Hurry"), hurry, true},
};

// --- workers ---------------------------------------------------------------------------------------------------------

static void queue_work(struct rig *rig, struct charle_server_call *call,
                       void (*run)(struct rig *rig, struct charle_server_call *call))
{
    struct rig_work *work = calloc(1, sizeof(*work));
    *work = (struct rig_work){NULL, call, run};
    pthread_mutex_lock(&rig->lock);
    if (rig->last)
        rig->last->next = work;
    else
        rig->first = work;
    rig->last = work;
    pthread_cond_signal(&rig->wake);
    pthread_mutex_unlock(&rig->lock);
}

static void *work_main(void *ctx)
{
    struct rig *rig = ctx;
    pthread_mutex_lock(&rig->lock);
    while (rig->first || !rig->is_stopping) {
        struct rig_work *work = rig->first;
        if (!work) {
            pthread_cond_wait(&rig->wake, &rig->lock);
            continue;
        }
        rig->first = work->next;
        if (!rig->first)
            rig->last = NULL;
        pthread_mutex_unlock(&rig->lock);
        work->run(rig, work->call);
        free(work);
        pthread_mutex_lock(&rig->lock);
    }
    pthread_mutex_unlock(&rig->lock);
    return NULL;
}

void rig_dispatch(void *ctx, struct charle_server_call *call)
{
    struct rig *rig = ctx;
    atomic_fetch_add(&rig->dispatched, 1);
    struct charle_str name = charle_server_call_method(call);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (!charle_str_equal(methods[i].name, name))
            continue;
        if (methods[i].is_work)
            queue_work(rig, call, methods[i].run);
        else
            methods[i].run(rig, call);
        return;
    }
    finish_text(call, CHARLE_UNIMPLEMENTED, "there is no such method");
}

// --- starting and stopping -------------------------------------------------------------------------------------------

static void make_certificate(struct rig *rig)
{
    static char cert[96], key[96];
    char command[512];
    snprintf(cert, sizeof(cert), "%s/cert.pem", rig->folder);
    snprintf(key, sizeof(key), "%s/key.pem", rig->folder);
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
             "-addext subjectAltName=DNS:localhost -keyout %s -out %s 2>/dev/null",
             key, cert);
    assert_int_equal(system(command), 0);
    rig->server_options.tls_cert_file = cert;
    rig->server_options.tls_key_file = key;
    rig->channel_options.tls_ca_file = cert;
    rig->channel_options.tls_server_name = "localhost";
}

void rig_init(struct rig *rig, enum rig_kind kind)
{
    static atomic_int count;
    *rig = (struct rig){.kind = kind};
    pthread_mutex_init(&rig->lock, NULL);
    for (size_t i = 0; i < HELD_MAX; i++)
        rig->held_calls[i].rig = rig;
    pthread_cond_init(&rig->wake, NULL);
    assert_true(ch_scratch_folder("rpc", rig->folder, sizeof(rig->folder)));
    switch (kind) {
    case RIG_LOOPBACK:
        snprintf(rig->address, sizeof(rig->address), "inproc://rig-%d", atomic_fetch_add(&count, 1));
        break;
    case RIG_TCP:
        snprintf(rig->address, sizeof(rig->address), "tcp://127.0.0.1:0");
        break;
    case RIG_IPC:
        snprintf(rig->address, sizeof(rig->address), "ipc://%s/socket", rig->folder);
        break;
    case RIG_TLS:
        snprintf(rig->address, sizeof(rig->address), "tls+tcp://127.0.0.1:0");
        make_certificate(rig);
        break;
    case RIG_KIND_COUNT:
        break;
    }
    rig->channel_options.redial_max_ms = 200;
}

void rig_start_server(struct rig *rig)
{
    struct charle_error err = {0};
    assert_int_equal(charle_rpc_server_open(&rig->server_options, rig_dispatch, rig, &rig->server, &err), CHARLE_OK);
    if (charle_rpc_server_listen(rig->server, rig->address, rig->address, &err))
        fail_msg("%s", err.text);
}

void rig_start(struct rig *rig)
{
    struct charle_error err = {0};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&rig->workers[i], NULL, work_main, rig), 0);
    rig_start_server(rig);
    if (charle_channel_open(rig->address, &rig->channel_options, &rig->channel, &err))
        fail_msg("%s", err.text);
}

void rig_stop_server(struct rig *rig, uint32_t drain_ms)
{
    charle_rpc_server_close(rig->server, drain_ms);
    rig->server = NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void rig_remove_folder(const struct rig *rig)
{
    nftw(rig->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void rig_stop(struct rig *rig)
{
    charle_channel_close(rig->channel);
    rig_stop_server(rig, 0);
    pthread_mutex_lock(&rig->lock);
    rig->is_stopping = true;
    pthread_cond_broadcast(&rig->wake);
    pthread_mutex_unlock(&rig->lock);
    for (int i = 0; i < 2; i++)
        pthread_join(rig->workers[i], NULL);
    pthread_mutex_destroy(&rig->lock);
    pthread_cond_destroy(&rig->wake);
    rig_remove_folder(rig);
}

// --- waiting ---------------------------------------------------------------------------------------------------------

void rig_wait(bool (*is_so)(void *ctx), void *ctx, const char *what)
{
    int64_t until_us = ch_clock_mono_us() + 20000000;
    while (!is_so(ctx)) {
        if (ch_clock_mono_us() > until_us)
            fail_msg("waited 20 s for: %s", what);
        usleep(1000);
    }
}

static bool is_connected(void *ctx)
{
    return charle_channel_is_connected(ctx);
}

static bool is_disconnected(void *ctx)
{
    return !charle_channel_is_connected(ctx);
}

void rig_wait_connected(struct rig *rig, bool is_wanted)
{
    rig_wait(is_wanted ? is_connected : is_disconnected, rig->channel, is_wanted ? "a connection" : "no connection");
}

struct int_wait {
    atomic_int *value;
    int at_least;
};

static bool is_at_least(void *ctx)
{
    struct int_wait *wait = ctx;
    return atomic_load(wait->value) >= wait->at_least;
}

void rig_wait_int(atomic_int *value, int at_least, const char *what)
{
    struct int_wait wait = {value, at_least};
    rig_wait(is_at_least, &wait, what);
}

// --- calls -----------------------------------------------------------------------------------------------------------

static void copy_text(char *to, size_t room, const void *from, size_t size)
{
    size = size < room ? size : room - 1;
    if (size)
        memcpy(to, from, size);
    to[size] = '\0';
}

static void on_message(void *ctx, struct charle_rpc *rpc, struct charle_bytes message)
{
    struct seen *seen = ctx;
    pthread_mutex_lock(&seen->lock);
    seen->is_out_of_order |= seen->dones > 0;
    seen->messages++;
    seen->bytes += message.len;
    charle_buf_reset(&seen->last);
    charle_buf_add(&seen->last, message.ptr, message.len);
    bool is_lazy = seen->is_lazy;
    pthread_mutex_unlock(&seen->lock);
    if (!is_lazy)
        charle_rpc_consumed(rpc, message.len);
}

static void on_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct seen *seen = ctx;
    (void)rpc;
    pthread_mutex_lock(&seen->lock);
    seen->code = status->code;
    copy_text(seen->text, sizeof(seen->text), status->text.ptr, status->text.len);
    copy_text(seen->details, sizeof(seen->details), status->details.ptr, status->details.len);
    for (size_t i = 0; i < status->trailers.count; i++) {
        const struct charle_metadata_entry *entry = &status->trailers.entries[i];
        if (charle_str_equal(entry->key, CHARLE_STR("x-trace")))
            copy_text(seen->trailer, sizeof(seen->trailer), entry->value.ptr, entry->value.len);
    }
    seen->dones++;
    pthread_mutex_unlock(&seen->lock);
}

void seen_init(struct seen *seen)
{
    *seen = (struct seen){0};
    pthread_mutex_init(&seen->lock, NULL);
}

void seen_start_bytes(struct seen *seen, struct charle_channel *channel, const char *method,
                      struct charle_bytes request, const struct charle_call_options *options)
{
    struct charle_rpc_events events = {on_message, on_done, seen};
    struct charle_error err = {0};
    if (charle_rpc_start(channel, charle_str(method), request, options, &events, &seen->rpc, &err))
        fail_msg("%s", err.text);
}

void seen_start(struct seen *seen, struct charle_channel *channel, const char *method, const char *request,
                const struct charle_call_options *options)
{
    seen_start_bytes(seen, channel, method, charle_bytes(request, strlen(request)), options);
}

static bool is_done(void *ctx)
{
    struct seen *seen = ctx;
    pthread_mutex_lock(&seen->lock);
    bool done = seen->dones > 0;
    pthread_mutex_unlock(&seen->lock);
    return done;
}

void seen_wait(struct seen *seen)
{
    rig_wait(is_done, seen, "the end of a call");
}

int seen_messages(struct seen *seen)
{
    pthread_mutex_lock(&seen->lock);
    int messages = seen->messages;
    pthread_mutex_unlock(&seen->lock);
    return messages;
}

void seen_deinit(struct seen *seen)
{
    charle_rpc_release(seen->rpc);
    charle_buf_deinit(&seen->last);
    assert_int_equal(seen->dones, 1);
    assert_false(seen->is_out_of_order);
    pthread_mutex_destroy(&seen->lock);
}

enum charle_err rig_call(struct rig *rig, const char *method, const char *request, char *reply, size_t room,
                         struct charle_error *err)
{
    struct charle_buf buf = {0};
    enum charle_err rc =
        charle_call_bytes(rig->channel, charle_str(method), charle_bytes(request, strlen(request)), &buf, NULL, err);
    copy_text(reply, room, buf.data, buf.size);
    charle_buf_deinit(&buf);
    return rc;
}
