#include "agency.h"

static const struct charle_enum_value statuses[] = {
    {TASK_OPEN, CHARLE_STR_INIT("open")},
    {TASK_IN_WORK, CHARLE_STR_INIT("in_work")},
    {TASK_BLOCKED, CHARLE_STR_INIT("blocked")},
    {TASK_DONE, CHARLE_STR_INIT("done")},
};
static const struct charle_enum status_enum = {"agency.TaskStatus", statuses, 4};

#define HAS_REQUIRED(type, name) 0
#define HAS_OPTIONAL(type, name) offsetof(type, name.has)
#define HAS_REPEATED(type, name) offsetof(type, name.has)
#define FIELD(struct_name, n, column, TYPE, w, l) \
    {.number = n,                                 \
     .name = CHARLE_STR_INIT(#column),            \
     .type = CHARLE_TYPE_##TYPE,                  \
     .wire = CHARLE_WIRE_##w,                     \
     .label = CHARLE_##l,                         \
     .packed = false,                             \
     .offset = offsetof(struct_name, column),     \
     .has_offset = HAS_##l(struct_name, column),  \
     .enumeration = CHARLE_TYPE_##TYPE == CHARLE_TYPE_ENUM ? &status_enum : NULL},
#define COLUMN(fields, n, column, l)               \
    {.name = CHARLE_STR_INIT(#column),             \
     .field = &fields[(n)-1],                      \
     .index = (n)-1,                               \
     .is_nullable = CHARLE_##l == CHARLE_OPTIONAL, \
     .is_array = CHARLE_##l == CHARLE_REPEATED},

#define CLIENT_FIELD(n, column, TYPE, m, h, w, l) FIELD(struct client, n, column, TYPE, w, l)
#define TASK_FIELD(n, column, TYPE, m, h, w, l)   FIELD(struct task, n, column, TYPE, w, l)
#define ENTRY_FIELD(n, column, TYPE, m, h, w, l)  FIELD(struct entry, n, column, TYPE, w, l)
static const struct charle_field client_fields[] = {CLIENT_FIELDS(CLIENT_FIELD)};
static const struct charle_field task_fields[] = {TASK_FIELDS(TASK_FIELD)};
static const struct charle_field entry_fields[] = {ENTRY_FIELDS(ENTRY_FIELD)};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
static const struct charle_message client_message = {"agency.Client", sizeof(struct client), client_fields,
                                                     COUNT(client_fields)};
static const struct charle_message task_message = {"agency.Task", sizeof(struct task), task_fields, COUNT(task_fields)};
static const struct charle_message entry_message = {"agency.Entry", sizeof(struct entry), entry_fields,
                                                    COUNT(entry_fields)};

#define CLIENT_COLUMN(n, column, TYPE, m, h, w, l) COLUMN(client_fields, n, column, l)
#define TASK_COLUMN(n, column, TYPE, m, h, w, l)   COLUMN(task_fields, n, column, l)
#define ENTRY_COLUMN(n, column, TYPE, m, h, w, l)  COLUMN(entry_fields, n, column, l)
static const struct charle_column client_column_list[] = {CLIENT_FIELDS(CLIENT_COLUMN)};
static const struct charle_column task_column_list[] = {TASK_FIELDS(TASK_COLUMN)};
static const struct charle_column entry_column_list[] = {ENTRY_FIELDS(ENTRY_COLUMN)};
static const uint16_t first_column[] = {0};

const struct charle_table client_table = {
    .id = 1,
    .name = CHARLE_STR_INIT("client"),
    .row = &client_message,
    .patch = &client_message,
    .insert = &client_message,
    .columns = client_column_list,
    .column_count = COUNT(client_column_list),
    .key_columns = first_column,
    .key_count = 1,
    .pg_create = "create table client (id text collate \"C\" primary key, name text collate \"C\" not null,"
                 " phone text collate \"C\", budget numeric, rating double precision, is_active boolean not null)",
    .sqlite_create = "create table client (id text primary key not null, name text not null, phone text, budget text,"
                     " rating real, is_active integer not null) without rowid",
};

const struct charle_table task_table = {
    .id = 2,
    .name = CHARLE_STR_INIT("task"),
    .row = &task_message,
    .patch = &task_message,
    .insert = &task_message,
    .columns = task_column_list,
    .column_count = COUNT(task_column_list),
    .key_columns = first_column,
    .key_count = 1,
    .pg_create = "create table task (id text collate \"C\" primary key, client_id text collate \"C\" not null,"
                 " parent_id text collate \"C\", title text collate \"C\" not null, status text collate \"C\" not null,"
                 " priority integer not null, points bigint, estimate numeric not null, ratio double precision,"
                 " due_at timestamptz, day date, tags text[] not null default '{}', ref uuid, meta jsonb,"
                 " created_at timestamptz not null, is_urgent boolean, data bytea)",
    .sqlite_create = "create table task (id text primary key not null, client_id text not null, parent_id text,"
                     " title text not null, status text not null, priority integer not null, points integer,"
                     " estimate text not null, ratio real, due_at integer, day text, tags text not null default '[]',"
                     " ref text, meta text, created_at integer not null, is_urgent integer, data blob) without rowid",
};

const struct charle_table entry_table = {
    .id = 3,
    .name = CHARLE_STR_INIT("entry"),
    .row = &entry_message,
    .patch = &entry_message,
    .insert = &entry_message,
    .columns = entry_column_list,
    .column_count = COUNT(entry_column_list),
    .key_columns = first_column,
    .key_count = 1,
    .pg_create =
        "create table entry (id bigint primary key, task_id text collate \"C\" not null, minutes integer not null,"
        " note text collate \"C\")",
    .sqlite_create =
        "create table entry (id integer primary key, task_id text not null, minutes integer not null, note text)",
};
