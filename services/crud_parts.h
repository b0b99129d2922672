// What the files of the engine share. Internal to them.
#ifndef CHARLE_SERVICES_CRUD_PARTS_H
#define CHARLE_SERVICES_CRUD_PARTS_H

#include "db/record.h"
#include "services/crud.h"

// One method call.
struct ch_crud {
    const struct charle_method *method;
    struct charle_context *context;
    const struct charle_table *table;
    enum charle_dialect dialect;
    struct charle_error *err;
};

// --- statements (crud_sql.c) -------------------------------------------------------------------------------

// Text and values of one statement. Failures are remembered in `text`.
struct ch_crud_sql {
    struct charle_buf text;
    enum charle_dialect dialect;
    size_t param_count;
    struct charle_value params[CH_CRUD_PARAMS_MAX];
};

void ch_crud_sql_init(struct ch_crud_sql *sql, enum charle_dialect dialect);
void ch_crud_sql_deinit(struct ch_crud_sql *sql);
void ch_crud_sql_add(struct ch_crud_sql *sql, const char *text);
void ch_crud_sql_add_name(struct ch_crud_sql *sql, struct charle_str name); // quoted
// Adds a value and returns its number; ch_crud_sql_add_param also writes "$n".
size_t ch_crud_sql_bind(struct ch_crud_sql *sql, const struct charle_value *value);
void ch_crud_sql_add_param(struct ch_crud_sql *sql, const struct charle_value *value);
// Writes ` = any($n)` or what says the same in SQLite; the left side has been written.
void ch_crud_sql_add_any(struct ch_crud_sql *sql, size_t param);
// `r."id" = $1 and …` for the key of a row, from a struct of `message`.
CHARLE_MUST_CHECK enum charle_err ch_crud_sql_add_key(struct ch_crud_sql *sql, const struct ch_crud *crud,
                                                      const char *qualifier, const struct charle_message *message,
                                                      const void *key);
// A field of a message struct as a value to bind.
CHARLE_MUST_CHECK enum charle_err ch_crud_value(const struct ch_crud *crud, const struct charle_column *column,
                                                const struct charle_message *message, const void *record,
                                                struct charle_value *out);
// The text, or the failure of building it.
CHARLE_MUST_CHECK enum charle_err ch_crud_sql_text(struct ch_crud_sql *sql, const struct ch_crud *crud,
                                                   const char **out_text);
CHARLE_MUST_CHECK enum charle_err ch_crud_sql_query(struct ch_crud_sql *sql, const struct ch_crud *crud,
                                                    struct charle_rows **out_rows);
CHARLE_MUST_CHECK enum charle_err ch_crud_sql_exec(struct ch_crud_sql *sql, const struct ch_crud *crud,
                                                   int64_t *out_changed);

// --- what the caller sees (crud_view.c) --------------------------------------------------------------------

// An audience of the table that the caller is in.
struct ch_crud_seen {
    const struct charle_audience *audience;
    struct charle_array keys; // of charle_str; empty for a constant audience
    struct charle_column_set columns;
    bool is_always; // every row matches
    size_t param;   // of `keys` in the statement at hand; 0: not bound yet
};

struct ch_crud_view {
    const struct charle_table *table;
    bool sees_all;                    // on a replica
    struct charle_column_set columns; // shown by any of them
    struct charle_column_set always;  // shown by those that every row matches
    bool has_always;
    struct ch_crud_seen seen[CH_CRUD_AUDIENCES_MAX];
    size_t count;
    // Those whose match must be asked of each row, because they show more than `always`: indexes into `seen`.
    size_t flags[CH_CRUD_AUDIENCES_MAX];
    size_t flag_count;
};

CHARLE_MUST_CHECK enum charle_err ch_crud_view_init(struct ch_crud_view *view, const struct ch_crud *crud);
// ` and (…)`: only rows that the caller sees; nothing when that is every row.
void ch_crud_view_add_where(struct ch_crud_view *view, struct ch_crud_sql *sql);
// ` and (…)`: only rows of which the caller sees this column. INVALID_ARGUMENT when that is none.
CHARLE_MUST_CHECK enum charle_err ch_crud_view_add_column(struct ch_crud_view *view, const struct ch_crud *crud,
                                                          const struct charle_column *column, struct ch_crud_sql *sql);
// `, (…), (…)`: the flags, behind the columns of a select list.
void ch_crud_view_add_flags(struct ch_crud_view *view, struct ch_crud_sql *sql);
// The columns shown of the present row, whose flags stand at `column` and behind it.
CHARLE_MUST_CHECK enum charle_err ch_crud_view_shown(const struct ch_crud_view *view, struct charle_rows *rows,
                                                     size_t column, struct charle_column_set *out,
                                                     struct charle_error *err);

// --- rows (crud_row.c) -------------------------------------------------------------------------------------

// The patch field of a column.
const struct charle_field *ch_crud_patch_field(const struct charle_table *table, const struct charle_column *column);
// Makes absent every field of a patch that is not in the set.
void ch_crud_patch_keep(const struct charle_table *table, void *patch, const struct charle_column_set *columns);
// Copies the fields of the set from one patch to another.
void ch_crud_patch_copy(const struct charle_table *table, void *to, const void *from,
                        const struct charle_column_set *columns);
// Reads one row by its key into a new patch: the columns of the view and `more`. *out_shown are those that may be
// shown; others are for the engine's own eyes. NOT_FOUND says so.
CHARLE_MUST_CHECK enum charle_err ch_crud_fetch(const struct ch_crud *crud, struct ch_crud_view *view,
                                                const struct charle_column_set *more, bool for_update,
                                                const struct charle_message *key_message, const void *key,
                                                void **out_patch, struct charle_column_set *out_shown);
// `select <columns, flags> from "t" r where <key> and <visible> [for update]`
CHARLE_MUST_CHECK enum charle_err ch_crud_write_fetch(struct ch_crud_sql *sql, const struct ch_crud *crud,
                                                      struct ch_crud_view *view,
                                                      const struct charle_column_set *columns, bool for_update,
                                                      const struct charle_message *key_message, const void *key);
enum charle_err ch_crud_not_found(const struct charle_table *table, struct charle_error *err);

// --- who may write (crud_allow.c) --------------------------------------------------------------------------

// Adds the columns that the templates ask about.
void ch_crud_allow_needs(const struct charle_table *table, const char *const *allow, struct charle_column_set *set);
// Does the caller hold one of the scopes, filled in from the row (a patch)? `verb` is "create", "change", "delete".
CHARLE_MUST_CHECK enum charle_err ch_crud_allow(const struct ch_crud *crud, const char *const *allow, const void *patch,
                                                const char *verb);

// Does the caller hold a scope that allows it whatever is in the row: a template without a column?
bool ch_crud_allow_always(const struct ch_crud *crud, const char *const *allow);

// --- requests of updates and deletes (crud_update.c) -------------------------------------------------------

// Fields of TaskUpdate and TaskDelete, so that no generated header is needed.
enum { CH_CRUD_KEY = 1, CH_CRUD_SET = 2, CH_CRUD_MASK = 3, CH_CRUD_UPDATE_BASE = 4, CH_CRUD_DELETE_BASE = 2 };

const void *ch_crud_sub_message(const struct charle_message *message, const void *record,
                                uint32_t number); // NULL: absent
const struct charle_array *ch_crud_mask(const struct charle_message *message, const void *request);
// The columns to change: those that the mask names, or those that `set` has.
CHARLE_MUST_CHECK enum charle_err ch_crud_read_mask(const struct ch_crud *crud, const void *request,
                                                    struct charle_column_set *out);

// --- lists (crud_filter.c, crud_cursor.c) ------------------------------------------------------------------

// What a list is ordered by: a column, and behind it the key.
struct ch_crud_order {
    const struct charle_column *column;
    bool is_ascending;
};

// May the column be NULL? On a replica every column may, but the key's: it may not be shown there.
bool ch_crud_order_is_nullable(const struct ch_crud *crud, const struct ch_crud_order *order);
// `r."title"`, with what makes SQLite order decimals by value.
void ch_crud_sql_add_column(struct ch_crud_sql *sql, const struct charle_column *column);
// ` and …` for each element of an array of charle.Filter messages.
CHARLE_MUST_CHECK enum charle_err ch_crud_add_filters(const struct ch_crud *crud, struct ch_crud_view *view,
                                                      const struct charle_message *filter_message,
                                                      const struct charle_array *filters, struct ch_crud_sql *sql);
// The place behind a row, as opaque text.
CHARLE_MUST_CHECK enum charle_err ch_crud_cursor_write(const struct ch_crud *crud, const struct ch_crud_order *order,
                                                       const void *patch, struct charle_str *out);
// ` and …`: only rows behind that place. INVALID_ARGUMENT for text that is not from ch_crud_cursor_write for this
// order.
CHARLE_MUST_CHECK enum charle_err ch_crud_cursor_add(const struct ch_crud *crud, const struct ch_crud_order *order,
                                                     struct charle_str cursor, struct ch_crud_sql *sql);

// --- errors (crud_error.c) ---------------------------------------------------------------------------------

// Turns what the database said about a constraint into a sentence; other errors keep their text. Returns the code.
enum charle_err ch_crud_explain(const struct ch_crud *crud, enum charle_err code);

// --- methods -----------------------------------------------------------------------------------------------

enum charle_err ch_crud_list(const struct ch_crud *crud, const void *request, void *reply);
enum charle_err ch_crud_create(const struct ch_crud *crud, const void *request, void *reply);
enum charle_err ch_crud_update(const struct ch_crud *crud, const void *request, void *reply);
enum charle_err ch_crud_delete(const struct ch_crud *crud, const void *request);
// Deletes a row on a replica, whose tables have no foreign keys, with what hangs on it.
enum charle_err ch_crud_cascade(const struct ch_crud *crud, const void *patch);

#endif
