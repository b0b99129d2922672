// What a driver gives to core/db: one table of functions, and handles that begin with the structs below.
//
// db.c keeps everything that is the same in both databases: the cache of prepared statements, nesting of transactions,
// retries, tracing. A driver keeps a connection and knows how to prepare, run and read. Only drivers and db.c include
// this.
#ifndef CHARLE_DB_DRIVER_H
#define CHARLE_DB_DRIVER_H

#include "db/db.h"

enum { CH_STATEMENT_POINTER_SLOTS = 64, CH_STATEMENT_HASH_SLOTS = 256 };

// A prepared statement. While cached it is in the handle's list of use and hash table; while `is_busy` its rows are
// open. A statement that is asked for while it is busy gets a twin that is not cached and goes with its rows.
struct ch_statement {
    struct ch_statement *newer, *older; // order of use
    struct ch_statement *chain;         // same hash slot
    char *sql;                          // own copy, NUL-terminated
    size_t sql_len;
    uint64_t hash;
    bool is_cached;
    bool is_busy;
};

struct charle_rows {
    struct charle_db *db;
    struct ch_statement *statement;
};

enum ch_fetch {
    CH_FETCH_NOTHING, // rows are thrown away
    CH_FETCH_ALL,     // the driver may hold the whole result
    CH_FETCH_STREAM,  // the driver holds one row at a time
};

struct ch_driver {
    enum charle_dialect dialect;

    // Ends the connection and frees the handle. No statement is cached and no rows are open any more.
    void (*close)(struct charle_db *db);

    // Prepares `sql` (NUL-terminated, `sql.len` bytes) and hands out a zeroed head with the driver's part behind it.
    enum charle_err (*prepare)(struct charle_db *db, struct charle_str sql, struct ch_statement **out_statement,
                               struct charle_error *err);
    // Frees a statement; also when the connection is broken. Never called while it is busy.
    void (*discard)(struct charle_db *db, struct ch_statement *statement);

    // Runs a statement. With CH_FETCH_NOTHING out_rows is NULL and the statement is idle afterwards. Otherwise
    // *out_rows begins with a struct charle_rows whose db and statement are filled in by db.c. out_changed is never
    // NULL.
    enum charle_err (*execute)(struct charle_db *db, struct ch_statement *statement, const struct charle_value *params,
                               size_t param_count, enum ch_fetch fetch, int64_t *out_changed,
                               struct charle_rows **out_rows, struct charle_error *err);
    // Several statements, no parameters, no rows.
    enum charle_err (*script)(struct charle_db *db, const char *sql, struct charle_error *err);

    // As the functions of db.h. rows_close frees the rows; db.c then puts the statement back.
    enum charle_err (*rows_next)(struct charle_rows *rows, struct charle_error *err);
    size_t (*rows_column_count)(const struct charle_rows *rows);
    struct charle_str (*rows_column_name)(const struct charle_rows *rows, size_t column);
    enum charle_err (*rows_value)(struct charle_rows *rows, size_t column, enum charle_type type, bool is_array,
                                  struct charle_value *out, struct charle_error *err);
    void (*rows_close)(struct charle_rows *rows);

    // The outermost transaction. After commit or rollback there is none, whatever they return.
    enum charle_err (*begin)(struct charle_db *db, const struct charle_begin_options *options,
                             struct charle_error *err);
    enum charle_err (*commit)(struct charle_db *db, struct charle_error *err);
    enum charle_err (*rollback)(struct charle_db *db, struct charle_error *err);
    // Whether the database still has the transaction that the handle believes in: SQLite ends it by itself when the
    // disk is full, PostgreSQL when the connection breaks.
    bool (*in_transaction)(const struct charle_db *db);

    // Stops what is running on the handle; called from any thread, the handle staying open meanwhile.
    enum charle_err (*cancel)(struct charle_db *db, struct charle_error *err);
};

struct charle_db {
    const struct ch_driver *driver;
    int depth;                             // of transactions
    bool is_closing;                       // statements need not be taken back one by one
    struct charle_begin_options outermost; // what the open transaction was begun with
    uint64_t jitter;                       // state of the small generator behind retries
    int64_t statement_count;               // cached
    struct ch_statement *newest, *oldest;  // the cache, in order of use
    struct ch_statement *by_hash[CH_STATEMENT_HASH_SLOTS];
    // The statement that a text at this address was last found as; a hint that is checked against the text itself.
    struct {
        const char *sql;
        struct ch_statement *statement;
    } by_pointer[CH_STATEMENT_POINTER_SLOTS];
    charle_trace_fn trace;
    void *trace_ctx;
    char service[CH_SERVICE_NAME_SIZE];
};

// Prepares the parts of a new handle that db.c owns. The driver has zeroed it.
void ch_db_init(struct charle_db *db, const struct ch_driver *driver);
// The cached statement of a text, prepared when it is not there; not marked busy. For drivers' own fast paths.
CHARLE_MUST_CHECK enum charle_err ch_db_statement(struct charle_db *db, const char *sql,
                                                  struct ch_statement **out_statement, struct charle_error *err);
// The cached statement of a text, or NULL; nothing is prepared.
struct ch_statement *ch_statement_find(struct charle_db *db, const char *sql);
// As ch_db_statement, marked busy; a twin when it is busy already. Put it back when its rows are closed.
CHARLE_MUST_CHECK enum charle_err ch_statement_take(struct charle_db *db, const char *sql,
                                                    struct ch_statement **out_statement, struct charle_error *err);
void ch_statement_put(struct charle_db *db, struct ch_statement *statement);
// Forgets all cached statements that are not busy: after a reconnect, or a change of the schema.
void ch_db_forget_statements(struct charle_db *db);

#endif
