// What the files of this folder share.
#ifndef CHARLE_DB_SQLITE_INTERNAL_H
#define CHARLE_DB_SQLITE_INTERNAL_H

#include "db/driver.h"
#include "db/sqlite/sqlite.h"

struct ch_sqlite {
    struct charle_db base;
    sqlite3 *handle;
    bool is_query_only;        // inside a read-only transaction
    struct charle_arena bound; // values that SQLite keeps in another form, of the statement that runs
    struct ch_sqlite_guard *guard; // NULL: nothing is asked
};

enum { CH_GUARD_TOKENS = 4 }; // methods that share a statement; one more only means that it is looked at again

struct ch_sqlite_statement {
    struct ch_statement head;
    sqlite3_stmt *handle;
    int parameter_count;
    uint16_t *numbers; // the n of "$n" for each of SQLite's parameters; NULL when parameter i is "$i" throughout
    int number_max;
    const void *passed[CH_GUARD_TOKENS]; // for whom the guard has looked at it, oldest first overwritten
    uint8_t pass_next;
};

static inline struct ch_sqlite *ch_sqlite_of(const struct charle_db *db)
{
    return (struct ch_sqlite *)(uintptr_t)db;
}

// Registers the collation and functions that sqlite.h lists.
int ch_sqlite_register_functions(sqlite3 *handle);

// Arrays as JSON text: items of the type (enums as TEXT) into the arena, and back.
CHARLE_MUST_CHECK enum charle_err ch_sqlite_array_write(enum charle_type type, const struct charle_array *array,
                                                        struct charle_arena *arena, struct charle_str *out,
                                                        struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_sqlite_array_read(enum charle_type type, struct charle_str text,
                                                       struct charle_arena *arena, struct charle_array *out,
                                                       struct charle_error *err);

// A column of a statement's row as a value of the type; see charle_rows_value.
CHARLE_MUST_CHECK enum charle_err ch_sqlite_column(sqlite3_stmt *statement, int column, enum charle_type type,
                                                   bool is_array, struct charle_arena *arena, struct charle_value *out,
                                                   struct charle_error *err);

#endif
