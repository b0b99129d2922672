// Live queries: results that follow the replica, told as differences of rows.
//
// A live owns one read connection, so that all its queries see one snapshot. Which queries must run again is known from two signs, taken
// before and after the snapshot is opened, because a writer may commit at any moment in between:
//   version[table]  of the tables of this program's writing connection: grows with every row written through it (table.h)
//   foreign         SQLite's data version of the writing connection: differs when another program committed
//   before ── snapshot ── after
// A query must run when a sign `after` differs from the one its last result was made with; its new result carries the signs `before`. What was
// committed before the snapshot is in it and its sign is in `after`; what is committed later differs from `before` next time. Reading
// the signs needs the mutex of the writing connection; when a transaction holds it for too long, every query counts as changed.
// The connection's own data version comes first: if that did not move, nobody committed anything and nothing else is looked at.
//
// Locks. `mutex` guards the list of queries and the connection; it is held while queries run, never during a callback. `wake_mutex` guards the
// few words that wakers touch, and is never held for long; it comes after the client's mutex. A query that is removed while its
// callback runs is freed by whoever takes; remove waits for the end of the callback.
#ifndef CHARLE_CLIENT_LIVE_H
#define CHARLE_CLIENT_LIVE_H

#include "charle/charle.h"
#include "client/edge.h"
#include "client/live_rows.h"
#include "db/query.h"

// Signs of change, see above.
struct ch_live_signs {
    bool is_known; // false: a writer was busy
    int64_t foreign;
    uint64_t versions[CH_TABLES_MAX];
};

struct ch_live_query {
    struct ch_live_query *next;
    int64_t id;
    charle_live_fn fn;
    void *ctx;
    size_t size_max;
    struct charle_arena arena; // of everything below that has no end of its own
    const char *sql;
    const struct charle_value *params;
    size_t param_count;
    struct charle_query typed; // row_size 0: not a typed one. Only what reading rows needs is left in it
    const char *decode_sql;    // "select $1, $2, …", for structs of typed rows
    struct ch_live_shape shape;
    const char *const *columns;
    uint16_t *tables;          // it reads: indexes in the replica's tables, rising
    size_t table_count;
    bool reads_platform;       // it reads tables that are not the application's: any commit may change it
    bool is_removed;
    bool has_run;              // `versions` are those of the last run
    int64_t foreign;
    uint64_t *versions;        // table_count
    struct ch_live_rows shown; // what has been told
    struct ch_live_rows fresh; // what the last run gave, to be told
    bool is_fresh, has_told;
    struct charle_error failed; // of the last run; code OK: it did not fail
};

// Checks, copies and prepares; *out is set on success. `live_db` is the live's connection.
CHARLE_MUST_CHECK enum charle_err ch_live_query_new(const struct ch_replica *replica, struct charle_db *live_db,
                                                    const struct charle_live_query *options, struct ch_live_query **out,
                                                    struct charle_error *err);
void ch_live_query_free(struct ch_live_query *query);
// Runs it into `fresh`, in the open transaction.
CHARLE_MUST_CHECK enum charle_err ch_live_query_run(struct ch_live_query *query, struct charle_db *db, struct charle_error *err);
// Tells what differs between `shown` and `fresh` through the callback, then makes `fresh` the shown one. `lock` is released around
// each callback and held otherwise; `db` is for structs of typed rows. Stops when the query is removed meanwhile.
struct ch_live_teller {
    struct ch_live_query *query;
    struct charle_db *db;
    void (*call)(void *ctx, struct ch_live_query *query, const struct charle_live_change *change);
    void *ctx;
};
void ch_live_query_tell(const struct ch_live_teller *teller);

// Wakes the client's lives whose queries read one of the tables (NULL: any). With the client's mutex held.
void ch_lives_wake(struct charle_client *client, unsigned events, const uint32_t *tables, size_t table_count);

#endif
