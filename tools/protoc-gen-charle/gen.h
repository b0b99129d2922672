// One run of the generator: what protoc asked, the model made of it, the errors found, the files to write.
#ifndef CHARLE_GEN_GEN_H
#define CHARLE_GEN_GEN_H

#include "charle/options.pb-c.h"

#include "diag.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "model.h"
#include "plugin.pb-c.h"
#include "text.h"

typedef Google__Protobuf__FileDescriptorProto ch_pb_file;
typedef Google__Protobuf__DescriptorProto ch_pb_message;
typedef Google__Protobuf__FieldDescriptorProto ch_pb_field;
typedef Google__Protobuf__EnumDescriptorProto ch_pb_enum;
typedef Google__Protobuf__ServiceDescriptorProto ch_pb_service;

struct ch_output {
    const char *name;
    struct charle_buf content;
};

struct ch_gen {
    struct charle_arena *run;
    struct ch_diag diag;
    struct ch_model model;
    const char *schema_option; // --charle_opt=schema=…: the schema the build expects; NULL: none was named
    struct ch_output **outputs;
    size_t output_count;
};

// Steps of places: field numbers in google/protobuf/descriptor.proto and in our options.
enum {
    CH_AT_FILE_MESSAGE = 4,
    CH_AT_FILE_ENUM = 5,
    CH_AT_FILE_SERVICE = 6,
    CH_AT_FILE_OPTIONS = 8,
    CH_AT_FILE_SYNTAX = 12,
    CH_AT_MESSAGE_FIELD = 2,
    CH_AT_MESSAGE_NESTED = 3,
    CH_AT_MESSAGE_ENUM = 4,
    CH_AT_MESSAGE_OPTIONS = 7,
    CH_AT_MESSAGE_ONEOF = 8,
    CH_AT_FIELD_OPTIONS = 8,
    CH_AT_ENUM_VALUE = 2,
    CH_AT_ENUM_OPTIONS = 3,
    CH_AT_VALUE_OPTIONS = 3,
    CH_AT_SERVICE_METHOD = 2,
    CH_AT_METHOD_OPTIONS = 4,
    CH_OPTION_NUMBER = 50100, // of all our extensions
};

#define ch_error(gen, place, ...) ch_diag_error(&(gen)->diag, (place), __VA_ARGS__)

// Makes the model of all files of the request. Errors are in gen->diag; the model is whole only without any.
void ch_model_read(struct ch_gen *gen, const ChPlugin__Request *request);

// Its parts, in the order in which they run (one file each).
void ch_model_read_files(struct ch_gen *gen, const ChPlugin__Request *request);
void ch_model_read_messages(struct ch_gen *gen);
void ch_model_read_tables(struct ch_gen *gen);
void ch_model_read_column(struct ch_gen *gen, struct ch_model_table *table, struct ch_model_column *column,
                          const struct ch_model_field *field);
void ch_model_read_merge_groups(struct ch_gen *gen, struct ch_model_table *table);
void ch_model_read_references(struct ch_gen *gen);
void ch_model_read_indexes(struct ch_gen *gen, struct ch_model_table *table, const Charle__Table *options);
void ch_model_read_audiences(struct ch_gen *gen);
void ch_model_read_schema(struct ch_gen *gen);
void ch_model_make_rows(struct ch_gen *gen); // the messages and services of proto/charle/rows.proto
void ch_model_read_services(struct ch_gen *gen);
void ch_model_read_uses(struct ch_gen *gen, struct ch_model_method *method, const Charle__Method *options);
void ch_model_check_offline(struct ch_gen *gen);
void ch_model_check_local(struct ch_gen *gen);
void ch_model_order_tables(struct ch_gen *gen);
void ch_model_check_names(struct ch_gen *gen);
void ch_model_check_sqlite(struct ch_gen *gen);
uint64_t ch_model_hash(const struct ch_model *model, struct charle_arena *run);

// Lookups. NULL when there is none.
struct ch_model_message *ch_model_find_message(const struct ch_model *model, const char *full_name);
struct ch_model_enum *ch_model_find_enum(const struct ch_model *model, const char *full_name);
struct ch_model_table *ch_model_find_table(const struct ch_model *model, const char *name);
struct ch_model_column *ch_model_find_column(const struct ch_model_table *table, const char *name);
const struct ch_model_enum_value *ch_model_find_value(const struct ch_model_enum *enumeration, const char *sql_name);
const Charle__Table *ch_model_table_options(struct ch_gen *gen, const struct ch_model_message *message);
const Charle__Column *ch_model_column_options(struct ch_gen *gen, const struct ch_model_message *message,
                                              const struct ch_model_field *field);

// The place of a part of a table's or a column's option.
struct ch_place ch_place_of_table_option(const struct ch_model_table *table, int32_t part);
struct ch_place ch_place_of_column_option(const struct ch_model_column *column, int32_t part);

// "a, b, c" of the names, for messages that tell what would be right.
// More columns in one index than PostgreSQL takes are an error.
void ch_model_check_width(struct ch_gen *gen, const struct ch_model_table *table, size_t count, struct ch_place place,
                          const char *what);
const char *ch_model_column_names(struct ch_gen *gen, const struct ch_model_table *table);

static inline void ch_column_set_add(struct charle_column_set *set, size_t index)
{
    set->bits[index / 64] |= (uint64_t)1 << (index % 64);
}

// Starts a file of output. The buffer belongs to the run.
struct charle_buf *ch_output_open(struct ch_gen *gen, const char *name);

#endif
