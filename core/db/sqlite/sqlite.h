// The SQLite driver.
//
// A handle is one connection, used by one thread at a time. Files are opened in WAL mode and never memory-mapped (a
// torn file would kill the process instead of giving an error). LIKE is case-sensitive, as in PostgreSQL. $1, $2, … are
// bound by their numbers. Beside SQLite's own, statements may use
//   collate charle_numeric          orders canonical decimals by value
//   charle_numeric_cmp(a, b)        -1, 0, 1; NULL when one is
//   charle_numeric_key(a)           a blob that orders as the number does
//   charle_numeric_sum(x), charle_numeric_avg(x)   exact; avg rounded to 16 digits behind the point
//   charle_number_label(prefix, n)  "T-123", or "T-?3k7qm" of a provisional number (db/number.h); NULL of NULL
//   charle_now()                    microseconds since 1970
#ifndef CHARLE_DB_SQLITE_SQLITE_H
#define CHARLE_DB_SQLITE_SQLITE_H

#include "base/buf.h"
#include "db/db.h"

#include <sqlite3.h>

struct ch_sqlite_options {
    bool is_read_only;         // the file must exist
    bool must_exist;           // NOT_FOUND instead of making a new file
    bool is_secondary;         // never checkpoints: somebody else looks after the file
    bool is_sync_normal;       // synchronous=NORMAL: a power cut may take the last commits; default FULL
    bool enforce_foreign_keys; // PRAGMA foreign_keys
    int busy_timeout_ms;       // 0: CH_SQLITE_BUSY_TIMEOUT_MS
    int cache_size_kib;        // page cache; 0: SQLite's 2 MiB
    const char *vfs;           // NULL: the default one
};

// Opens a database file, or makes it (mode 0600). ":memory:" is a database of its own. NULL options are all zero.
// Errors: NOT_FOUND, READ_ONLY, PERMISSION_DENIED, DATA_LOSS (not a database, or damaged), BUSY, IO, DISK_FULL,
// NO_MEMORY.
CHARLE_MUST_CHECK enum charle_err ch_sqlite_open(const char *path, const struct ch_sqlite_options *options,
                                                 struct charle_db **out_db, struct charle_error *err);

// Looks at what statements do before they run, while `is_on`: one question for each table, column, function and kind of statement that
// SQLite finds in a text (the action codes of sqlite3_set_authorizer). A text that was let pass for a token is not looked at again
// for it. All members are the owner's; `is_on` and `token` may change between statements.
struct ch_sqlite_guard {
    bool is_on;
    const void *token; // for whom statements run now
    // False refuses the statement: the reason is in `why`.
    bool (*may)(struct ch_sqlite_guard *guard, int action, const char *one, const char *two);
    // A text that SQLite does not understand: may put a better sentence into `why`. NULL: none.
    void (*explain)(struct ch_sqlite_guard *guard, const char *message);
    char why[200];     // empty: no reason
};
// From now on; NULL ends it. The guard must outlive the handle.
CHARLE_MUST_CHECK enum charle_err ch_sqlite_set_guard(struct charle_db *db, struct ch_sqlite_guard *guard, struct charle_error *err);

// The connection itself, for hooks and backups. Not to be closed.
sqlite3 *ch_sqlite_handle(struct charle_db *db);

// FULL (false) makes every commit durable; NORMAL (true) is for pages that can be fetched again. Not inside a
// transaction.
CHARLE_MUST_CHECK enum charle_err ch_sqlite_set_sync_normal(struct charle_db *db, bool is_normal,
                                                            struct charle_error *err);

// The prepared and cached statement of a text, reset and ready to bind; for paths that step by themselves. Valid until
// the next call with another text on this handle; reset it after use.
CHARLE_MUST_CHECK enum charle_err ch_sqlite_statement(struct charle_db *db, const char *sql,
                                                      sqlite3_stmt **out_statement, struct charle_error *err);

// What a failed call of SQLite means, as a sentence with the file's name in it. `doing` is "applying a page" or NULL.
enum charle_err ch_sqlite_fail(sqlite3 *handle, int code, const char *doing, struct charle_error *err);

// A text of the present row, valid until the next step; ptr NULL for NULL. Not terminated: SQLite would need memory for
// that, and without it an existing text would read as none.
static inline struct charle_str ch_sqlite_text(sqlite3_stmt *row, int column)
{
    bool is_text = sqlite3_column_type(row, column) == SQLITE_TEXT;
    const char *text = is_text ? (const char *)sqlite3_column_blob(row, column) : (const char *)sqlite3_column_text(row, column);
    if (!text)
        return (struct charle_str){is_text ? "" : NULL, 0};
    return (struct charle_str){text, (size_t)sqlite3_column_bytes(row, column)};
}

// Binds one value by parameter number, as charle_exec does. Text is not copied: it must live until the statement is
// reset.
CHARLE_MUST_CHECK enum charle_err ch_sqlite_bind(sqlite3_stmt *statement, int number, const struct charle_value *value,
                                                 struct charle_arena *arena, struct charle_error *err);

#endif
