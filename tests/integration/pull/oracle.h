// The oracle of pulls.
//
//   writers    threads that change everything in every way: services' kind of transactions and foreign ones
//   pullers    threads that each keep a replica in memory by ch_pull and ch_copy
//   follower   a thread that keeps one by the live ticks (ch_ticks)
//   reader     reads what a replica should hold, with SQL written by hand, in the snapshot of the pull
//   controls   replicas that follow a sequence and a timestamp instead of stamps; they must go wrong, or the writers
//   are too tame
#ifndef CHARLE_TESTS_PULL_ORACLE_H
#define CHARLE_TESTS_PULL_ORACLE_H

#include "db/pg/pg.h"
#include "fixture.h"
#include "server/sync/sync.h"

#include <stdatomic.h>

struct oracle {
    struct ch_pg_cluster *cluster;
    struct ch_pg_cluster *standby; // NULL: everything is read from the primary
    struct ch_standby rule;        // of reading from it
    const char *database;
    struct ch_sync *sync;
    atomic_bool is_over;
    atomic_long checked;  // pulls whose replica was compared
    atomic_long followed; // scopes that were compared after ticks
    atomic_long ticks, rejoined;
    atomic_long at_standby, passed_on, copied_at_standby; // pulls compared there, left to the primary; copies of a table
    atomic_long ahead;                                    // pulls that the primary put off, since the standby had shown more
    atomic_long deltas, gained, lost, repaired;
    atomic_long emptied, begun_anew; // tables by TRUNCATE; pulls that met one
    atomic_long committed, rolled_back, failed;
    atomic_long sequence_checked, sequence_wrong, timestamp_checked, timestamp_wrong;
};

// Prints, marks the run as over and ends the thread's work: cmocka's assertions are for the main thread only.
void oracle_fail(struct oracle *oracle, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool oracle_has_failed(void);

struct charle_db *oracle_connect(struct oracle *oracle);
struct charle_db *oracle_connect_standby(struct oracle *oracle);

// --- replica.c: rows by (scope, table, key) ------------------------------------------------------

struct replica_row {
    uint32_t table;
    struct charle_str key;
    struct charle_bytes bytes;
    bool is_seen; // by the comparison under way
};
struct replica_scope {
    char name[64];
    int64_t stamp;
    int64_t newest; // that rows were copied at
    uint64_t lineage;
    bool is_whole;            // has a cursor
    struct replica_row *rows; // open addressing; key.ptr NULL: empty, bytes.ptr NULL: removed
    size_t capacity, used;
};
struct replica {
    struct replica_scope *scopes;
    size_t scope_count;
};

struct replica_scope *replica_find(struct replica *replica, struct charle_str scope);
struct replica_scope *replica_add(struct replica *replica, struct charle_str scope);
void replica_drop(struct replica *replica, struct charle_str scope);
void replica_put(struct replica_scope *scope, uint32_t table, struct charle_str key, struct charle_bytes bytes);
void replica_remove(struct replica_scope *scope, uint32_t table, struct charle_str key);
struct replica_row *replica_row(struct replica_scope *scope, uint32_t table, struct charle_str key); // NULL: none
size_t replica_row_count(const struct replica_scope *scope);
void replica_deinit(struct replica *replica);

// --- reader.c: what is true ----------------------------------------------------------------------

// Can the open transaction's snapshot still be read, and will it to its end? Not when a table was emptied since.
bool reader_can_compare(struct charle_db *db);
// Compares a scope with the database as the open transaction shows it; false after oracle_fail.
bool reader_compare(struct oracle *oracle, struct charle_db *db, struct replica_scope *scope);
// The key of a row in bytes, as it stands in entries.
bool reader_key(uint32_t table, struct charle_bytes row, char out[64]);
// Ids of the tables that an audience shows, 0-terminated.
const uint32_t *reader_tables(struct charle_str scope);

// --- puller.c, follower.c: replicas --------------------------------------------------------------

struct puller {
    struct oracle *oracle;
    const char *person;
    struct charle_db *db, *standby_db; // NULL: there is no standby
    const struct ch_standby *rule;     // of the pull or copy at hand; NULL: at the primary
    bool never_waits;
    struct replica replica;
    struct charle_buf pages; // of the pull under way
    struct charle_arena arena; // of one pull
    struct charle_str *to_copy;
    size_t to_copy_count;
    bool is_at_start; // of a pull: no page has come
    bool has_last_page;
    struct replica_scope *copying; // by take_copy
    uint32_t copying_table;
    bool copy_has_cursor;
};

// Applies an encoded PullPage; a ch_sync_send.
enum charle_err puller_take_page(void *puller, struct charle_bytes message, struct charle_error *err);
enum charle_err puller_pull(struct puller *puller, struct ch_positions *positions, struct charle_error *err);
void puller_copy(struct puller *puller); // what the last pull gained
void puller_deinit(struct puller *puller);

void *puller_run(void *puller);
void *follower_run(void *puller); // by ticks, after a pull

// --- writer.c, controls.c ------------------------------------------------------------------------

struct writer {
    struct oracle *oracle;
    unsigned seed;
};
void *writer_run(void *writer);

struct control {
    struct oracle *oracle;
    bool by_timestamp;
};
void *control_run(void *control);

#endif
