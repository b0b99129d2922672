// Files, enums and messages: the part of the model that every .proto has, tables or not.
//
// Two passes: first all enums and messages by name, then the fields, because a field may name a message of a later
// file.
#include "base/limits.h"
#include "gen.h"
#include "options.h"

#include <stdlib.h>

#define CH_FILES_MAX 4096 // protoc's own limits on open files come far earlier

// Files whose messages have no C form here: protobuf's own, and the schema language itself.
static bool is_outside(const char *name)
{
    return strncmp(name, "google/protobuf/", 16) == 0 || strcmp(name, "charle/options.proto") == 0;
}

static const char *file_stem(struct charle_arena *run, const char *name)
{
    size_t len = strlen(name);

    if (len > 6 && strcmp(name + len - 6, ".proto") == 0)
        len -= 6;
    return ch_text_n(run, name, len);
}

static void read_imports(struct ch_gen *gen, struct ch_model_file *file)
{
    const ch_pb_file *pb = file->descriptor;

    file->imports = CH_NEW_ARRAY(gen->run, pb->n_dependency, const char *);
    for (size_t i = 0; i < pb->n_dependency; i++)
        if (!is_outside(pb->dependency[i]))
            file->imports[file->import_count++] = file_stem(gen->run, pb->dependency[i]);
}

static void check_syntax(struct ch_gen *gen, const struct ch_model_file *file)
{
    const ch_pb_file *pb = file->descriptor;
    struct ch_place place = {.file = pb, .path = {CH_AT_FILE_SYNTAX}, .depth = 1};

    if (pb->syntax && strcmp(pb->syntax, "proto2") != 0)
        ch_error(gen, place, "the file is %s, which cannot say what is required; write syntax = \"proto2\"",
                 pb->syntax);
}

void ch_model_read_files(struct ch_gen *gen, const ChPlugin__Request *request)
{
    struct ch_model *model = &gen->model;

    CHARLE_ASSERT(request->n_proto_file < CH_FILES_MAX);
    model->files = CH_NEW_ARRAY(gen->run, request->n_proto_file, struct ch_model_file);
    for (size_t i = 0; i < request->n_proto_file; i++) {
        const ch_pb_file *pb = request->proto_file[i];
        struct ch_model_file *file = &model->files[model->file_count];

        if (is_outside(pb->name))
            continue;
        file->descriptor = pb;
        file->name = pb->name;
        file->stem = file_stem(gen->run, pb->name);
        file->package = pb->package ? pb->package : "";
        file->c_package = *file->package ? ch_text(gen->run, "%s_", ch_name_c(gen->run, file->package)) : "";
        for (size_t j = 0; j < request->n_file_to_generate; j++)
            file->is_generated |= strcmp(request->file_to_generate[j], pb->name) == 0;
        read_imports(gen, file);
        if (file->is_generated)
            check_syntax(gen, file);
        model->file_count++;
    }
}

static const char *full_name(struct ch_gen *gen, const char *scope, const char *name)
{
    return *scope ? ch_text(gen->run, "%s.%s", scope, name) : name;
}

static int compare_values(const void *left, const void *right)
{
    const struct ch_model_enum_value *a = left, *b = right;

    return (a->number > b->number) - (a->number < b->number);
}

// The SQL name of a value: what its option says, otherwise its name without the prefix, in lower case.
static const char *value_sql_name(struct ch_gen *gen, const Google__Protobuf__EnumValueDescriptorProto *pb,
                                  const char *prefix, struct ch_place place)
{
    const Charle__EnumValue *option =
        ch_option_read(gen, pb->options ? &pb->options->base : NULL, &charle__enum_value__descriptor, place);
    size_t len = strlen(prefix);

    if (option && option->name) {
        bool is_plain = *option->name != '\0';

        for (const char *c = option->name; *c; c++)
            is_plain &= (unsigned char)*c >= ' ' && *c != '\x7f';
        if (!is_plain)
            ch_error(gen, place, "the name of value %s is empty or has control characters; write one that people can read", pb->name);
        return option->name;
    }
    if (strncmp(pb->name, prefix, len) == 0 && pb->name[len])
        return ch_name_lower(gen->run, pb->name + len);
    return ch_name_lower(gen->run, pb->name);
}

static void check_values(struct ch_gen *gen, const struct ch_model_enum *e)
{
    for (size_t i = 0; i < e->value_count; i++)
        for (size_t j = i + 1; j < e->value_count; j++) {
            if (e->values[i].number == e->values[j].number)
                ch_error(gen, e->place,
                         "enum %s gives the number %d twice; an alias has no place in a database: remove one",
                         e->full_name, e->values[i].number);
            if (strcmp(e->values[i].sql_name, e->values[j].sql_name) == 0)
                ch_error(gen, e->place,
                         "enum %s has two values named '%s' in SQL; give one another (charle.value).name", e->full_name,
                         e->values[i].sql_name);
        }
}

static void read_enum(struct ch_gen *gen, const struct ch_model_file *file, const char *scope, const ch_pb_enum *pb,
                      struct ch_place place)
{
    struct ch_model_enum *e = CH_NEW(gen->run, struct ch_model_enum);
    const Charle__EnumOptions *options =
        ch_option_read(gen, pb->options ? &pb->options->base : NULL, &charle__enum_options__descriptor,
                       ch_place_in(ch_place_in(place, CH_AT_ENUM_OPTIONS), CH_OPTION_NUMBER));
    const char *scope_c = *scope ? ch_name_upper(gen->run, ch_name_c(gen->run, scope)) : "";
    const char *prefix = options && options->prefix
                             ? options->prefix
                             : ch_text(gen->run, "%s_", ch_name_upper(gen->run, ch_name_snake(gen->run, pb->name)));

    e->file = file;
    e->full_name = full_name(gen, scope, pb->name);
    e->c_name = ch_name_c(gen->run, e->full_name);
    e->place = place;
    e->values = CH_NEW_ARRAY(gen->run, pb->n_value, struct ch_model_enum_value);
    e->value_count = pb->n_value;
    for (size_t i = 0; i < pb->n_value; i++) {
        struct ch_place value_place = ch_place_at(place, CH_AT_ENUM_VALUE, i);

        e->values[i].number = pb->value[i]->number;
        e->values[i].sql_name = value_sql_name(gen, pb->value[i], prefix, value_place);
        e->values[i].c_name =
            ch_text(gen->run, "%s%s%s", scope_c, *scope_c ? "_" : "", ch_name_upper(gen->run, pb->value[i]->name));
    }
    qsort(e->values, e->value_count, sizeof *e->values, compare_values);
    check_values(gen, e);
    CH_APPEND(gen->run, gen->model.enums, gen->model.enum_count, e);
}

static void read_message(struct ch_gen *gen, const struct ch_model_file *file, const char *scope,
                         const ch_pb_message *pb, struct ch_place place)
{
    struct ch_model_message *message = CH_NEW(gen->run, struct ch_model_message);

    message->file = file;
    message->full_name = full_name(gen, scope, pb->name);
    message->c_name = ch_name_c(gen->run, message->full_name);
    message->descriptor = pb;
    message->place = place;
    if (pb->options && pb->options->map_entry)
        ch_error(gen, place,
                 "map fields have no order and no key in SQL; write a repeated message with a key and a value");
    if (pb->n_oneof_decl)
        ch_error(gen, ch_place_at(place, CH_AT_MESSAGE_ONEOF, 0),
                 "oneof is not supported; write optional fields and a check that one of them is set");
    for (size_t i = 0; i < pb->n_enum_type; i++)
        read_enum(gen, file, message->full_name, pb->enum_type[i], ch_place_at(place, CH_AT_MESSAGE_ENUM, i));
    for (size_t i = 0; i < pb->n_nested_type; i++)
        read_message(gen, file, message->full_name, pb->nested_type[i], ch_place_at(place, CH_AT_MESSAGE_NESTED, i));
    CH_APPEND(gen->run, gen->model.messages, gen->model.message_count, message);
}

// --- fields ---------------------------------------------------------------------------------------------------------

struct ch_wire_rule { // what a protobuf type is on the wire, and what it means when no option says
    enum charle_wire wire;
    enum charle_type type;
    const char *name;
};

static bool wire_rule(int type, struct ch_wire_rule *out)
{
    static const struct ch_wire_rule rules[] = {
        [1] = {CHARLE_WIRE_DOUBLE, CHARLE_TYPE_FLOAT8, "double"},
        [2] = {CHARLE_WIRE_FLOAT, CHARLE_TYPE_FLOAT4, "float"},
        [3] = {CHARLE_WIRE_INT64, CHARLE_TYPE_INT8, "int64"},
        [4] = {CHARLE_WIRE_UINT64, CHARLE_TYPE_UINT8, "uint64"},
        [5] = {CHARLE_WIRE_INT32, CHARLE_TYPE_INT4, "int32"},
        [6] = {CHARLE_WIRE_FIXED64, CHARLE_TYPE_UINT8, "fixed64"},
        [7] = {CHARLE_WIRE_FIXED32, CHARLE_TYPE_UINT4, "fixed32"},
        [8] = {CHARLE_WIRE_BOOL, CHARLE_TYPE_BOOL, "bool"},
        [9] = {CHARLE_WIRE_STRING, CHARLE_TYPE_TEXT, "string"},
        [11] = {CHARLE_WIRE_MESSAGE, CHARLE_TYPE_MESSAGE, "message"},
        [12] = {CHARLE_WIRE_BYTES, CHARLE_TYPE_BYTES, "bytes"},
        [13] = {CHARLE_WIRE_UINT32, CHARLE_TYPE_UINT4, "uint32"},
        [14] = {CHARLE_WIRE_ENUM, CHARLE_TYPE_ENUM, "enum"},
        [15] = {CHARLE_WIRE_SFIXED32, CHARLE_TYPE_INT4, "sfixed32"},
        [16] = {CHARLE_WIRE_SFIXED64, CHARLE_TYPE_TIMESTAMPTZ, "sfixed64"},
        [17] = {CHARLE_WIRE_SINT32, CHARLE_TYPE_DATE, "sint32"},
        [18] = {CHARLE_WIRE_SINT64, CHARLE_TYPE_INT8, "sint64"},
    };
    if (type <= 0 || type >= (int)(sizeof rules / sizeof *rules) || !rules[type].name)
        return false;
    *out = rules[type];
    return true;
}

#define BIT(name) (1u << CHARLE_WIRE_##name)
// Which wire types can carry an SQL type, and what to write when another one was used.
static const struct {
    unsigned wires;
    const char *name;
    const char *write;
} type_rules[] = {
    [CHARLE__TYPE__BOOL] = {BIT(BOOL), "BOOL", "bool"},
    [CHARLE__TYPE__INT4] = {BIT(INT32) | BIT(SINT32) | BIT(SFIXED32), "INT4", "int32"},
    [CHARLE__TYPE__INT8] = {BIT(INT64) | BIT(SINT64) | BIT(SFIXED64), "INT8", "int64"},
    [CHARLE__TYPE__FLOAT8] = {BIT(DOUBLE), "FLOAT8", "double"},
    [CHARLE__TYPE__TEXT] = {BIT(STRING), "TEXT", "string"},
    [CHARLE__TYPE__BYTES] = {BIT(BYTES), "BYTES", "bytes"},
    [CHARLE__TYPE__ENUM] = {BIT(ENUM), "ENUM", "an enum"},
    [CHARLE__TYPE__TIMESTAMPTZ] = {BIT(SFIXED64), "TIMESTAMPTZ", "sfixed64 (microseconds since 1970)"},
    [CHARLE__TYPE__DATE] = {BIT(SINT32), "DATE", "sint32 (days since 1970)"},
    [CHARLE__TYPE__NUMERIC] = {BIT(STRING), "NUMERIC", "string"},
    [CHARLE__TYPE__UUID] = {BIT(STRING) | BIT(BYTES), "UUID", "string or bytes"},
    [CHARLE__TYPE__JSONB] = {BIT(STRING), "JSONB", "string"},
};
#undef BIT

static void read_type(struct ch_gen *gen, struct ch_model_field *field, const ch_pb_field *pb,
                      const Charle__Column *options)
{
    struct ch_wire_rule rule = {0};
    Charle__Type type = options && options->has_type ? options->type : CHARLE__TYPE__AUTO;

    if (!wire_rule((int)pb->type, &rule)) {
        ch_error(gen, field->place, "field %s is a group; write a message of its own", field->name);
        return;
    }
    field->wire = rule.wire;
    field->type = rule.type;
    if (type == CHARLE__TYPE__AUTO || (size_t)type >= sizeof type_rules / sizeof *type_rules)
        return;
    if (!(type_rules[type].wires & 1u << rule.wire)) {
        ch_error(gen, field->place, "field %s is %s, which cannot hold %s; write %s %s", field->name, rule.name,
                 type_rules[type].name, type_rules[type].write, field->name);
        return;
    }
    field->type = (enum charle_type)type; // the numbers are the same
}

static void read_named_type(struct ch_gen *gen, struct ch_model_field *field, const ch_pb_field *pb)
{
    const char *name = pb->type_name && *pb->type_name == '.' ? pb->type_name + 1 : pb->type_name;

    if (field->type == CHARLE_TYPE_ENUM)
        field->enumeration = name ? ch_model_find_enum(&gen->model, name) : NULL;
    else if (field->type == CHARLE_TYPE_MESSAGE)
        field->message = name ? ch_model_find_message(&gen->model, name) : NULL;
    else
        return;
    if (!field->enumeration && !field->message)
        ch_error(gen, field->place,
                 "field %s has the type %s, for which there is no generated C; use a scalar or a message of the schema",
                 field->name, name ? name : "(none)");
}

// On a message that is no table only the type, a length and a comment say something.
static void check_plain_field(struct ch_gen *gen, const struct ch_model_message *message,
                              const struct ch_model_field *field, const Charle__Column *options)
{
    bool is_column = options->primary_key || options->unique || options->references || options->default_sql ||
                     options->default_sqlite || options->generate || options->n_check || options->merge ||
                     options->merge_group || options->n_transition || options->server_only || options->nullable ||
                     options->attachment;

    if (is_column && !ch_model_table_options(gen, message))
        ch_error(gen, field->place,
                 "field %s has the options of a column, but message %s is no table; add option (charle.table) to it or "
                 "leave them out",
                 field->name, message->full_name);
}

static void read_field(struct ch_gen *gen, struct ch_model_message *message, struct ch_model_field *field,
                       const ch_pb_field *pb, struct ch_place place)
{
    const Charle__Column *options;

    field->number = (uint32_t)pb->number;
    field->name = pb->name;
    field->c_name = ch_name_member(gen->run, pb->name);
    field->place = place;
    field->label = (enum charle_label)(pb->label == 1   ? CHARLE_OPTIONAL
                                       : pb->label == 2 ? CHARLE_REQUIRED
                                                        : CHARLE_REPEATED);
    field->is_packed = pb->options && pb->options->packed;
    options = ch_model_column_options(gen, message, field);
    read_type(gen, field, pb, options);
    read_named_type(gen, field, pb);
    if (options)
        check_plain_field(gen, message, field, options);
    if (options && options->has_max_length)
        field->size_max = field->type == CHARLE_TYPE_TEXT ? options->max_length * 4 : options->max_length;
    if (!ch_name_is_plain(pb->name))
        ch_error(gen, place, "field %s is not snake_case; write %s", pb->name, ch_name_snake(gen->run, pb->name));
}

static int compare_fields(const void *left, const void *right)
{
    const struct ch_model_field *a = left, *b = right;

    return (a->number > b->number) - (a->number < b->number);
}

static void read_fields(struct ch_gen *gen, struct ch_model_message *message)
{
    const ch_pb_message *pb = message->descriptor;

    message->fields = CH_NEW_ARRAY(gen->run, pb->n_field, struct ch_model_field);
    message->field_count = pb->n_field;
    for (size_t i = 0; i < pb->n_field; i++)
        read_field(gen, message, &message->fields[i], pb->field[i],
                   ch_place_at(message->place, CH_AT_MESSAGE_FIELD, i));
    qsort(message->fields, message->field_count, sizeof *message->fields, compare_fields);
}

// Marks: 0 not visited, -1 on the way, otherwise the depth below plus one. A message on the way is met again only in a
// circle.
static int nesting(struct ch_gen *gen, struct ch_model_message *message)
{
    int depth = 0;

    if (message->depth)
        return message->depth;
    message->depth = -1;
    for (size_t i = 0; i < message->field_count; i++) {
        const struct ch_model_field *field = &message->fields[i];
        int below;

        if (!field->message)
            continue;
        below = nesting(gen, (struct ch_model_message *)(uintptr_t)field->message);
        if (below < 0)
            ch_error(gen, field->place,
                     "message %s contains itself through field %s, so its depth has no bound; refer by an id instead",
                     message->full_name, field->name);
        else if (below > depth)
            depth = below;
    }
    message->depth = depth + 1;
    return message->depth;
}

void ch_model_read_messages(struct ch_gen *gen)
{
    struct ch_model *model = &gen->model;

    for (size_t f = 0; f < model->file_count; f++) {
        const struct ch_model_file *file = &model->files[f];
        const ch_pb_file *pb = file->descriptor;
        struct ch_place place = {.file = pb};

        for (size_t i = 0; i < pb->n_enum_type; i++)
            read_enum(gen, file, file->package, pb->enum_type[i], ch_place_at(place, CH_AT_FILE_ENUM, i));
        for (size_t i = 0; i < pb->n_message_type; i++)
            read_message(gen, file, file->package, pb->message_type[i], ch_place_at(place, CH_AT_FILE_MESSAGE, i));
    }
    for (size_t i = 0; i < model->message_count; i++)
        read_fields(gen, model->messages[i]);
    for (size_t i = 0; i < model->message_count; i++)
        if (nesting(gen, model->messages[i]) > CH_MESSAGE_DEPTH_MAX)
            ch_error(gen, model->messages[i]->place,
                     "message %s nests deeper than %d levels, which decoders refuse; flatten it",
                     model->messages[i]->full_name, CH_MESSAGE_DEPTH_MAX);
}
