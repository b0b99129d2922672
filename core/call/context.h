// What a service gets with a call, on the server and on a laptop alike.
//
// A service is a plain function over a database handle. It must be deterministic: it takes ids, the time and random
// numbers from here, never from the system, because a call made offline is run again on the server and must make the
// same ids.
#ifndef CHARLE_CALL_CONTEXT_H
#define CHARLE_CALL_CONTEXT_H

#include "base/arena.h"
#include "db/schema.h"

struct charle_db;
struct charle_context;
struct charle_method;

// The engine that runs generated methods (ch_crud_run of services/crud.h). Whoever makes a context puts it in, so that
// this folder need not know the services.
typedef enum charle_err (*charle_crud_engine)(const struct charle_method *method, struct charle_context *context,
                                              const void *request, void *reply, struct charle_error *err);

// Who calls. Filled by the server from the database, or by the replica from what the server told it.
struct charle_identity {
    struct charle_str principal;     // table of the person: "user", "client_user"; empty: nobody (anonymous)
    struct charle_str id;            // the person's primary key
    struct charle_str device_id;     // empty: no device (a service, the studio)
    const struct charle_str *scopes; // held now, sorted: "account:…", "team", "user:…"
    size_t scope_count;
};

struct charle_context {
    struct charle_db *db;       // inside a transaction when the method is not read-only
    struct charle_arena *arena; // lives until the reply is sent
    const struct charle_schema *schema;
    const struct charle_identity *identity;
    struct charle_ts now;     // the call's time: the same at every replay
    bool is_replica;          // running on a laptop
    bool is_replay;           // an offline call that arrives at the server
    uint64_t random_state[4]; // seeded with the call; use charle_context_random
    uint64_t id_count;        // ids made so far
    uint64_t number_count;    // provisional numbers made so far
    int64_t deadline_mono_us; // 0: none
    charle_crud_engine crud;  // NULL: generated methods answer UNIMPLEMENTED
    // Set by services that resolved a conflict; becomes the verdict "merged". Empty: none.
    struct charle_str merge_note;
    // Set by the engine of generated methods when it has changed a row: a failure must be rolled back.
    bool has_written;
    void *runtime; // belongs to whoever made the context
};

// Prepares now and the random numbers from a call's stored seed. The rest is the caller's to fill in.
void charle_context_seed(struct charle_context *context, struct charle_ts now, uint64_t seed);
uint64_t charle_context_random(struct charle_context *context);

// A new id: 26 characters, ordered by the call's time, then by the order of making within the call. NUL-terminated, in
// the arena; ptr NULL when that is full.
struct charle_str charle_context_new_id(struct charle_context *context);

// A label until the server has numbered a new row: negative, and the same when the call runs again. It takes no random number from the
// context, because the server, which takes none here, must make the same ids.
int64_t charle_context_provisional(struct charle_context *context, const struct charle_column *column);
// The number of a new row in a column with generate: SERIAL, for services that insert rows themselves: on the server the sequence's next
// one, which a call that is rolled back leaves as a gap; on a laptop a provisional one.
CHARLE_MUST_CHECK enum charle_err charle_context_number(struct charle_context *context, const struct charle_table *table,
                                                        const struct charle_column *column, int64_t *out, struct charle_error *err);

// Does the caller hold the scope? "team", or "user:42".
bool charle_context_holds(const struct charle_context *context, struct charle_str scope);
bool charle_identity_holds(const struct charle_identity *identity, struct charle_str scope);

#endif
