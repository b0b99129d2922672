// Enums and messages: their C types in the header, their descriptors in the source.
#include "out.h"

// --- types ----------------------------------------------------------------------------------------------------------

static void enum_type(struct charle_buf *out, const struct ch_model_enum *e)
{
    charle_buf_printf(out, "\nenum %s {\n", e->c_name);
    for (size_t i = 0; i < e->value_count; i++)
        charle_buf_printf(out, "    %s = %d,\n", e->values[i].c_name, e->values[i].number);
    charle_buf_printf(out, "};\nextern const struct charle_enum %s_enum;\n", e->c_name);
}

static void repeated_member(struct charle_buf *out, const struct ch_model_field *field)
{
    charle_buf_printf(out, "    struct charle_array %s; // of ", field->c_name);
    if (field->message)
        charle_buf_printf(out, "const struct %s *\n", field->message->c_name);
    else if (field->enumeration)
        charle_buf_printf(out, "int32_t: enum %s\n", field->enumeration->c_name);
    else
        charle_buf_printf(out, "%s\n", ch_c_type(field->type));
}

static void member(struct charle_buf *out, const struct ch_model_field *field)
{
    if (field->label == CHARLE_REPEATED) {
        repeated_member(out, field);
        return;
    }
    if (field->message)
        charle_buf_printf(out, "    const struct %s *%s;", field->message->c_name, field->c_name);
    else if (field->label == CHARLE_OPTIONAL)
        charle_buf_printf(out, "    struct charle_opt_%s %s;", ch_type_suffix(field->type), field->c_name);
    else
        charle_buf_printf(out, "    %s %s;", ch_c_type(field->type), field->c_name);
    if (field->enumeration)
        charle_buf_printf(out, " // enum %s", field->enumeration->c_name);
    charle_buf_add_byte(out, '\n');
}

static void message_type(struct charle_buf *out, const struct ch_model_message *message)
{
    charle_buf_printf(out, "\nstruct %s {\n", message->c_name);
    for (size_t i = 0; i < message->field_count; i++)
        member(out, &message->fields[i]);
    if (!message->field_count)
        charle_buf_add_text(out, "    char unused; // C has no empty struct\n");
    charle_buf_printf(out, "};\nextern const struct charle_message %s_message;\n", message->c_name);
}

void ch_out_message_types(struct charle_buf *out, const struct ch_model *model, const struct ch_model_file *file)
{
    bool is_first = true;

    for (size_t i = 0; i < model->enum_count; i++)
        if (model->enums[i]->file == file)
            enum_type(out, model->enums[i]);
    for (size_t i = 0; i < model->message_count; i++)
        if (model->messages[i]->file == file) {
            charle_buf_printf(out, "%sstruct %s;\n", is_first ? "\n" : "", model->messages[i]->c_name);
            is_first = false;
        }
    for (size_t i = 0; i < model->message_count; i++)
        if (model->messages[i]->file == file)
            message_type(out, model->messages[i]);
}

// --- descriptors ----------------------------------------------------------------------------------------------------

static void enum_data(struct charle_buf *out, const struct ch_model_enum *e)
{
    charle_buf_printf(out, "\nstatic const struct charle_enum_value %s_values[] = {\n", e->c_name);
    for (size_t i = 0; i < e->value_count; i++) {
        charle_buf_printf(out, "    {.number = %s, .name = CHARLE_STR_INIT(", e->values[i].c_name);
        ch_c_string(out, e->values[i].sql_name, 8);
        charle_buf_add_text(out, ")},\n");
    }
    charle_buf_printf(
        out, "};\nconst struct charle_enum %s_enum = {\n    .name = \"%s\", .values = %s_values, .count = %zu};\n",
        e->c_name, e->full_name, e->c_name, e->value_count);
}

static const char *wire_constant(enum charle_wire wire)
{
    static const char *const names[] = {
        [CHARLE_WIRE_INT32] = "INT32",       [CHARLE_WIRE_INT64] = "INT64",     [CHARLE_WIRE_UINT32] = "UINT32",
        [CHARLE_WIRE_UINT64] = "UINT64",     [CHARLE_WIRE_SINT32] = "SINT32",   [CHARLE_WIRE_SINT64] = "SINT64",
        [CHARLE_WIRE_FIXED32] = "FIXED32",   [CHARLE_WIRE_FIXED64] = "FIXED64", [CHARLE_WIRE_SFIXED32] = "SFIXED32",
        [CHARLE_WIRE_SFIXED64] = "SFIXED64", [CHARLE_WIRE_FLOAT] = "FLOAT",     [CHARLE_WIRE_DOUBLE] = "DOUBLE",
        [CHARLE_WIRE_BOOL] = "BOOL",         [CHARLE_WIRE_ENUM] = "ENUM",       [CHARLE_WIRE_STRING] = "STRING",
        [CHARLE_WIRE_BYTES] = "BYTES",       [CHARLE_WIRE_MESSAGE] = "MESSAGE",
    };
    return names[wire];
}

static const char *label_constant(enum charle_label label)
{
    return label == CHARLE_REQUIRED ? "REQUIRED" : label == CHARLE_OPTIONAL ? "OPTIONAL" : "REPEATED";
}

static void field_data(struct charle_buf *out, const struct ch_model_message *message,
                       const struct ch_model_field *field)
{
    bool has_flag = field->label == CHARLE_REPEATED || (field->label == CHARLE_OPTIONAL && !field->message);

    charle_buf_printf(
        out, "    {.number = %u, .name = CHARLE_STR_INIT(\"%s\"), .type = CHARLE_TYPE_%s, .wire = CHARLE_WIRE_%s,\n",
        field->number, field->name, ch_type_constant(field->type), wire_constant(field->wire));
    charle_buf_printf(out, "     .label = CHARLE_%s, .offset = offsetof(struct %s, %s)", label_constant(field->label),
                      message->c_name, field->c_name);
    if (has_flag)
        charle_buf_printf(out, ",\n     .has_offset = offsetof(struct %s, %s.has)", message->c_name, field->c_name);
    if (field->is_packed)
        charle_buf_add_text(out, ", .packed = true");
    if (field->enumeration)
        charle_buf_printf(out, ",\n     .enumeration = &%s_enum", field->enumeration->c_name);
    if (field->message)
        charle_buf_printf(out, ",\n     .message = &%s_message", field->message->c_name);
    if (field->size_max)
        charle_buf_printf(out, ", .size_max = %u", field->size_max);
    charle_buf_add_text(out, "},\n");
}

static void message_data(struct charle_buf *out, const struct ch_model_message *message)
{
    if (message->field_count) {
        charle_buf_printf(out, "\nstatic const struct charle_field %s_fields[] = {\n", message->c_name);
        for (size_t i = 0; i < message->field_count; i++)
            field_data(out, message, &message->fields[i]);
        charle_buf_add_text(out, "};");
    }
    charle_buf_printf(out,
                      "\nconst struct charle_message %s_message = {\n    .name = \"%s\", .size = sizeof(struct %s),\n",
                      message->c_name, message->full_name, message->c_name);
    if (message->field_count)
        charle_buf_printf(out, "    .fields = %s_fields, .field_count = %zu};\n", message->c_name,
                          message->field_count);
    else
        charle_buf_add_text(out, "};\n");
}

void ch_out_message_data(struct charle_buf *out, const struct ch_model *model, const struct ch_model_file *file)
{
    for (size_t i = 0; i < model->enum_count; i++)
        if (model->enums[i]->file == file)
            enum_data(out, model->enums[i]);
    for (size_t i = 0; i < model->message_count; i++)
        if (model->messages[i]->file == file)
            message_data(out, model->messages[i]);
}
