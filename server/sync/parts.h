// What the files of server/sync share and nobody else needs.
#ifndef CHARLE_SERVER_SYNC_PARTS_H
#define CHARLE_SERVER_SYNC_PARTS_H

#include "db/pg/pipeline.h"
#include "server/sync/sync.h"
#include "server/sync/view.h"

struct ch_sync {
    const struct charle_schema *schema;
    const struct charle_method_table *methods;
    bool is_skewed;                // made for replicas of another version of the schema (skew.h)
    struct charle_array gaps;      // then, of const struct charle_schema_gap *: what they are told
    struct charle_arena arena;     // everything below
    struct ch_table_views *tables; // of the replicated tables, in the schema's order
    size_t table_count;
    const char *reads_file_sql;    // $1 a file's name, $2 scopes: do rows that these see refer to it? NULL: no column does (file_access.c)
};

// As ch_sync_new, with one ch_view_expressions for each table of the schema; NULL: none.
CHARLE_MUST_CHECK enum charle_err ch_sync_new_skewed(const struct charle_schema *schema, const struct ch_view_expressions *expressions,
                                                     const struct charle_method_table *methods, struct ch_sync **out,
                                                     struct charle_error *err);

// The views of a replicated table; NULL for any other id.
const struct ch_table_views *ch_sync_table(const struct ch_sync *sync, uint32_t id);
// The view of a table by the audience that a scope belongs to; NULL when the table has none of that name.
const struct ch_view *ch_table_view(const struct ch_table_views *table, struct charle_str scope);

// Does any table show rows to this scope? Some only say what a person may do; a replica has nothing of them and no cursor.
bool ch_sync_shows(const struct ch_sync *sync, struct charle_str scope);

// --- heads (heads.c) ----------------------------------------------------------------------------------------------------

// A head as one snapshot shows it. A scope that nothing has touched yet has no row: stamp 0, lineage 0.
struct ch_head {
    struct charle_str scope;
    int64_t stamp;
    int64_t floor;          // the log is whole above this stamp
    uint64_t lineage;       // of the stamp's epoch
    const int64_t *history; // where older epochs of this scope ended, ascending
    size_t history_count;
};

// The heads of `scopes` (sorted), one each in the same order, from the arena.
CHARLE_MUST_CHECK enum charle_err ch_heads_read(struct charle_db *db, const struct charle_str *scopes, size_t count,
                                                struct charle_arena *arena, struct ch_head **out, struct charle_error *err);

// The lineage of the running epoch, as a scalar subquery; null when no epoch was begun since the database started.
#define CH_LINEAGE_SQL \
    "(select e.lineage from charle.cluster c join charle.epoch e on e.epoch = c.epoch where c.id = 1 and c.at = pg_postmaster_start_time() and c.home = c.tableoid)"

// Lineages of all epochs there were, to judge cursors by.
struct ch_epochs {
    int64_t *epochs; // ascending
    uint64_t *lineages;
    size_t count;
};
CHARLE_MUST_CHECK enum charle_err ch_epochs_read(struct charle_db *db, struct charle_arena *arena, struct ch_epochs *out,
                                                 struct charle_error *err);

enum ch_cursor_state {
    CH_CURSOR_EQUAL,  // at the head
    CH_CURSOR_BEHIND, // a delta brings it there
    CH_CURSOR_LOST,   // not on the head's history, or below the floor: repair
};
enum ch_cursor_state ch_head_judge(const struct ch_head *head, const struct ch_epochs *epochs, int64_t stamp, uint64_t lineage);

// The number of the device's last call in this snapshot; 0 for an unknown device.
CHARLE_MUST_CHECK enum charle_err ch_device_sequence(struct charle_db *db, struct charle_str device_id, int64_t *out,
                                                     struct charle_error *err);

// --- standbys (standby.c) -----------------------------------------------------------------------------------------------

// In the open snapshot: is this still a standby of the primary's line, and not behind these stamps? OK when `standby` is NULL.
CHARLE_MUST_CHECK enum charle_err ch_standby_check(const struct ch_standby *standby, struct charle_db *db, const struct charle_array *at_least,
                                                   struct charle_arena *arena, struct charle_error *err);
// The same for reads of rows, which say with may_lag that they know what they have seen.
CHARLE_MUST_CHECK enum charle_err ch_standby_check_read(const struct ch_sync_peer *peer, struct charle_db *db, bool may_lag,
                                                        const struct charle_array *at_least, struct charle_arena *arena,
                                                        struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_standby_behind(struct charle_error *err); // UNAVAILABLE with its sentence

// --- commits that a standby has shown first (ahead.c) ---------------------------------------------------------------------

// Of one pull. Zeroed: no stamp was seen to be ahead.
struct ch_ahead {
    int64_t fence; // a transaction id that is younger than the commit; 0: none was taken
    int64_t until_us;
    int32_t pause_us;
};
// In the open snapshot, which shows less than the replica has seen: may it judge that the rest was lost? Otherwise the snapshot is to be given up
// for ch_ahead_wait, which is called outside of it, and a newer one to be read. UNAVAILABLE when the commit takes more than a second.
CHARLE_MUST_CHECK enum charle_err ch_ahead_check(const struct ch_ahead *ahead, struct charle_db *db, bool *out_is_settled,
                                                 struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_ahead_wait(struct ch_ahead *ahead, struct charle_db *db, struct charle_error *err);

// --- deltas (delta.c) ---------------------------------------------------------------------------------------------------

// Takes a piece of a delta: an encoded field `delta` of a PullPage, complete with tag and length, of at most about CH_PAGE_SIZE_TARGET bytes.
// A delta that is larger comes in several pieces with the same scope, from and to.
typedef enum charle_err (*ch_delta_piece)(void *ctx, struct charle_bytes piece, struct charle_error *err);

// The distinct keys that the log names in a scope after `from` up to `to`, sorted by table and key.
struct ch_delta_keys {
    PGresult *result;         // the keys point into it
    struct charle_str *items; // from the arena
    uint32_t *tables;         // of each key; from the arena
    size_t count;
};
// TOO_LARGE when there are more than CH_DELTA_KEYS_MAX: repair is then the cheaper way than a delta.
CHARLE_MUST_CHECK enum charle_err ch_delta_keys_read(struct charle_db *db, struct charle_str scope, int64_t from, int64_t to,
                                                     struct charle_arena *arena, struct ch_delta_keys *out, struct charle_error *err);
void ch_delta_keys_clear(struct ch_delta_keys *keys); // zeroed ones are fine

// ABORTED when a table was emptied by TRUNCATE behind the open snapshot's back: rows that were missing in what was read before may not have been.
CHARLE_MUST_CHECK enum charle_err ch_sync_check_not_emptied(struct charle_db *db, struct charle_error *err);

// Gives out the rows of the keys as the open snapshot shows them. The order of the keys is lost. ABORTED: a table was emptied behind the snapshot's
// back (TRUNCATE); what was given out is void, and a newer snapshot has to be read.
CHARLE_MUST_CHECK enum charle_err ch_delta_write(const struct ch_sync *sync, struct charle_db *db, const struct ch_head *head, int64_t from,
                                                 struct ch_delta_keys *keys, ch_delta_piece piece, void *ctx, struct charle_error *err);

// Both: the changes of a scope after `from` up to the head, as the open snapshot shows them. After TOO_LARGE nothing was given out.
CHARLE_MUST_CHECK enum charle_err ch_delta_read(const struct ch_sync *sync, struct charle_db *db, const struct ch_head *head,
                                                int64_t from, ch_delta_piece piece, void *ctx, struct charle_error *err);

// --- checks -------------------------------------------------------------------------------------------------------------

// A replica of another schema cannot be served: SCHEMA_MISMATCH with what to do.
CHARLE_MUST_CHECK enum charle_err ch_sync_check_schema(const struct ch_sync *sync, uint64_t hash, struct charle_error *err);
bool ch_scopes_have(const struct charle_str *scopes, size_t count, struct charle_str scope); // sorted

#endif
