// Who is calling: sessions as the running server sees them.
//
// A session in the cache is trusted for one second after it was last checked in the database; a sweep checks all that
// are in use together every 400 ms, so a call that comes in finds its session in the cache, and one that was revoked
// ends within a second. The scopes a session holds are read again when a table that grants depend on has changed, and
// every minute in any case, because another hand may have changed what no stamp tells of.
//
//   token ─ find ─► in the cache and fresh: used at once, on any thread
//               └─► otherwise: load, on a thread that has a connection
//
// Sessions are counted references: a live stream keeps its own, and sees `ch_session_is_revoked` turn true.
// When the database cannot be reached nothing is fresh any more, and calls that need a session fail as UNAVAILABLE:
// better than serving somebody who was shut out.
#ifndef CHARLE_SERVER_SESSION_H
#define CHARLE_SERVER_SESSION_H

#include "call/context.h"
#include "server/session_store.h"

struct ch_sessions;
struct ch_session;

// Works out the scopes of a person: sorted, in the arena.
struct ch_scopes {
    const struct charle_str *items;
    size_t count;
};
typedef enum charle_err (*ch_scopes_fn)(void *ctx, struct charle_db *db, struct charle_str principal,
                                        struct charle_str id, struct charle_arena *arena, struct ch_scopes *out,
                                        struct charle_error *err);

CHARLE_MUST_CHECK enum charle_err ch_sessions_new(const struct charle_schema *schema, ch_scopes_fn scopes, void *ctx,
                                                  struct ch_sessions **out, struct charle_error *err);
void ch_sessions_free(struct ch_sessions *sessions); // NULL is fine; no reference may be left

// The session of a token when it is known and fresh; NULL otherwise. The caller gets a reference.
struct ch_session *ch_sessions_find(struct ch_sessions *sessions, struct charle_str token);
// Asks the database. UNAUTHENTICATED with a sentence when there is no such session.
CHARLE_MUST_CHECK enum charle_err ch_sessions_load(struct ch_sessions *sessions, struct charle_db *db,
                                                   struct charle_str token, struct ch_session **out,
                                                   struct charle_error *err);

struct ch_session *ch_session_hold(struct ch_session *session);
void ch_session_release(struct ch_session *session); // NULL is fine
// Never changes while the reference is held; a session whose scopes changed is replaced by a new one.
const struct charle_identity *ch_session_identity(const struct ch_session *session);
bool ch_session_is_revoked(const struct ch_session *session);

// Signing in and out. `peer` is the address of the other end. On success *out_token is the only copy there is of the
// token.
struct ch_login {
    struct charle_str principal, email, password, peer, agent;
};
struct ch_login_result {
    char token[48];
    struct charle_ts expires_at;
    struct charle_str principal, principal_id, name; // in the arena
};
CHARLE_MUST_CHECK enum charle_err ch_sessions_login(struct ch_sessions *sessions, struct charle_db *db,
                                                    const struct ch_login *login, struct charle_arena *arena,
                                                    struct ch_login_result *out, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_sessions_logout(struct ch_sessions *sessions, struct charle_db *db,
                                                     struct ch_session *session, struct charle_error *err);

// The sweep: call it every CH_SESSIONS_SWEEP_MS on a thread with a connection.
#define CH_SESSIONS_SWEEP_MS 400
CHARLE_MUST_CHECK enum charle_err ch_sessions_sweep(struct ch_sessions *sessions, struct charle_db *db,
                                                    struct charle_error *err);
void ch_sessions_grants_changed(struct ch_sessions *sessions); // any thread

#endif
