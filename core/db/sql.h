// From a query to SQL text and bound values. Internal: query.c runs what this makes.
#ifndef CHARLE_DB_SQL_H
#define CHARLE_DB_SQL_H

#include "base/limits.h"
#include "db/query.h"
#include "db/record.h"

// A table that a statement's columns may come from.
struct ch_sql_table {
    const struct charle_table *table;
    uint16_t alias;
    bool is_outer; // of a left join: its columns may all be NULL
};

// The tables of one SELECT; inside exists() those around it are seen as well.
struct ch_sql_scope {
    const struct ch_sql_scope *around;
    struct ch_sql_table tables[CH_QUERY_TABLES_MAX];
    size_t count;
};

struct ch_sql {
    enum charle_dialect dialect;
    struct charle_arena *arena; // of values that had to be converted
    struct charle_buf text;
    struct charle_value *values;
    size_t value_count, value_capacity;
    const struct ch_sql_scope *scope;
    bool may_aggregate;  // in a select list, HAVING or ORDER BY
    bool is_unqualified; // in RETURNING: columns stand alone
    int depth;
    enum charle_err failed; // the first failure; then everything is a no-op
    struct charle_error *err;
};

// Makes the statement; sql->text and values belong to the caller, who calls ch_sql_deinit in any case. For inserts, the
// rows [first_row, first_row + row_count) of the query.
CHARLE_MUST_CHECK enum charle_err ch_sql_build(struct ch_sql *sql, enum charle_dialect dialect, const char *service,
                                               const struct charle_query *query, size_t first_row, size_t row_count,
                                               struct charle_arena *arena, struct charle_error *err);
void ch_sql_deinit(struct ch_sql *sql);

// For inserts: how many rows from `first` on leave out the same columns, so that one statement can hold them.
size_t ch_sql_insert_run(const struct charle_query *query, size_t first);

// What a column handle gives: the type, also of aggregates.
enum charle_type ch_sql_type(struct charle_colref ref);

// --- between the files of the builder
// ---------------------------------------------------------------------------------

void ch_sql_fail(struct ch_sql *sql, enum charle_err code, const char *format, ...) CHARLE_PRINTF(3, 4);
void ch_sql_add(struct ch_sql *sql, const char *text);
void ch_sql_bind(struct ch_sql *sql, const struct charle_value *value); // adds "$n"
const struct charle_column *ch_sql_column(struct charle_colref ref);    // NULL for count(*)
const struct ch_sql_table *ch_sql_find(const struct ch_sql *sql, struct charle_colref ref);
bool ch_sql_may_be_null(const struct ch_sql *sql, struct charle_colref ref);
// A local table is none of the server's.
void ch_sql_check_table(struct ch_sql *sql, const struct charle_table *table);
void ch_sql_table_name(struct ch_sql *sql, const struct charle_table *table, uint16_t alias);
void ch_sql_ref(struct ch_sql *sql, struct charle_colref ref); // a column or aggregate; checked
void ch_sql_operand(struct ch_sql *sql, struct charle_colref target, const struct charle_operand *operand);
void ch_sql_expr(struct ch_sql *sql, const struct charle_expr *expr);
bool ch_sql_is_always(const struct charle_expr *expr, bool truth); // true, or false, for every row, whatever it holds
void ch_sql_select(struct ch_sql *sql, const struct charle_query *query);
void ch_sql_shape(struct ch_sql *sql, const struct charle_query *query, bool is_grouped);

#endif
