// The typed query builder: the same source text runs on PostgreSQL and SQLite, and does not compile when it is wrong.
//
//   #define TASK_PAGE(FIELD, OUTER)          what a row of the answer holds: members and where they come from
//       FIELD(id, task.id)
//       FIELD(title, task.title)
//       OUTER(client, client.name)           from the outer side of a left join: nullable, whatever the column is
//   CHARLE_SHAPE(task_page, TASK_PAGE)       makes struct task_page
//
//   struct task_page *rows; size_t count;
//   rc = charle_fetch_all(db, &arena, charle_select(task_page, from(task), left_join(client, eq(client.id,
//   task.client_id)),
//                             where(and(eq(task.client_id, id), like(task.title, pattern), gte(task.created_at,
//                             since))), order_by(desc(task.created_at)), limit(20), offset(40)), &rows, &count, &err);
//
// Short words such as eq and where come from db/query_words.h; this header has them as charle_eq, charle_where.
//
// Everything is a value that lives in the block it is written in: build and run a query in one block, or gather
// conditions in a struct charle_conditions, which copies. Values are always bound; SQL text never holds one. Where the
// two databases differ, the builder makes them agree as PostgreSQL does it (place of NULLs, case in LIKE, order of
// text, exact decimals) or refuses when the statement is built, before the database sees it: INVALID_ARGUMENT with a
// sentence. So are a column of a table that is not in FROM, an update or delete whose condition turned out empty, and a
// column that is neither grouped nor aggregated.
#ifndef CHARLE_DB_QUERY_H
#define CHARLE_DB_QUERY_H

#include "base/arena.h"
#include "base/buf.h"
#include "db/column.h"
#include "db/db.h"

// --- what a statement is made of ------------------------------------------------------------------------------------

enum charle_op {
    CHARLE_OP_EQ,
    CHARLE_OP_NE,
    CHARLE_OP_GT,
    CHARLE_OP_GTE,
    CHARLE_OP_LT,
    CHARLE_OP_LTE,
    CHARLE_OP_LIKE,
    CHARLE_OP_ILIKE,
    CHARLE_OP_IS_NULL,
    CHARLE_OP_IN,
    CHARLE_OP_HAS, // an array column holds a value
    CHARLE_OP_AND,
    CHARLE_OP_OR,
    CHARLE_OP_NOT,
    CHARLE_OP_EXISTS,
    CHARLE_OP_RAW,
    CHARLE_OP_EVERY_ROW,
};

// The right side of a comparison: a value or a column. Enum values are numbers until the statement is built.
struct charle_operand {
    bool is_column;
    bool is_number; // an integer of a type to be found from the column: `value.int8`
    struct charle_colref ref;
    struct charle_value value;
};

struct charle_query;
struct charle_expr {
    enum charle_op op;
    struct charle_colref left;
    struct charle_operand right;
    const struct charle_expr *list; // AND, OR, NOT
    size_t count;                   // of `list` or `items`
    const void *items;              // IN: an array of a C type
    struct charle_operand (*item)(const void *items, size_t index);
    const struct charle_query *query; // EXISTS
    const char *raw;                  // RAW: SQL with $1, $2, …
    const struct charle_value *values;
};

struct charle_order {
    struct charle_colref ref;
    bool is_descending;
    int8_t nulls; // -1 first, 1 last, 0 as PostgreSQL: NULLs are larger than everything
};

struct charle_assignment {
    struct charle_colref ref;
    struct charle_operand value;
};

enum charle_clause_kind {
    CHARLE_CLAUSE_FROM,
    CHARLE_CLAUSE_INNER_JOIN,
    CHARLE_CLAUSE_LEFT_JOIN,
    CHARLE_CLAUSE_CROSS_JOIN,
    CHARLE_CLAUSE_WHERE,
    CHARLE_CLAUSE_GROUP_BY,
    CHARLE_CLAUSE_HAVING,
    CHARLE_CLAUSE_ORDER_BY,
    CHARLE_CLAUSE_LIMIT,
    CHARLE_CLAUSE_OFFSET,
    CHARLE_CLAUSE_DISTINCT,
};
struct charle_clause {
    enum charle_clause_kind kind;
    struct charle_colref table; // FROM and joins: any column of it
    struct charle_expr expr;    // WHERE, HAVING, ON
    const struct charle_order *order;
    const struct charle_colref *columns; // GROUP BY
    size_t count;
    int64_t number; // LIMIT, OFFSET
};

// One member of a row of the answer.
enum charle_presence { CHARLE_PLAIN, CHARLE_OPT, CHARLE_ARRAY };
struct charle_shape_field {
    struct charle_colref ref;
    const char *name;
    uint32_t offset;
    uint8_t presence; // enum charle_presence: how the member lies in the struct
    bool is_outer;
};
typedef size_t (*charle_shape_fn)(struct charle_shape_field *out); // out NULL: only the count

enum charle_statement { CHARLE_SELECT, CHARLE_INSERT, CHARLE_UPDATE, CHARLE_DELETE };
enum charle_conflict { CHARLE_CONFLICT_ERROR, CHARLE_CONFLICT_NOTHING, CHARLE_CONFLICT_UPDATE };

struct charle_query {
    enum charle_statement statement;
    charle_shape_fn shape; // of the answer; NULL: whole rows (select_rows), or no answer
    bool has_rows;         // gives an answer
    size_t row_size;       // of the struct of `shape`
    const struct charle_clause *clauses;
    size_t clause_count;
    struct charle_colref table;                  // of insert, update, delete and whole rows
    struct charle_expr where;                    // of update and delete
    const struct charle_assignment *assignments; // of update, and of an upsert's update
    size_t assignment_count;
    const void *rows; // insert: structs of table->insert
    size_t rows_count, rows_size;
    enum charle_conflict conflict;
    const struct charle_colref *targets; // of the conflict
    size_t target_count;
};

// --- running --------------------------------------------------------------------------------------------------------

// The functions behind the macros of query_typed.h. Rows are in the arena, text included.
CHARLE_MUST_CHECK enum charle_err charle_fetch_all_(struct charle_db *db, struct charle_arena *arena,
                                                    const struct charle_query *query, size_t row_size, void *out_rows,
                                                    size_t *out_count, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err charle_fetch_one_(struct charle_db *db, struct charle_arena *arena,
                                                    const struct charle_query *query, size_t row_size, void *out_row,
                                                    struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err charle_run_(struct charle_db *db, const struct charle_query *query,
                                              int64_t *out_changed, struct charle_error *err);

// Calls `each` for every row, with the memory of one row; stops at the first one that does not return OK, and returns
// that.
typedef enum charle_err (*charle_each_fn)(const void *row, void *ctx, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err charle_fetch_each_(struct charle_db *db, const struct charle_query *query,
                                                     charle_each_fn each, void *ctx, struct charle_error *err);

// For those who run a select themselves, again and again: its text and bound values, in the arena but for what they point to in the
// query (valid as long as that); and the present row of its result as the query's struct (row_size bytes, zeroed here first).
CHARLE_MUST_CHECK enum charle_err charle_query_statement_(enum charle_dialect dialect, const struct charle_query *query,
                                                          struct charle_arena *arena, const char **out_sql,
                                                          const struct charle_value **out_values, size_t *out_count,
                                                          struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err charle_query_read_row_(const struct charle_query *query, struct charle_rows *rows,
                                                         struct charle_arena *arena, void *row, struct charle_error *err);

// Appends the SQL as the dialect's driver gets it, and behind it the bound values: "select … -- $1 = 'x', $2 = 20".
CHARLE_MUST_CHECK enum charle_err charle_query_text_(enum charle_dialect dialect, const struct charle_query *query,
                                                     struct charle_buf *buf, struct charle_error *err);

// --- conditions gathered one by one ----------------------------------------------------------------------------------

// All of the conditions must hold; none: no condition. Conditions are copied into the arena, so they may be made in
// inner blocks.
struct charle_conditions {
    struct charle_arena *arena;
    struct charle_expr *list;
    size_t count, capacity;
    enum charle_err failed; // reported when the query is built
};
static inline struct charle_conditions charle_conditions(struct charle_arena *arena)
{
    return (struct charle_conditions){.arena = arena};
}
void charle_conditions_add(struct charle_conditions *filter, struct charle_expr condition);
struct charle_expr charle_conditions_all(const struct charle_conditions *filter);

#include "db/query_statement.h"
#include "db/query_typed.h"

#endif
