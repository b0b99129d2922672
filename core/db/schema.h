// What a compiled schema looks like at run time: tables, columns, audiences, services. The generator emits it as
// constants.
//
// Identity is by number: a table's id and a column's field number never change; names may. Every engine (query builder,
// generated services, replica, deltas, studio) reads these descriptors; nothing else knows a table.
#ifndef CHARLE_DB_SCHEMA_H
#define CHARLE_DB_SCHEMA_H

#include "msg/msg.h"

struct charle_table;
struct charle_service;

enum charle_action { // of a foreign key, when the row it refers to goes or changes its key
    CHARLE_NO_ACTION,
    CHARLE_RESTRICT,
    CHARLE_CASCADE,
    CHARLE_SET_NULL,
};

enum charle_generate { // who fills the column in when an insert leaves it out
    CHARLE_GENERATE_NONE,
    CHARLE_GENERATE_ID,      // a new time-ordered id from the call's context (26 characters)
    CHARLE_GENERATE_NOW,     // the call's time
    CHARLE_GENERATE_UPDATED, // the call's time, also at every update
    CHARLE_GENERATE_SERIAL,  // a number people read: from a sequence on the server, provisional (negative) offline
};

enum charle_merge { // sync.md section 5
    CHARLE_MERGE_LWW = 1,
    CHARLE_MERGE_SERVER = 2,
    CHARLE_MERGE_GROUP = 3,
    CHARLE_MERGE_FSM = 4,
    CHARLE_MERGE_COUNTER = 5,
    CHARLE_MERGE_SET = 6,
    CHARLE_MERGE_ONCE = 7,
    CHARLE_MERGE_APPEND = 8,
    CHARLE_MERGE_TEXT = 9,
    CHARLE_MERGE_DERIVED = 10,
};

struct charle_default {
    const char *pg;     // SQL expression, NULL: none
    const char *sqlite; // the same for SQLite
};

struct charle_transition { // one legal step of an FSM column
    int32_t from, to;      // enum numbers
};

struct charle_column {
    struct charle_str name;
    const struct charle_field *field; // of the row message: number, type, offset
    bool is_nullable;
    bool is_array;
    bool is_server_only; // never leaves the server, whatever the audience (secrets)
    bool is_attachment;  // refers to a file by its hash
    uint8_t generate;    // enum charle_generate
    uint8_t merge;       // enum charle_merge
    uint8_t merge_group; // 1.. : columns of one table with the same number change together; 0: none
    uint16_t index;      // position in the table's columns
    struct charle_default default_sql;
    const char *label;                           // of a SERIAL: what stands before the number; NULL: nothing
    const struct charle_table *references;       // NULL: none
    uint16_t references_column;                  // index in that table
    uint8_t on_delete, on_update;                // enum charle_action
    const struct charle_transition *transitions; // FSM; every other step is refused
    size_t transition_count;
};

// Columns as a bit set, by position. 128 columns a table at most (the generator refuses more).
struct charle_column_set {
    uint64_t bits[2];
};
static inline bool charle_column_set_has(const struct charle_column_set *set, size_t index)
{
    return (set->bits[index / 64] >> (index % 64)) & 1;
}

// Who may see a row of the table, and which columns. The scope of a row is `name` or `name:key`.
enum charle_audience_kind {
    CHARLE_AUDIENCE_CONSTANT, // "team"
    CHARLE_AUDIENCE_COLUMN,   // "client:" and the value of a column of the row
    CHARLE_AUDIENCE_PATH,     // "user:" and values found through foreign keys
};
struct charle_audience {
    struct charle_str name; // "portal"
    uint8_t kind;
    uint16_t column;                  // COLUMN: index of the key column
    struct charle_column_set columns; // what it shows; always has the primary key (and the key column)
    // A condition on the row itself, NULL: every row. Same meaning in both dialects.
    const char *where_pg;     // columns qualified with the alias `r`
    const char *where_sqlite; // the same
    // PATH: how the keys are found from a row with the alias `r`. `select <path_key> from <path_from>` gives them;
    // `exists (select 1 from <path_from> and <path_key> = $1)` asks for one. path_from ends in its WHERE clause.
    const char *path_from; // "\"quote\" p1 where p1.\"id\" = r.\"quote_id\""; same text in both dialects
    const char *path_key;  // "p1.\"client_id\""
};

struct charle_index {
    const char *name;
    bool is_unique;
    const uint16_t *columns; // empty when expressions are used
    size_t column_count;
};

struct charle_table {
    uint32_t id;
    struct charle_str name;  // SQL name, unquoted
    struct charle_str group; // "Core"
    const char *comment;
    const struct charle_message *row; // the row message; its C struct is the row struct
    // The same columns with every field optional: what an update carries.
    const struct charle_message *patch;
    // The same columns with those optional that the system fills in: what an insert carries.
    const struct charle_message *insert;
    const struct charle_message *key; // the primary key's columns
    const struct charle_column *columns;
    size_t column_count;
    const uint16_t *key_columns; // primary key, indexes in order
    size_t key_count;
    const struct charle_index *indexes;
    size_t index_count;
    bool is_replicated;
    bool is_local; // on laptops only, written by the application: neither on the server nor in its changes
    const struct charle_audience *audiences;
    size_t audience_count;
    const struct charle_column_set *replica_columns; // union over audiences: the columns a replica's table has
    // Who may write through the generated methods: scope templates such as "team" or "user:{user_id}"; empty: nobody.
    const char *const *allow_create, *const *allow_update, *const *allow_delete; // each NULL-terminated
    bool is_offline; // the generated Create/Update/Delete may run on a replica
    // DDL, each one or more complete statements.
    const char *pg_create;       // table, its sequences, checks, comments; without foreign keys
    const char *pg_foreign_keys; // alter table … add constraint …; may be empty
    const char *pg_indexes;
    const char *pg_triggers;   // stamping; empty for tables that are not replicated
    const char *sqlite_create; // a plain SQLite database with everything
    const char *sqlite_indexes;
    const char *replica_create; // the replica's table: replica_columns only, no foreign keys, no uniques but the key
    const char *replica_indexes;
};

// How a principal gets scopes: the server runs `sql` with the principal's id as $1; each row is one key (a row with
// NULL for a constant audience).
struct charle_grant {
    struct charle_str audience;
    struct charle_str principal; // table name: "user" or "client_user"
    const char *sql;
    const uint32_t *depends_on; // ids of the tables that the SQL reads: a change in one of them changes grants
    size_t depends_count;
};

struct charle_schema {
    struct charle_str name;                   // "charleos"
    uint64_t hash;                            // of everything that a replica or a server must agree on
    const struct charle_table *const *tables; // in ascending order of id
    size_t table_count;
    const struct charle_table *const *create_order; // parents before children where references allow
    const struct charle_grant *grants;
    size_t grant_count;
    const struct charle_service *const *services; // hand-written ones first, then the generated ones
    size_t service_count;
    const char *pg_extra; // extensions, views; may be empty
    const char *sqlite_extra;
};

// PostgreSQL's name of a column's type: "bigint"; enums are text. NULL for types that are never columns.
const char *charle_type_pg_name(enum charle_type type);

// NULL when there is none.
const struct charle_table *charle_schema_table(const struct charle_schema *schema, uint32_t id);
const struct charle_table *charle_schema_table_named(const struct charle_schema *schema, struct charle_str name);
const struct charle_column *charle_table_column(const struct charle_table *table, struct charle_str name);
const struct charle_column *charle_table_column_numbered(const struct charle_table *table, uint32_t number);

#endif
