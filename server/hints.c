// Hints on the bus.
//
// A message, little-endian:
//
//    0   4  "CHH1"                  40   8  counter: 1, 2, 3, … of this sender's messages
//    4   1  kind: 1 look, 2 alive   48   8  how many of them were hints
//    5   3  zero                    56   8  the sender's clock, microseconds since 1970
//    8  16  sender: random,         64   8  zero
//           made at its start       72  32  BLAKE2b-256 of bytes 0 to 71, keyed with the shared secret
//   24  16  database: server_id
//
// Valid is what has this size, these zeros and the right hash, is of this database, no more than half a minute off our
// clock, and newer than what the same sender said before. What has a wrong hash is a stranger's: counted, and its
// connection closed, so that it costs one hash of 72 bytes a connection. A valid message that comes again (two servers
// may dial each other) is dropped by its counter. A sender that was forgotten, or one from before our start, may be
// repeated for half a minute by somebody who recorded it: that is a look at the database, once a sender.
//
// Threads: `say` sends, at once when the last hint is a millisecond old, and a sign of life every two seconds; messages
// come on the bus's. Lock: `mutex` guards everything below it; not held while the bus is called.
#include "server/hints.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "rpc/bus.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    HASHED_SIZE = 72,
    SECRET_SIZE_MIN = 16,
    SECRET_SIZE_MAX = 4096,
    SAY_US = 1000,       // receivers do not look more often either
    ALIVE_US = 2000000,  // three of them and a connection is silent (CH_BUS_SILENT_MS)
    TICK_US = 1000000,
    WINDOW_US = 30000000 // clocks of servers are kept by NTP; what was recorded is soon of no use
};

struct ch_hints {
    struct ch_hints_options options;
    uint8_t key[CH_HINT_KEY_SIZE];
    uint8_t sender[CH_HINTS_ID_SIZE];
    struct ch_bus *bus;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_due, is_stopping, is_clock_told, is_stranger_told, is_other_told;
    uint64_t counter;
    struct ch_hints_figures figures;
};

// --- the message ---------------------------------------------------------------------------------------------------

static void put64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

void ch_hint_write(const struct ch_hint *hint, const uint8_t key[CH_HINT_KEY_SIZE], uint8_t out[CH_HINT_SIZE])
{
    memset(out, 0, CH_HINT_SIZE);
    memcpy(out, "CHH1", 4);
    out[4] = (uint8_t)hint->kind;
    memcpy(out + 8, hint->sender, CH_HINTS_ID_SIZE);
    memcpy(out + 24, hint->database, CH_HINTS_ID_SIZE);
    put64(out + 40, hint->counter);
    put64(out + 48, hint->looks);
    put64(out + 56, (uint64_t)hint->at_us);
    crypto_generichash(out + HASHED_SIZE, CH_HINT_SIZE - HASHED_SIZE, out, HASHED_SIZE, key, CH_HINT_KEY_SIZE);
}

bool ch_hint_read(const uint8_t *from, size_t size, const uint8_t key[CH_HINT_KEY_SIZE], struct ch_hint *out)
{
    static const uint8_t zeros[8] = {0};
    uint8_t hash[CH_HINT_SIZE - HASHED_SIZE];
    if (size != CH_HINT_SIZE || memcmp(from, "CHH1", 4) != 0)
        return false;
    crypto_generichash(hash, sizeof(hash), from, HASHED_SIZE, key, CH_HINT_KEY_SIZE);
    if (sodium_memcmp(hash, from + HASHED_SIZE, sizeof(hash)) != 0)
        return false;
    if ((from[4] != CH_HINT_LOOK && from[4] != CH_HINT_ALIVE) || memcmp(from + 5, zeros, 3) != 0 || memcmp(from + 64, zeros, 8) != 0)
        return false;
    *out = (struct ch_hint){.kind = from[4], .counter = get64(from + 40), .looks = get64(from + 48), .at_us = (int64_t)get64(from + 56)};
    memcpy(out->sender, from + 8, CH_HINTS_ID_SIZE);
    memcpy(out->database, from + 24, CH_HINTS_ID_SIZE);
    return true;
}

static enum charle_err read_secret(int fd, uint8_t out[CH_HINT_KEY_SIZE], struct charle_error *err)
{
    uint8_t text[SECRET_SIZE_MAX + 1];
    size_t used = 0;
    ssize_t n;
    while (used < sizeof(text) && (n = read(fd, text + used, sizeof(text) - used)) > 0)
        used += (size_t)n;
    while (used && (text[used - 1] == '\n' || text[used - 1] == '\r')) // editors add one
        used--;
    bool fits = used >= SECRET_SIZE_MIN && used <= SECRET_SIZE_MAX;
    if (fits)
        crypto_generichash(out, CH_HINT_KEY_SIZE, text, used, (const uint8_t *)"charle hints v1!", 16);
    sodium_memzero(text, sizeof(text));
    return fits ? CHARLE_OK
                : charle_fail(err, CHARLE_INVALID_ARGUMENT, "it must hold %d to %d bytes, such as `openssl rand -hex 32` writes",
                              SECRET_SIZE_MIN, SECRET_SIZE_MAX);
}

enum charle_err ch_hint_key_read(const char *path, uint8_t out[CH_HINT_KEY_SIZE], struct charle_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return charle_fail_foreign(err, CHARLE_INVALID_ARGUMENT, CHARLE_DOMAIN_POSIX, errno,
                                   "the hints' secret %.150s cannot be read: %s", path, strerror(errno));
    enum charle_err rc = CHARLE_OK;
    if (fstat(fd, &st) != 0 || (st.st_mode & 077) != 0)
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "others can read it: chmod 600 it");
    if (rc == CHARLE_OK)
        rc = read_secret(fd, out, err);
    close(fd);
    return rc ? charle_error_prefix(err, rc, "the hints' secret %.120s", path) : CHARLE_OK;
}

// --- receiving -----------------------------------------------------------------------------------------------------

// The sender's place; the one heard longest ago makes room for a new one.
static struct ch_hints_sender *find_sender(struct ch_hints_figures *figures, const uint8_t id[CH_HINTS_ID_SIZE])
{
    struct ch_hints_sender *oldest = &figures->senders[0];
    for (size_t i = 0; i < figures->sender_count; i++) {
        struct ch_hints_sender *sender = &figures->senders[i];
        if (memcmp(sender->id, id, CH_HINTS_ID_SIZE) == 0)
            return sender;
        if (sender->heard_us < oldest->heard_us)
            oldest = sender;
    }
    if (figures->sender_count < CH_HINTS_SENDERS_MAX)
        oldest = &figures->senders[figures->sender_count++];
    *oldest = (struct ch_hints_sender){0};
    memcpy(oldest->id, id, CH_HINTS_ID_SIZE);
    return oldest;
}

// False: seen before.
static bool is_new(struct ch_hints *hints, const struct ch_hint *hint)
{
    struct ch_hints_sender *sender = find_sender(&hints->figures, hint->sender);
    bool is_known = sender->counter != 0;
    if (hint->counter <= sender->counter)
        return false;
    if (is_known)
        sender->lost += hint->counter - sender->counter - 1;
    sender->counter = hint->counter;
    sender->heard_us = ch_clock_mono_us();
    sender->hints += hint->kind == CH_HINT_LOOK;
    return true;
}

// Says a kind of trouble once; afterwards it is only counted.
static void tell_once(bool *is_told, const char *words)
{
    if (!*is_told)
        ch_log(CH_LOG_WARN, "hints", "%s", words);
    *is_told = true;
}

static bool is_near(int64_t at_us)
{
    int64_t now_us = ch_clock_wall().us;
    return at_us > now_us - WINDOW_US && at_us < now_us + WINDOW_US;
}

static bool on_message(void *ctx, struct charle_bytes message)
{
    struct ch_hints *hints = ctx;
    struct ch_hint hint;
    bool must_look = false, is_ours = false;
    bool is_read = ch_hint_read(message.ptr, message.len, hints->key, &hint);
    pthread_mutex_lock(&hints->mutex);
    if (!is_read) {
        tell_once(&hints->is_stranger_told, "a message on the bus was not made with our secret: do all servers have the same hints-secret? More are only counted");
    } else if (memcmp(hint.database, hints->options.database, CH_HINTS_ID_SIZE) != 0) {
        tell_once(&hints->is_other_told, "a server of another database is on the bus: give each database a bus of its own. Its hints are only counted");
    } else if (!is_near(hint.at_us)) {
        tell_once(&hints->is_clock_told, "the clock of another server is more than 30 s off ours, so its hints are not followed: set the clocks");
    } else {
        is_ours = true;
        must_look = is_new(hints, &hint) && hint.kind == CH_HINT_LOOK;
    }
    hints->figures.refused += !is_ours;
    hints->figures.received += must_look;
    pthread_mutex_unlock(&hints->mutex);
    if (must_look)
        hints->options.look(hints->options.ctx);
    return is_ours;
}

// --- sending -------------------------------------------------------------------------------------------------------

static void send_one(struct ch_hints *hints, enum ch_hint_kind kind)
{
    uint8_t bytes[CH_HINT_SIZE];
    struct ch_hint hint = {.kind = kind, .at_us = ch_clock_wall().us};
    memcpy(hint.sender, hints->sender, sizeof(hint.sender));
    memcpy(hint.database, hints->options.database, sizeof(hint.database));
    pthread_mutex_lock(&hints->mutex);
    hint.counter = ++hints->counter;
    hints->figures.sent += kind == CH_HINT_LOOK;
    hint.looks = hints->figures.sent;
    pthread_mutex_unlock(&hints->mutex);
    ch_hint_write(&hint, hints->key, bytes);
    ch_bus_send(hints->bus, charle_bytes(bytes, sizeof(bytes)));
}

// Sleeps until there is something to say. False: the server is stopping.
static bool wait_due(struct ch_hints *hints, int64_t said_us, int64_t tick_us, bool *out_is_due)
{
    pthread_mutex_lock(&hints->mutex);
    for (;;) {
        int64_t now_us = ch_clock_mono_us();
        int64_t next_us = hints->is_due && said_us + SAY_US < tick_us ? said_us + SAY_US : tick_us;
        if (hints->is_stopping || now_us >= next_us)
            break;
        struct timespec until = {.tv_sec = next_us / 1000000, .tv_nsec = next_us % 1000000 * 1000};
        pthread_cond_timedwait(&hints->changed, &hints->mutex, &until);
    }
    *out_is_due = hints->is_due;
    hints->is_due = false;
    bool goes_on = !hints->is_stopping;
    pthread_mutex_unlock(&hints->mutex);
    return goes_on;
}

static void *run(void *ctx)
{
    struct ch_hints *hints = ctx;
    int64_t said_us = 0, alive_us = 0, tick_us = 0;
    bool is_due = false;
    while (wait_due(hints, said_us, tick_us, &is_due)) {
        int64_t now_us = ch_clock_mono_us();
        if (is_due) {
            send_one(hints, CH_HINT_LOOK);
            said_us = now_us;
        }
        if (now_us < tick_us)
            continue;
        ch_bus_tick(hints->bus);
        if (now_us - alive_us >= ALIVE_US) {
            send_one(hints, CH_HINT_ALIVE);
            alive_us = now_us;
        }
        tick_us = now_us + TICK_US;
    }
    return NULL;
}

void ch_hints_say(struct ch_hints *hints)
{
    if (!hints)
        return;
    pthread_mutex_lock(&hints->mutex);
    hints->is_due = true;
    pthread_cond_signal(&hints->changed);
    pthread_mutex_unlock(&hints->mutex);
}

void ch_hints_figures(struct ch_hints *hints, struct ch_hints_figures *out)
{
    *out = (struct ch_hints_figures){0};
    if (!hints)
        return;
    pthread_mutex_lock(&hints->mutex);
    *out = hints->figures;
    pthread_mutex_unlock(&hints->mutex);
    out->connections = ch_bus_connections(hints->bus);
}

// --- life ----------------------------------------------------------------------------------------------------------

static enum charle_err start(struct ch_hints *hints, struct charle_error *err)
{
    const struct ch_hints_options *options = &hints->options;
    char address[CH_ADDRESS_SIZE];
    const struct ch_bus_options bus = {
        .listen = options->listen,
        .peers = options->peers,
        .peer_count = options->peer_count,
        .tls = {.tls_ca_file = options->tls_ca_file, .tls_cert_file = options->tls_cert_file, .tls_key_file = options->tls_key_file},
        .on_message = on_message,
        .ctx = hints};
    enum charle_err rc = ch_hint_key_read(options->secret_file, hints->key, err);
    if (rc == CHARLE_OK)
        rc = ch_bus_open(&bus, &hints->bus, address, err);
    if (rc)
        return rc;
    if (options->listen)
        ch_log(CH_LOG_INFO, "hints", "listening for other servers address=%s", address);
    hints->has_thread = pthread_create(&hints->thread, NULL, run, hints) == 0;
    if (!hints->has_thread)
        return charle_fail(err, CHARLE_NO_MEMORY, "cannot start another thread: raise the limit of processes");
    pthread_setname_np(hints->thread, "hints");
    return CHARLE_OK;
}

enum charle_err ch_hints_start(const struct ch_hints_options *options, struct ch_hints **out, struct charle_error *err)
{
    struct ch_hints *hints = ch_alloc_zeroed(1, sizeof(*hints));
    if (!hints)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    hints->options = *options;
    pthread_mutex_init(&hints->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&hints->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    randombytes_buf(hints->sender, sizeof(hints->sender));
    enum charle_err rc = start(hints, err);
    if (rc) {
        ch_hints_stop(hints);
        return rc;
    }
    *out = hints;
    return CHARLE_OK;
}

void ch_hints_stop(struct ch_hints *hints)
{
    if (!hints)
        return;
    pthread_mutex_lock(&hints->mutex);
    hints->is_stopping = true;
    pthread_cond_signal(&hints->changed);
    pthread_mutex_unlock(&hints->mutex);
    if (hints->has_thread)
        pthread_join(hints->thread, NULL);
    ch_bus_close(hints->bus);
    sodium_memzero(hints->key, sizeof(hints->key));
    pthread_cond_destroy(&hints->changed);
    pthread_mutex_destroy(&hints->mutex);
    ch_free(hints);
}
