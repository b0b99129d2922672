// SQL that a schema's author wrote, read with PostgreSQL's own grammar.
//
// What is wanted from a text is what it names: columns, tables, functions, parameters, with their positions, so that
// names can be checked against the schema and the text can be carried over to an alias or to SQLite by small edits that
// leave the rest as written.
#ifndef CHARLE_GEN_SQL_H
#define CHARLE_GEN_SQL_H

#include "gen.h"

struct ch_sql_name {
    const char *qualifier; // NULL: none. Of a column: table or alias. Of a table: schema
    const char *name;      // "*" for all columns
    int at;                // byte position in the text
    bool is_null_test;     // a column that is only asked whether it is null
};

struct ch_sql {
    const char *text;
    struct ch_sql_name *columns;
    size_t column_count;
    struct ch_sql_name *tables;
    size_t table_count;
    struct ch_sql_name *functions;
    size_t function_count;
    const char **ctes; // names given by WITH
    size_t cte_count;
    int param_max; // of $n; 0: none
    bool has_subquery;
    bool is_constant;     // a literal, maybe with a sign or a cast
    const char *constant; // its text when it is a string
};

// Each reads `text`, reports an error at `place` when it is not what it should be ("the default of column x"), and
// returns whether it is. An expression is one value; a query is one SELECT.
bool ch_sql_read_expression(struct ch_gen *gen, const char *text, struct ch_place place, const char *what,
                            struct ch_sql *out);
bool ch_sql_read_query(struct ch_gen *gen, const char *text, struct ch_place place, const char *what,
                       struct ch_sql *out);

// An expression about one row of `table` and nothing else (checks, conditions, index expressions): reads it and checks
// that every column it names exists. `used`, which may be NULL, takes the columns.
bool ch_sql_read_row_expression(struct ch_gen *gen, const char *text, struct ch_place place, const char *what,
                                const struct ch_model_table *table, struct ch_sql *out, struct charle_column_set *used);

// The text with every column qualified by an alias: status = 'a' -> r.status = 'a'.
const char *ch_sql_with_alias(struct ch_gen *gen, const struct ch_sql *sql, const char *alias);

// The text for SQLite: functions that have another name there are renamed (char_length -> length, now() ->
// microseconds).
const char *ch_sql_for_sqlite(struct ch_gen *gen, const struct ch_sql *sql);

// An expression that SQLite would take and understand otherwise is an error: numeric columns are text there, and "10" <
// "9". `write` is what the author should add.
void ch_sql_check_same_meaning(struct ch_gen *gen, const struct ch_model_table *table, const struct ch_sql *sql,
                               struct ch_place place, const char *what, const char *write);

// The present moment as our SQLite columns hold it.
#define CH_SQLITE_NOW   "(cast(round((julianday('now') - 2440587.5) * 86400000.0) as integer) * 1000)"
#define CH_SQLITE_TODAY "(date('now'))"

#endif
