#include "server/session.h"

#include "base/alloc.h"
#include "base/log.h"
#include "server/password.h"
#include "server/throttle.h"
#include "server/token.h"

#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <uthash.h>

enum {
    SESSION_SIZE_MAX = 4 << 20,  // an identity with CH_SCOPES_PER_SESSION_MAX scopes
    CACHE_SESSIONS_MAX = 100000, // far above the connections a server takes
    ACCOUNT_FAILURES_MAX = 5,
    ADDRESS_FAILURES_MAX = 100, // an office behind one address has many people
    EMAIL_LEN_MAX = 254
};
static const int64_t second_us = 1000000;
static const int64_t fresh_us = 1000000;        // a checked session is believed this long
static const int64_t scopes_life_us = 60000000; // what no stamp tells of is seen this late at most
static const int64_t unused_us = 600000000;     // then a slot is given up; the session itself lives on in the database
static const int64_t failure_window_us = 900000000;

// What all objects of one token share: a session that was replaced because its scopes changed must still learn of its
// end.
struct life {
    atomic_uint refs;
    atomic_bool is_revoked;
};

struct ch_session {
    atomic_uint refs;
    struct life *life;
    struct charle_identity identity;
    char hash[CH_TOKEN_HASH_SIZE];
    struct charle_arena arena;
};

struct slot {
    UT_hash_handle hh;
    char hash[CH_TOKEN_HASH_SIZE];
    struct ch_session *session; // the cache's own reference
    int64_t checked_us, loaded_us, used_us;
    uint32_t generation;
};

struct ch_sessions {
    struct ch_session_store *store;
    ch_scopes_fn scopes;
    void *ctx;
    struct ch_throttle *accounts, *addresses;
    atomic_uint generation;
    pthread_mutex_t mutex; // guards the slots
    struct slot *slots;
    int64_t purged_us;
};

// --- life of one session -------------------------------------------------------------------------------------------

struct ch_session *ch_session_hold(struct ch_session *session)
{
    atomic_fetch_add(&session->refs, 1);
    return session;
}

static void release_life(struct life *life)
{
    if (life && atomic_fetch_sub(&life->refs, 1) == 1)
        ch_free(life);
}

void ch_session_release(struct ch_session *session)
{
    if (!session || atomic_fetch_sub(&session->refs, 1) != 1)
        return;
    release_life(session->life);
    charle_arena_deinit(&session->arena);
    ch_free(session);
}

const struct charle_identity *ch_session_identity(const struct ch_session *session)
{
    return &session->identity;
}

bool ch_session_is_revoked(const struct ch_session *session)
{
    return atomic_load(&session->life->is_revoked);
}

// Takes over the reference to `life`, or makes a new one when that is NULL. NULL: out of memory.
static struct ch_session *session_new(struct life *life, const char *hash)
{
    struct ch_session *session = ch_alloc_zeroed(1, sizeof(*session));
    if (!life && (life = ch_alloc_zeroed(1, sizeof(*life))) != NULL)
        atomic_init(&life->refs, 1);
    if (!session || !life) {
        ch_free(session);
        release_life(life);
        return NULL;
    }
    atomic_init(&session->refs, 1);
    charle_arena_init(&session->arena, SESSION_SIZE_MAX);
    memcpy(session->hash, hash, sizeof(session->hash));
    session->life = life;
    return session;
}

// --- the cache -----------------------------------------------------------------------------------------------------

enum charle_err ch_sessions_new(const struct charle_schema *schema, ch_scopes_fn scopes, void *ctx,
                                struct ch_sessions **out, struct charle_error *err)
{
    struct ch_sessions *sessions = ch_alloc_zeroed(1, sizeof(*sessions));
    if (!sessions)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    sessions->scopes = scopes;
    sessions->ctx = ctx;
    pthread_mutex_init(&sessions->mutex, NULL);
    enum charle_err rc = ch_session_store_new(schema, &sessions->store, err);
    if (rc == CHARLE_OK)
        rc = ch_throttle_new(ACCOUNT_FAILURES_MAX, failure_window_us, &sessions->accounts, err);
    if (rc == CHARLE_OK)
        rc = ch_throttle_new(ADDRESS_FAILURES_MAX, failure_window_us, &sessions->addresses, err);
    if (rc) {
        ch_sessions_free(sessions);
        return rc;
    }
    *out = sessions;
    return CHARLE_OK;
}

// uthash's macros are long; they are used here only.
// NOLINTBEGIN(readability-function-size,clang-analyzer-core.NullDereference)
static struct slot *find_slot(const struct ch_sessions *sessions, const char *hash)
{
    struct slot *slot = NULL;
    HASH_FIND(hh, sessions->slots, hash, CH_TOKEN_HASH_SIZE - 1, slot);
    return slot;
}

static void add_slot(struct ch_sessions *sessions, struct slot *slot)
{
    HASH_ADD(hh, sessions->slots, hash, CH_TOKEN_HASH_SIZE - 1, slot);
}

static void remove_slot(struct ch_sessions *sessions, struct slot *slot)
{
    HASH_DEL(sessions->slots, slot);
}
// NOLINTEND(readability-function-size,clang-analyzer-core.NullDereference)

static void drop(struct ch_sessions *sessions, struct slot *slot, bool is_revoked)
{
    remove_slot(sessions, slot);
    if (is_revoked)
        atomic_store(&slot->session->life->is_revoked, true);
    ch_session_release(slot->session);
    ch_free(slot);
}

void ch_sessions_free(struct ch_sessions *sessions)
{
    if (!sessions)
        return;
    struct slot *slot, *next;
    HASH_ITER(hh, sessions->slots, slot, next)
    drop(sessions, slot, false);
    ch_throttle_free(sessions->accounts);
    ch_throttle_free(sessions->addresses);
    ch_session_store_free(sessions->store);
    pthread_mutex_destroy(&sessions->mutex);
    ch_free(sessions);
}

static bool is_fresh(const struct ch_sessions *sessions, const struct slot *slot, int64_t now_us)
{
    return now_us - slot->checked_us < fresh_us && now_us - slot->loaded_us < scopes_life_us &&
           slot->generation == atomic_load(&sessions->generation);
}

struct ch_session *ch_sessions_find(struct ch_sessions *sessions, struct charle_str token)
{
    char hash[CH_TOKEN_HASH_SIZE];
    struct slot *slot = NULL;
    struct ch_session *found = NULL;
    if (!ch_token_is_well_formed(token))
        return NULL;
    ch_token_hash(token, hash);
    int64_t now_us = ch_clock_mono_us();
    pthread_mutex_lock(&sessions->mutex);
    slot = find_slot(sessions, hash);
    if (slot && is_fresh(sessions, slot, now_us)) {
        slot->used_us = now_us;
        found = ch_session_hold(slot->session);
    }
    pthread_mutex_unlock(&sessions->mutex);
    return found;
}

// The session of a slot whose scopes are still good, though it was not checked lately; with a reference. NULL: none.
static struct ch_session *find_stale(struct ch_sessions *sessions, const char *hash, int64_t now_us)
{
    struct slot *slot = NULL;
    struct ch_session *found = NULL;
    pthread_mutex_lock(&sessions->mutex);
    slot = find_slot(sessions, hash);
    if (slot && now_us - slot->loaded_us < scopes_life_us && slot->generation == atomic_load(&sessions->generation))
        found = ch_session_hold(slot->session);
    pthread_mutex_unlock(&sessions->mutex);
    return found;
}

// The life of a known token with a reference; NULL: the token is new here.
static struct life *hold_life(struct ch_sessions *sessions, const char *hash)
{
    struct slot *slot = NULL;
    pthread_mutex_lock(&sessions->mutex);
    slot = find_slot(sessions, hash);
    struct life *life = slot ? slot->session->life : NULL;
    if (life)
        atomic_fetch_add(&life->refs, 1);
    pthread_mutex_unlock(&sessions->mutex);
    return life;
}

static enum charle_err remember(struct ch_sessions *sessions, struct ch_session *session, int64_t now_us,
                                uint32_t generation, struct charle_error *err)
{
    struct slot *slot = NULL;
    enum charle_err rc = CHARLE_OK;
    pthread_mutex_lock(&sessions->mutex);
    slot = find_slot(sessions, session->hash);
    if (!slot) {
        slot = HASH_COUNT(sessions->slots) < CACHE_SESSIONS_MAX ? ch_alloc_zeroed(1, sizeof(*slot)) : NULL;
        if (slot) {
            memcpy(slot->hash, session->hash, sizeof(slot->hash));
            add_slot(sessions, slot);
        } else {
            rc =
                charle_fail(err, CHARLE_RESOURCE_EXHAUSTED, "this server has too many sessions: try again in a moment");
        }
    }
    if (slot) {
        ch_session_release(slot->session);
        slot->session = ch_session_hold(session);
        slot->checked_us = slot->loaded_us = slot->used_us = now_us;
        slot->generation = generation;
    }
    pthread_mutex_unlock(&sessions->mutex);
    return rc;
}

static void forget(struct ch_sessions *sessions, const char *hash)
{
    struct slot *slot = NULL;
    pthread_mutex_lock(&sessions->mutex);
    slot = find_slot(sessions, hash);
    if (slot)
        drop(sessions, slot, true);
    pthread_mutex_unlock(&sessions->mutex);
}

static enum charle_err ended(struct ch_sessions *sessions, const char *hash, struct charle_error *err)
{
    forget(sessions, hash);
    return charle_fail(err, CHARLE_UNAUTHENTICATED, "this session has ended or never was: sign in again");
}

static enum charle_err fill_identity(struct ch_sessions *sessions, struct charle_db *db, struct ch_session *session,
                                     struct charle_error *err)
{
    struct ch_session_row row = {0};
    struct charle_identity *identity = &session->identity;
    enum charle_err rc =
        ch_session_store_find(sessions->store, db, charle_str(session->hash), &session->arena, &row, err);
    if (rc == CHARLE_NOT_FOUND)
        return ended(sessions, session->hash, err);
    if (rc)
        return rc;
    identity->principal = row.principal;
    identity->id = row.principal_id;
    struct ch_scopes scopes = {0};
    rc = sessions->scopes(sessions->ctx, db, row.principal, row.principal_id, &session->arena, &scopes, err);
    identity->scopes = scopes.items;
    identity->scope_count = scopes.count;
    return rc;
}

// Makes a slot fresh again whose session still lives. Its scopes are as good as before.
static enum charle_err check_again(struct ch_sessions *sessions, struct charle_db *db, const struct ch_session *session,
                                   int64_t now_us, struct charle_error *err)
{
    struct charle_str hash = charle_str(session->hash);
    struct slot *slot = NULL;
    bool is_live = false;
    enum charle_err rc = ch_session_store_check(sessions->store, db, &hash, 1, &is_live, err);
    if (rc)
        return rc;
    if (!is_live)
        return ended(sessions, session->hash, err);
    pthread_mutex_lock(&sessions->mutex);
    slot = find_slot(sessions, session->hash);
    if (slot) {
        slot->checked_us = slot->checked_us < now_us ? now_us : slot->checked_us;
        slot->used_us = now_us;
    }
    pthread_mutex_unlock(&sessions->mutex);
    return CHARLE_OK;
}

enum charle_err ch_sessions_load(struct ch_sessions *sessions, struct charle_db *db, struct charle_str token,
                                 struct ch_session **out, struct charle_error *err)
{
    char hash[CH_TOKEN_HASH_SIZE];
    if (!ch_token_is_well_formed(token))
        return charle_fail(err, CHARLE_UNAUTHENTICATED, "this is not a token of this server: sign in first");
    ch_token_hash(token, hash);
    // Both are taken before the database is asked: a change that comes in between makes the session stale at once.
    uint32_t generation = atomic_load(&sessions->generation);
    int64_t now_us = ch_clock_mono_us();
    struct ch_session *session = find_stale(sessions, hash, now_us);
    enum charle_err rc;
    if (session) {
        rc = check_again(sessions, db, session, now_us, err);
    } else {
        session = session_new(hold_life(sessions, hash), hash);
        if (!session)
            return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while looking at a session");
        rc = fill_identity(sessions, db, session, err);
        if (rc == CHARLE_OK)
            rc = remember(sessions, session, now_us, generation, err);
    }
    if (rc) {
        ch_session_release(session);
        return rc;
    }
    *out = session;
    return CHARLE_OK;
}

void ch_sessions_grants_changed(struct ch_sessions *sessions)
{
    atomic_fetch_add(&sessions->generation, 1);
}

// --- the sweep -----------------------------------------------------------------------------------------------------

struct batch {
    size_t count;
    struct charle_str items[CH_SESSION_BATCH_MAX]; // point into `hashes`
    bool is_live[CH_SESSION_BATCH_MAX];
    char hashes[CH_SESSION_BATCH_MAX][CH_TOKEN_HASH_SIZE];
};

// Picks sessions that are in use (by calls since their last check, or by a stream) and were not checked in this round.
static void pick(struct ch_sessions *sessions, struct batch *batch, int64_t round_us)
{
    struct slot *slot, *next;
    batch->count = 0;
    pthread_mutex_lock(&sessions->mutex);
    HASH_ITER(hh, sessions->slots, slot, next)
    {
        bool is_held = atomic_load(&slot->session->life->refs) > 1 || atomic_load(&slot->session->refs) > 1;
        if (!is_held && round_us - slot->used_us > unused_us) {
            drop(sessions, slot, false);
            continue;
        }
        bool is_due = slot->checked_us < round_us && (is_held || slot->used_us >= slot->checked_us);
        if (!is_due || batch->count == CH_SESSION_BATCH_MAX)
            continue;
        memcpy(batch->hashes[batch->count], slot->hash, CH_TOKEN_HASH_SIZE);
        batch->items[batch->count] = charle_str_n(batch->hashes[batch->count], CH_TOKEN_HASH_SIZE - 1);
        batch->count++;
    }
    pthread_mutex_unlock(&sessions->mutex);
}

static void settle(struct ch_sessions *sessions, const struct batch *batch, int64_t round_us)
{
    pthread_mutex_lock(&sessions->mutex);
    for (size_t i = 0; i < batch->count; i++) {
        struct slot *slot = NULL;
        slot = find_slot(sessions, batch->hashes[i]);
        if (slot && batch->is_live[i] && slot->checked_us < round_us)
            slot->checked_us = round_us;
        else if (slot && !batch->is_live[i])
            drop(sessions, slot, true);
    }
    pthread_mutex_unlock(&sessions->mutex);
}

enum charle_err ch_sessions_sweep(struct ch_sessions *sessions, struct charle_db *db, struct charle_error *err)
{
    struct batch *batch = ch_alloc(sizeof(*batch));
    if (!batch)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while checking sessions");
    int64_t round_us = ch_clock_mono_us();
    enum charle_err rc = CHARLE_OK;
    do {
        pick(sessions, batch, round_us);
        if (batch->count)
            rc = ch_session_store_check(sessions->store, db, batch->items, batch->count, batch->is_live, err);
        if (rc == CHARLE_OK)
            settle(sessions, batch, round_us);
    } while (rc == CHARLE_OK && batch->count == CH_SESSION_BATCH_MAX);
    ch_free(batch);
    if (rc == CHARLE_OK && round_us - sessions->purged_us > 3600 * second_us) {
        sessions->purged_us = round_us;
        rc = ch_session_store_purge(sessions->store, db, err);
    }
    return rc;
}

// --- signing in ----------------------------------------------------------------------------------------------------

static enum charle_err check_wait(struct ch_throttle *throttle, struct charle_str name, struct charle_error *err)
{
    int64_t wait_us = ch_throttle_wait_us(throttle, name, ch_clock_mono_us());
    if (wait_us)
        return charle_fail(err, CHARLE_RESOURCE_EXHAUSTED,
                           "too many failed attempts to sign in: try again in %" PRId64 " minutes",
                           wait_us / (60 * second_us) + 1);
    return CHARLE_OK;
}

static struct charle_str lower(struct charle_arena *arena, struct charle_str text)
{
    char *copy = charle_arena_alloc(arena, text.len + 1);
    for (size_t i = 0; copy && i < text.len; i++)
        copy[i] = (char)tolower((unsigned char)text.ptr[i]);
    return charle_str_n(copy, copy ? text.len : 0);
}

// The host part of "127.0.0.1:51234": the port is another one at each connection.
static struct charle_str host_of(struct charle_str peer)
{
    const char *colon = peer.len ? memrchr(peer.ptr, ':', peer.len) : NULL;
    return colon ? charle_str_n(peer.ptr, (size_t)(colon - peer.ptr)) : peer;
}

static enum charle_err check_password(struct ch_sessions *sessions, struct charle_db *db, const struct ch_login *login,
                                      struct charle_str email, struct charle_arena *arena, struct ch_person *out_person,
                                      struct charle_error *err)
{
    enum charle_err rc = ch_session_store_person(sessions->store, db, login->principal, email, arena, out_person, err);
    if (rc && rc != CHARLE_NOT_FOUND)
        return rc;
    const char *hash = rc == CHARLE_OK ? out_person->password_hash.ptr : NULL;
    if (ch_password_is_right(login->password, hash))
        return CHARLE_OK;
    return charle_fail(err, CHARLE_UNAUTHENTICATED, "the e-mail address or the password is wrong");
}

static enum charle_err open_session(struct ch_sessions *sessions, struct charle_db *db, const struct ch_login *login,
                                    const struct ch_person *person, struct charle_arena *arena,
                                    struct ch_login_result *out, struct charle_error *err)
{
    struct ch_scopes scopes = {0};
    enum charle_err rc = sessions->scopes(sessions->ctx, db, login->principal, person->id, arena, &scopes, err);
    if (rc == CHARLE_OK && scopes.count == 0)
        rc = charle_fail(err, CHARLE_PERMISSION_DENIED, "this account is not active: ask an administrator");
    if (rc)
        return rc;
    char hash[CH_TOKEN_HASH_SIZE];
    ch_token_new(out->token);
    ch_token_hash(charle_str(out->token), hash);
    struct ch_session_new session = {.principal = login->principal,
                                     .principal_id = person->id,
                                     .token_hash = charle_str(hash),
                                     .address = host_of(login->peer),
                                     .agent = login->agent};
    rc = ch_session_store_insert(sessions->store, db, &session, arena, &out->expires_at, err);
    out->principal = charle_arena_str(arena, login->principal);
    out->principal_id = person->id;
    out->name = person->name;
    return rc;
}

enum charle_err ch_sessions_login(struct ch_sessions *sessions, struct charle_db *db, const struct ch_login *login,
                                  struct charle_arena *arena, struct ch_login_result *out, struct charle_error *err)
{
    struct charle_str email = lower(arena, login->email), host = host_of(login->peer);
    struct charle_str account =
        charle_arena_printf(arena, "%.*s %.*s", CHARLE_FMT(login->principal), CHARLE_FMT(email));
    if (!email.ptr || !account.ptr)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while signing in");
    if (!ch_session_store_has_principal(sessions->store, login->principal))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "nobody signs in as \"%.*s\" here",
                           (int)(login->principal.len > 40 ? 40 : login->principal.len),
                           login->principal.ptr ? login->principal.ptr : "");
    if (email.len > EMAIL_LEN_MAX || login->password.len > CH_PASSWORD_LEN_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "an e-mail address has at most %d bytes and a password %d",
                           EMAIL_LEN_MAX, CH_PASSWORD_LEN_MAX);
    enum charle_err rc = check_wait(sessions->accounts, account, err);
    if (rc == CHARLE_OK)
        rc = check_wait(sessions->addresses, host, err);
    if (rc)
        return rc;
    struct ch_person person = {0};
    rc = check_password(sessions, db, login, email, arena, &person, err);
    if (rc == CHARLE_UNAUTHENTICATED) {
        ch_throttle_fail(sessions->accounts, account, ch_clock_mono_us());
        ch_throttle_fail(sessions->addresses, host, ch_clock_mono_us());
        return rc;
    }
    if (rc == CHARLE_OK)
        rc = open_session(sessions, db, login, &person, arena, out, err);
    if (rc == CHARLE_OK)
        ch_throttle_forgive(sessions->accounts, account);
    return rc;
}

enum charle_err ch_sessions_logout(struct ch_sessions *sessions, struct charle_db *db, struct ch_session *session,
                                   struct charle_error *err)
{
    enum charle_err rc = ch_session_store_delete(sessions->store, db, charle_str(session->hash), err);
    if (rc == CHARLE_OK)
        forget(sessions, session->hash);
    return rc;
}
