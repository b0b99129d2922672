// Rows and statements as the agency's services use them: thin, on any database handle.
//
// SQL here is text with $1, $2, … that means the same in PostgreSQL and SQLite; names of tables and columns are fixed,
// values are always bound. All memory is from the context's arena.
#ifndef CHARLE_SERVICES_STORE_H
#define CHARLE_SERVICES_STORE_H

#include "call/context.h"
#include "db/db.h"

// The row with this id as the table's row struct (`out_row`, of table->row->size bytes). NOT_FOUND with a sentence. On
// a replica columns that it does not have are absent or zero.
CHARLE_MUST_CHECK enum charle_err ch_store_get(struct charle_context *context, const struct charle_table *table,
                                               struct charle_str id, void *out_row, struct charle_error *err);
// Inserts a row struct, all columns of it.
CHARLE_MUST_CHECK enum charle_err ch_store_insert(struct charle_context *context, const struct charle_table *table,
                                                  const void *row, struct charle_error *err);
// Runs a statement; out_changed may be NULL.
CHARLE_MUST_CHECK enum charle_err ch_store_exec(struct charle_context *context, const char *sql,
                                                const struct charle_value *params, size_t count, int64_t *out_changed,
                                                struct charle_error *err);
// The first row's first columns as values of these types (text copied); DONE when there is no row.
CHARLE_MUST_CHECK enum charle_err ch_store_row(struct charle_context *context, const char *sql,
                                               const struct charle_value *params, size_t count,
                                               const enum charle_type *types, size_t column_count,
                                               struct charle_value *out, struct charle_error *err);

#define CH_PARAMS(...)                          \
    (const struct charle_value[]){__VA_ARGS__}, \
        sizeof((struct charle_value[]){__VA_ARGS__}) / sizeof(struct charle_value)
#define CH_TYPES(...) \
    (const enum charle_type[]){__VA_ARGS__}, sizeof((enum charle_type[]){__VA_ARGS__}) / sizeof(enum charle_type)

// Values to bind.
static inline struct charle_value ch_opt_text(struct charle_opt_text text)
{
    return text.has ? charle_text(text.value) : charle_null(CHARLE_TYPE_TEXT);
}
static inline struct charle_value ch_literal(const char *text)
{
    return charle_text(charle_str(text));
}
static inline struct charle_opt_text ch_some(struct charle_str text)
{
    return (struct charle_opt_text){.value = text, .has = true};
}
static inline bool ch_is_same(struct charle_opt_text text, struct charle_str other)
{
    return text.has && charle_str_equal(text.value, other);
}

#endif
