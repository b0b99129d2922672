#include "db/record.h"

enum charle_err charle_record_value(const struct charle_column *column, const struct charle_field *field,
                                    const void *message, struct charle_arena *arena, struct charle_value *out,
                                    struct charle_error *err)
{
    const void *member = charle_field_ptr(field, message);
    *out = (struct charle_value){.type = field->type};
    if (field->label == CHARLE_REPEATED) {
        out->is_array = true;
        out->array = *(const struct charle_array *)member;
        out->is_null = column->is_nullable && !out->array.has && out->array.count == 0;
        if (field->type != CHARLE_TYPE_ENUM || out->is_null)
            return CHARLE_OK;
        out->type = CHARLE_TYPE_TEXT;
        return ch_row_enum_names(field, &out->array, arena, &out->array, err);
    }
    if (field->label == CHARLE_OPTIONAL && !charle_field_has(field, message)) {
        out->is_null = true;
        return CHARLE_OK;
    }
    if (field->type == CHARLE_TYPE_ENUM)
        return ch_row_enum_name(field, *(const int32_t *)member, &out->text, err);
    memcpy(&out->int8, member, charle_type_size((enum charle_type)field->type));
    return CHARLE_OK;
}

static enum charle_err no_room(const struct charle_field *field, struct charle_error *err)
{
    return charle_fail(err, CHARLE_NO_MEMORY, "no room for %.*s", CHARLE_FMT(field->name));
}

static bool is_text_like(uint8_t type)
{
    return type == CHARLE_TYPE_TEXT || type == CHARLE_TYPE_BYTES || type == CHARLE_TYPE_NUMERIC ||
           type == CHARLE_TYPE_JSONB;
}

static enum charle_err store_array(const struct charle_field *field, const struct charle_array *array,
                                   struct charle_arena *arena, struct charle_array *out, struct charle_error *err)
{
    size_t item_size = charle_type_size((enum charle_type)field->type);
    char *items = charle_arena_array(arena, array->count ? array->count : 1, item_size);
    if (!items)
        return no_room(field, err);
    if (array->count)
        memcpy(items, array->items, array->count * item_size);
    for (size_t i = 0; is_text_like(field->type) && i < array->count; i++) {
        struct charle_bytes *item = (struct charle_bytes *)(void *)(items + i * item_size);
        *item = charle_arena_bytes(arena, *item);
        if (!item->ptr)
            return no_room(field, err);
    }
    *out = (struct charle_array){.items = items, .count = array->count, .has = true};
    return CHARLE_OK;
}

static enum charle_err store_scalar(const struct charle_field *field, const struct charle_value *value,
                                    struct charle_arena *arena, void *member, struct charle_error *err)
{
    if (field->type == CHARLE_TYPE_ENUM)
        return ch_row_enum_number(field, value->text, member, err);
    if (is_text_like(field->type)) {
        struct charle_bytes copy = charle_arena_bytes(arena, value->bytes);
        if (!copy.ptr)
            return no_room(field, err);
        memcpy(member, &copy, sizeof(copy));
        return CHARLE_OK;
    }
    memcpy(member, &value->int8, charle_type_size((enum charle_type)field->type));
    return CHARLE_OK;
}

enum charle_err charle_record_store(const struct charle_field *field, void *message, const struct charle_value *value,
                                    struct charle_arena *arena, struct charle_error *err)
{
    void *member = charle_field_ptr(field, message);
    bool is_array = field->label == CHARLE_REPEATED;
    if (value->is_null) {
        if (field->label != CHARLE_REQUIRED)
            return CHARLE_OK;
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "%.*s is NULL in the database, and must have a value (on a laptop: this person is not shown it; select "
                           "only the columns you need)",
                           CHARLE_FMT(field->name));
    }
    uint8_t wanted = field->type == CHARLE_TYPE_ENUM ? CHARLE_TYPE_TEXT : field->type;
    if (value->is_array != is_array || (value->type != wanted && value->type != field->type))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%.*s is %s%s, and was given %s%s", CHARLE_FMT(field->name),
                           charle_type_name((enum charle_type)field->type), is_array ? "[]" : "",
                           charle_type_name((enum charle_type)value->type), value->is_array ? "[]" : "");
    if (is_array && field->type == CHARLE_TYPE_ENUM)
        return ch_row_enum_numbers(field, &value->array, arena, member, err);
    if (is_array)
        return store_array(field, &value->array, arena, member, err);
    enum charle_err rc = store_scalar(field, value, arena, member, err);
    if (!rc && field->label == CHARLE_OPTIONAL)
        *((bool *)message + field->has_offset) = true;
    return rc;
}

enum charle_err charle_record_read(struct charle_rows *rows, const struct charle_table *table,
                                   const struct charle_column_set *columns, const struct charle_message *message,
                                   struct charle_arena *arena, void *out, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    size_t place = 0;
    memset(out, 0, message->size);
    for (size_t i = 0; !rc && i < table->column_count; i++) {
        if (!charle_column_set_has(columns, i))
            continue;
        const struct charle_column *column = &table->columns[i];
        const struct charle_field *field =
            message == table->row ? column->field : charle_message_field(message, column->field->number);
        struct charle_value value;
        if (!field)
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%s has no field for column %.*s", message->name,
                               CHARLE_FMT(column->name));
        rc = charle_rows_value(rows, place++, (enum charle_type)column->field->type, column->is_array, &value, err);
        if (!rc)
            rc = charle_record_store(field, out, &value, arena, err);
        if (rc)
            rc = charle_error_prefix(err, rc, "table %.*s", CHARLE_FMT(table->name));
    }
    return rc;
}

void charle_sql_write_name(struct charle_buf *buf, struct charle_str name)
{
    charle_buf_add_byte(buf, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"')
            charle_buf_add_byte(buf, '"');
        charle_buf_add_byte(buf, (uint8_t)name.ptr[i]);
    }
    charle_buf_add_byte(buf, '"');
}

void charle_table_write_columns(const struct charle_table *table, const struct charle_column_set *columns,
                                const char *qualifier, struct charle_buf *buf)
{
    bool first = true;
    for (size_t i = 0; i < table->column_count; i++) {
        if (!charle_column_set_has(columns, i))
            continue;
        if (!first)
            charle_buf_add_text(buf, ", ");
        first = false;
        charle_buf_add_text(buf, qualifier);
        charle_sql_write_name(buf, table->columns[i].name);
    }
}
