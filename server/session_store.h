// Sessions and credentials as they lie in the database, whatever the application calls its tables.
//
// A table of sessions is found by its shape: a server-only column `token`, a column `expires_at`, and a required
// reference to a table of people, which are the tables that grants are written for and that have an `email`. CharleOS
// has `session` for "user" and `client_session` for "client_user". People without such a table have their sessions in
// charle.session. Passwords are in charle.credential (local development) or in a server-only column `password` of a
// table that refers to the person. The statements are put together once, from the names of the schema; values are
// always bound. All functions take a handle of the caller's and may be called from any thread.
#ifndef CHARLE_SERVER_SESSION_STORE_H
#define CHARLE_SERVER_SESSION_STORE_H

#include "base/arena.h"
#include "db/db.h"
#include "db/schema.h"

struct ch_session_store;

CHARLE_MUST_CHECK enum charle_err ch_session_store_new(const struct charle_schema *schema,
                                                       struct ch_session_store **out, struct charle_error *err);
void ch_session_store_free(struct ch_session_store *store); // NULL is fine
bool ch_session_store_has_principal(const struct ch_session_store *store, struct charle_str principal);

struct ch_session_row {
    struct charle_str principal, principal_id; // in the arena
    struct charle_ts expires_at;
};
// The session of a token's hash. NOT_FOUND: unknown, revoked or expired.
CHARLE_MUST_CHECK enum charle_err ch_session_store_find(struct ch_session_store *store, struct charle_db *db,
                                                        struct charle_str token_hash, struct charle_arena *arena,
                                                        struct ch_session_row *out, struct charle_error *err);

// Which of these hashes are live sessions: `out_live[i]` for hashes[i], at most CH_SESSION_BATCH_MAX. Those older than
// a day get a new life of seven days on the way.
#define CH_SESSION_BATCH_MAX 1000
CHARLE_MUST_CHECK enum charle_err ch_session_store_check(struct ch_session_store *store, struct charle_db *db,
                                                         const struct charle_str *hashes, size_t count, bool *out_live,
                                                         struct charle_error *err);

// A new session of seven days.
struct ch_session_new {
    struct charle_str principal, principal_id, token_hash;
    struct charle_str address, agent; // of the peer; empty: unknown
};
CHARLE_MUST_CHECK enum charle_err ch_session_store_insert(struct ch_session_store *store, struct charle_db *db,
                                                          const struct ch_session_new *session,
                                                          struct charle_arena *arena, struct charle_ts *out_expires_at,
                                                          struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_session_store_delete(struct ch_session_store *store, struct charle_db *db,
                                                          struct charle_str token_hash, struct charle_error *err);
// Removes what has expired. Cheap; called now and then.
CHARLE_MUST_CHECK enum charle_err ch_session_store_purge(struct ch_session_store *store, struct charle_db *db,
                                                         struct charle_error *err);

struct ch_person {
    struct charle_str id, name;      // in the arena
    struct charle_str password_hash; // NUL-terminated; ptr NULL: none
    bool is_local;                   // the hash is charle.credential's
};
// The person with this e-mail address (given in lower case). NOT_FOUND: nobody.
CHARLE_MUST_CHECK enum charle_err ch_session_store_person(struct ch_session_store *store, struct charle_db *db,
                                                          struct charle_str principal, struct charle_str email,
                                                          struct charle_arena *arena, struct ch_person *out,
                                                          struct charle_error *err);

#endif
