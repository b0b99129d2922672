// The schema as the generator sees it: read from protoc's descriptors once, validated once, then only read.
//
// Every kind of output (message_out, table_out, ddl_pg, stamp_sql, …) is a function from these structs to text. All of
// it lies in the arena of one run and is freed at its end; every text is NUL-terminated. What is wrong in a schema is
// reported while the model is made (diag.h); when something was, no output is made at all, so an output may trust every
// pointer here.
#ifndef CHARLE_GEN_MODEL_H
#define CHARLE_GEN_MODEL_H

#include "base/buf.h"
#include "call/method.h"
#include "db/schema.h"
#include "diag.h"

struct ch_model_message;
struct ch_model_table;
struct ch_model_column;

struct ch_model_file {     // one .proto
    const char *name;      // "charleos/task.proto"
    const char *stem;      // "charleos/task"
    const char *package;   // "charleos"
    const char *c_package; // "charleos_"; empty without a package
    bool is_generated;     // named on protoc's command line; the others are only imported
    const char **imports;  // stems of the files whose generated headers this one needs
    size_t import_count;
    const void *descriptor; // Google__Protobuf__FileDescriptorProto, for model.c and diag.c
};

struct ch_model_enum_value {
    int32_t number;
    const char *sql_name; // "in_progress"
    const char *c_name;   // "CHARLEOS_TASK_STATUS_IN_PROGRESS"
};

struct ch_model_enum {
    const struct ch_model_file *file;
    const char *full_name;              // "charleos.TaskStatus"
    const char *c_name;                 // "charleos_task_status"
    struct ch_model_enum_value *values; // in ascending order of number
    size_t value_count;
    struct ch_place place;
};

struct ch_model_field {
    uint32_t number;
    const char *name;   // as in the .proto, and in SQL
    const char *c_name; // the struct's member: the name, with '_' behind it when C keeps the word for itself
    enum charle_type type;
    enum charle_wire wire;
    enum charle_label label;
    bool is_packed;
    uint32_t size_max; // bytes; 0: no limit
    const struct ch_model_enum *enumeration;
    const struct ch_model_message *message;
    struct ch_place place;
};

struct ch_model_message {
    const struct ch_model_file *file;
    const char *full_name;         // "charleos.Task"
    const char *c_name;            // "charleos_task": struct charleos_task, charleos_task_message
    struct ch_model_field *fields; // in ascending order of number
    size_t field_count;
    struct ch_model_table *table; // of a row message; NULL otherwise
    bool is_synthetic;            // made for a table's service, not written in the .proto
    int depth;                    // validation: how far its sub-messages nest
    const void *descriptor;       // Google__Protobuf__DescriptorProto; NULL when synthetic
    struct ch_place place;
};

struct ch_model_check {
    const char *name;
    const char *pg;     // expression
    const char *sqlite; // NULL: the server checks it alone
    struct ch_place place;
};

struct ch_model_transition {
    const struct ch_model_enum_value *from, *to;
};

struct ch_model_column {
    const struct ch_model_table *table;
    const struct ch_model_field *field; // of the row message
    const char *name;                   // SQL name, unquoted
    uint32_t number;
    uint16_t index; // position in table->columns
    enum charle_type type;
    const struct ch_model_enum *enumeration;
    bool is_array;
    bool is_nullable;
    bool is_key; // one of the primary key's columns
    bool is_unique;
    bool is_server_only;
    bool is_attachment;
    enum charle_generate generate;
    enum charle_merge merge;
    uint8_t merge_group;    // 0: none
    const char *default_pg; // expression; NULL: none
    const char *default_sqlite;
    const struct ch_model_table *references; // NULL: none
    const struct ch_model_column *references_column;
    enum charle_action on_delete, on_update;
    struct ch_model_transition *transitions;
    size_t transition_count;
    struct ch_model_check *checks;
    size_t check_count;
    uint32_t max_length; // characters; 0: none
    const char *label;   // of a SERIAL; NULL: none
    const char *comment; // NULL: none
    struct ch_place place;
};

struct ch_model_unique {
    const char *name; // of the constraint
    const struct ch_model_column **columns;
    size_t column_count;
};

struct ch_model_index_part {
    const struct ch_model_column *column; // NULL: an expression
    const char *expression;
    const char *expression_sqlite;
    const char *order; // "", " desc", " asc nulls first", …
};

struct ch_model_index {
    const char *name;
    bool is_unique;
    bool is_server_only;
    struct ch_model_index_part *parts;
    size_t part_count;
    const char *where_pg; // NULL: all rows
    const char *where_sqlite;
    const char *method; // NULL: btree
    const struct ch_model_column **include;
    size_t include_count;
    // All columns that parts, where and include name: a replica has the index when it has them.
    struct charle_column_set used_columns;
    struct ch_place place;
};

// One hop of an audience's path. UP: from a row to the row it refers to; DOWN: from a row to the rows that refer to it.
enum ch_model_direction { CH_MODEL_UP, CH_MODEL_DOWN };
struct ch_model_step {
    enum ch_model_direction direction;
    const struct ch_model_table *from; // where the hop starts; the first hop starts at the audience's own table
    const struct ch_model_table *to;   // where it ends; has the alias p<n> in path_from, n from 1
    // to.<to_column> = from.<from_column>. UP: from_column is the reference and to_column what it refers to.
    // DOWN: to_column is the reference and from_column what it refers to.
    const struct ch_model_column *from_column;
    const struct ch_model_column *to_column;
};

struct ch_model_audience {
    const char *name; // "client"
    enum charle_audience_kind kind;
    // COLUMN: a column of the table itself. PATH: a column of the last step's `to`. CONSTANT: NULL.
    const struct ch_model_column *key;
    struct ch_model_step *steps; // PATH
    size_t step_count;
    struct charle_column_set columns;       // what it shows; has the primary key and a COLUMN audience's key
    const char *where_pg;                   // on the row, its columns qualified with the alias r; NULL: every row
    const char *where_sqlite;               // the same
    struct charle_column_set where_columns; // columns of the row that `where` looks at
    const char *path_from;                  // PATH: as in charle_audience
    const char *path_key;
    struct ch_place place;
};

struct ch_model_table {
    const struct ch_model_file *file;
    uint32_t id;
    const char *name;    // SQL name, unquoted
    const char *c_name;  // "charleos_task": charleos_task_table
    const char *group;   // "" without one
    const char *comment; // NULL: none
    const struct ch_model_message *row;
    const struct ch_model_message *patch, *insert, *key, *page, *update, *removal;
    struct ch_model_column *columns; // in order of field number
    size_t column_count;
    const struct ch_model_column **key_columns;
    size_t key_count;
    struct ch_model_unique *uniques; // of several columns, and of single ones
    size_t unique_count;
    struct ch_model_check *checks; // of the table
    size_t check_count;
    struct ch_model_index *indexes;
    size_t index_count;
    struct ch_model_audience *audiences;
    size_t audience_count;
    bool is_replicated;                       // has audiences
    bool is_local;                            // local_only
    struct charle_column_set replica_columns; // union over audiences
    struct charle_column_set shared_columns;  // intersection over audiences: what every replica has of every row
    enum charle_merge merge;
    const char **allow_create, **allow_update, **allow_delete; // NULL-terminated
    bool is_offline;
    const struct ch_model_service *service; // the generated one
    struct ch_place place;
};

struct ch_model_method {
    const char *name;      // "LogTime"
    const char *c_name;    // "charleos_time_service_log_time"
    const char *full_name; // "charleos.TimeService/LogTime"
    const struct ch_model_message *request;
    const struct ch_model_message *reply;
    enum charle_streaming streaming;
    uint8_t crud; // enum charle_crud
    bool is_read_only, is_idempotent, is_offline;
    uint32_t deadline_ms;
    const char **allow; // NULL-terminated; NULL: checked by the method
    const struct ch_model_table **reads, **writes; // of an offline one that is written by hand
    size_t read_count, write_count;
    struct ch_place place;
};

struct ch_model_service {
    const struct ch_model_file *file;
    const char *full_name;              // "charleos.TimeService"
    const char *c_name;                 // "charleos_time_service"
    const struct ch_model_table *table; // of a generated one; NULL: hand-written
    struct ch_model_method *methods;
    size_t method_count;
    struct ch_place place;
};

struct ch_model_grant {
    const char *audience;
    const struct ch_model_table *principal;
    const char *sql;
    const struct ch_model_table **depends; // in order of id
    size_t depends_count;
    struct ch_place place;
};

struct ch_model_view {
    const char *name;
    const char *pg;
    const char *sqlite;
    struct ch_place place;
};

struct ch_model {
    struct ch_model_file *files;
    size_t file_count;
    struct ch_model_message **messages; // written ones in order of files, then the synthetic ones of each table
    size_t message_count;
    struct ch_model_enum **enums;
    size_t enum_count;
    struct ch_model_table **tables; // in order of id
    size_t table_count;
    struct ch_model_table **create_order; // parents first
    struct ch_model_service **services;   // hand-written ones first
    size_t service_count;
    struct ch_model_grant *grants;
    size_t grant_count;
    const char **extensions;
    size_t extension_count;
    struct ch_model_view *views;
    size_t view_count;
    const char *schema_name;                 // NULL: the run has no (charle.schema)
    const struct ch_model_file *schema_file; // the file that carries it
    uint64_t hash;
};

// The SQL of the stamping triggers of one replicated table, appended to `out` (complete statements). stamp_sql.c.
void ch_gen_stamp_sql(const struct ch_model_table *table, struct charle_buf *out);

// Appends "name" with its quotes; a quote within is doubled.
void ch_gen_quote(struct charle_buf *out, const char *name);
// Appends 'text' as a standard SQL string literal.
void ch_gen_literal(struct charle_buf *out, const char *text);
// The type of a column in PostgreSQL: text, bigint, timestamptz, text[] … (without collate)
void ch_gen_pg_type(struct charle_buf *out, const struct ch_model_column *column);

#endif
