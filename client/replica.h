// The replica: one SQLite file with the rows its user may see, the calls that wait, and what is needed to keep both true.
//
// The file is in WAL mode with mode 0600 in a folder of mode 0700. `application_id` says what it is, `user_version` which layout its
// platform tables have. A program has one writing connection, used under the replica's lock (client/lock.h); readers have their own
// read-only ones and never wait. Writes by anybody else are refused by triggers with a sentence; the library's own
// connection has triggers turned off, so they cost it nothing and need no gate to be opened and closed.
//
// Durability: what a user did is on the disk when the call returns (synchronous=FULL). What came from the server is written with
// synchronous=NORMAL: a power cut may take the last pages back, and the cursors with them, so they are fetched again.
//
// If the schema that the program was built with differs from the file's, the tables are changed in place and what is missing is fetched later
// (upgrade.h), or they are made anew and copied again; waiting calls stay.
#ifndef CHARLE_CLIENT_REPLICA_H
#define CHARLE_CLIENT_REPLICA_H

#include "base/limits.h"
#include "call/method.h"
#include "client/capture.h"
#include "client/env.h"
#include "client/guard.h"
#include "client/files.h"
#include "client/key.h"
#include "client/lock.h"
#include "client/table.h"

#include <stdatomic.h>

#define CH_REPLICA_APPLICATION_ID 0x43684F53 // "ChOS"
#define CH_REPLICA_LAYOUT 6

enum ch_scope_state {
    CH_SCOPE_READY = 1,   // true up to its stamp
    CH_SCOPE_COPYING = 2, // not counted yet; the stamp is that of the copy's first chunk
    CH_SCOPE_EVICTED = 5, // granted and not wanted here (scope_store.c)
    CH_SCOPE_REPAIR = 3,  // in doubt: rows are shown, compared and mended
};

enum ch_durability { CH_DURABLE, CH_FETCHABLE };

struct ch_replica_options {
    const char *file;
    const struct charle_schema *schema;
    charle_crud_engine crud;     // runs generated methods
    const char *device_name;
    uint32_t lock_timeout_ms;    // 0: 30,000
    bool is_read_only;
    const struct charle_client_key *key; // NULL: not encrypted
};

// Who the replica belongs to, as services see it; reloaded when the file says that it changed.
struct ch_identity {
    struct charle_identity value;
    struct charle_arena arena;
    int64_t version; // of charle_meta; -1: not loaded
};

struct ch_replica {
    const struct ch_client_env *env;
    const struct charle_schema *schema;
    uint64_t served_hash;        // what requests name as the schema: its hash, or that of its shape while the server has another version
    charle_crud_engine crud;
    char *file;
    struct ch_cipher *cipher;    // NULL: not encrypted
    const char *vfs;             // of every connection and temporary file: the cipher's, else the env's
    int presence;                // says that the file is open; -1: nobody could look
    bool is_read_only;
    bool is_fetchable;           // the present setting of `synchronous`
    struct ch_lock lock;
    struct charle_db *db;        // the writing connection, as services see it
    struct ch_lite sql;           // the same, for the platform's tables
    struct ch_tables tables;
    struct ch_capture capture;
    struct ch_call_guard guard;  // of calls, on the writing connection
    struct ch_files *files;      // that rows and calls refer to
    struct charle_method_table methods;
    // Set by the thread that synchronises, read by all that commit.
    atomic_int checkpoint_pages; // how long the log may grow
    atomic_int wal_pages;        // in the log after the last commit
    atomic_bool checkpoints_later; // commits leave the log to ch_replica_checkpoint
    int64_t seen_version;        // of ch_replica_was_changed
    int64_t checked_version;     // of the file when its schema was last looked at
    bool has_numbered;           // the call that ran last made provisional numbers
    bool is_outdated;            // a program of another version has made the tables anew: nothing here fits any more
    int calls_until_check;       // of the outbox's size
    struct ch_identity identity; // of the writing connection
    // For looking without waiting for writers; its own lock, because any thread may look.
    pthread_mutex_t look_mutex;
    struct charle_db *look_db;
    struct ch_lite look;
    struct ch_identity look_identity;
};

// Opens or makes the file. `env` must outlive the replica. On failure nothing is left open.
CHARLE_MUST_CHECK enum charle_err ch_replica_open(struct ch_replica *replica, const struct ch_client_env *env,
                                                  const struct ch_replica_options *options, struct charle_error *err);
void ch_replica_close(struct ch_replica *replica);

// Makes the folder of a replica, and those above it, with mode 0700.
CHARLE_MUST_CHECK enum charle_err ch_replica_make_folder(const char *file, struct charle_error *err);

// An identity for a new device: 26 random characters.
void ch_replica_new_device_id(const struct ch_client_env *env, char out[CH_ID_LEN + 1]);

// Is a transaction of the replica's own connection open? For assertions of who has begun one: other threads begin theirs, and SQLite ends one by
// itself when the disk is full or fails.
static inline bool ch_replica_is_writing(const struct ch_replica *replica)
{
    return !sqlite3_get_autocommit(replica->sql.db);
}

// A write transaction under the replica's lock; ends with exactly one of the other two. Not nested.
CHARLE_MUST_CHECK enum charle_err ch_replica_begin(struct ch_replica *replica, enum ch_durability durability,
                                                   struct charle_error *err);
// A commit that fails has rolled back.
CHARLE_MUST_CHECK enum charle_err ch_replica_commit(struct ch_replica *replica, struct charle_error *err);
void ch_replica_rollback(struct ch_replica *replica);
// Copies the log back into the file if it is long enough: what commits do themselves, unless `checkpoints_later` is set because somebody waits to be told.
void ch_replica_checkpoint(struct ch_replica *replica);
// Ends it by rc: commits when it is OK, otherwise rolls back and returns rc.
CHARLE_MUST_CHECK enum charle_err ch_replica_end(struct ch_replica *replica, enum charle_err rc, struct charle_error *err);

// Writes all pages of another database of the same page size over the replica, as one transaction; with its lock held, outside a transaction.
CHARLE_MUST_CHECK enum charle_err ch_replica_overwrite(struct ch_replica *replica, sqlite3 *with, struct charle_error *err);

// Did another program write since the last time this was asked? (Writes of this program do not count.)
CHARLE_MUST_CHECK enum charle_err ch_replica_was_changed(struct ch_replica *replica, bool *out, struct charle_error *err);

// One more read-only connection, for the caller's thread.
CHARLE_MUST_CHECK enum charle_err ch_replica_open_reader(struct ch_replica *replica, struct charle_db **out,
                                                         struct charle_error *err);

// Loads the caller's identity as the last contact with the server left it, through a connection whose lock is held.
CHARLE_MUST_CHECK enum charle_err ch_identity_load(struct ch_identity *identity, struct ch_lite *sql, struct charle_error *err);
// The identity of the writing connection; inside a transaction.
CHARLE_MUST_CHECK enum charle_err ch_replica_load_identity(struct ch_replica *replica, struct charle_error *err);
// Marks it as changed for all connections of all programs; inside a transaction.
CHARLE_MUST_CHECK enum charle_err ch_replica_identity_changed(struct ch_replica *replica, struct charle_error *err);

// ch_tables_take_changed under the replica's lock.
size_t ch_replica_take_changed(struct ch_replica *replica, uint32_t *out);

// --- layout (layout.c) ------------------------------------------------------------------------------------------------

// Makes the platform's tables in a new file, with the page size and the log that replicas have.
CHARLE_MUST_CHECK enum charle_err ch_layout_create(const char *file, const char *vfs, struct charle_error *err);
// Brings the platform's tables of an older release to this layout; inside a transaction.
CHARLE_MUST_CHECK enum charle_err ch_layout_upgrade(struct ch_replica *replica, int64_t layout, struct charle_error *err);
// Makes or remakes the application's tables for the replica's schema; inside a transaction. Waiting calls stay.
CHARLE_MUST_CHECK enum charle_err ch_layout_build_tables(struct ch_replica *replica, struct charle_error *err);
// Empties the application's tables and forgets every scope; inside a transaction. Waiting calls stay, without effect until the next copy.
CHARLE_MUST_CHECK enum charle_err ch_layout_empty_tables(struct ch_replica *replica, struct charle_error *err);
// Makes what a first copy goes without: secondary indexes of one table, and at the end the triggers that refuse foreign writes.
// *out_more: call again, each time in a transaction of its own.
CHARLE_MUST_CHECK enum charle_err ch_layout_finish(struct ch_replica *replica, bool *out_more, struct charle_error *err);
// The triggers of the application's tables, where they are missing; inside a transaction.
CHARLE_MUST_CHECK enum charle_err ch_layout_guard_tables(struct ch_replica *replica, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_layout_is_finished(struct ch_replica *replica, bool *out, struct charle_error *err);

#endif
