// What the writers of DDL share. See ddl.h.
#include "ddl.h"

static void quoted(struct charle_buf *out, const char *text, char quote)
{
    charle_buf_add_byte(out, (uint8_t)quote);
    for (const char *c = text; *c; c++) {
        if (*c == quote)
            charle_buf_add_byte(out, (uint8_t)quote);
        charle_buf_add_byte(out, (uint8_t)*c);
    }
    charle_buf_add_byte(out, (uint8_t)quote);
}

void ch_gen_quote(struct charle_buf *out, const char *name)
{
    quoted(out, name, '"');
}

void ch_gen_literal(struct charle_buf *out, const char *text)
{
    quoted(out, text, '\'');
}

void ch_gen_pg_type(struct charle_buf *out, const struct ch_model_column *column)
{
    charle_buf_printf(out, "%s%s", charle_type_pg_name((enum charle_type)column->type), column->is_array ? "[]" : "");
}

void ch_ddl_columns(struct charle_buf *out, const struct ch_model_column *const *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            charle_buf_add_text(out, ", ");
        ch_gen_quote(out, columns[i]->name);
    }
}

void ch_ddl_key(struct charle_buf *out, const struct ch_model_table *table)
{
    ch_ddl_columns(out, (const struct ch_model_column *const *)table->key_columns, table->key_count);
}

void ch_ddl_enum_names(struct charle_buf *out, const struct ch_model_enum *enumeration)
{
    for (size_t i = 0; i < enumeration->value_count; i++) {
        if (i)
            charle_buf_add_text(out, ", ");
        ch_gen_literal(out, enumeration->values[i].sql_name);
    }
}

const char *ch_ddl_action(enum charle_action action)
{
    switch (action) {
    case CHARLE_NO_ACTION:
        return "no action";
    case CHARLE_RESTRICT:
        return "restrict";
    case CHARLE_CASCADE:
        return "cascade";
    case CHARLE_SET_NULL:
        return "set null";
    }
    return "";
}

void ch_ddl_sqlite_type(struct charle_buf *out, const struct ch_model_column *column)
{
    static const char *const names[] = {
        [CHARLE_TYPE_BOOL] = "integer", [CHARLE_TYPE_INT4] = "integer",        [CHARLE_TYPE_INT8] = "integer",
        [CHARLE_TYPE_FLOAT8] = "real",  [CHARLE_TYPE_TEXT] = "text",           [CHARLE_TYPE_BYTES] = "blob",
        [CHARLE_TYPE_ENUM] = "text",    [CHARLE_TYPE_TIMESTAMPTZ] = "integer", [CHARLE_TYPE_DATE] = "text",
        [CHARLE_TYPE_NUMERIC] = "text", [CHARLE_TYPE_UUID] = "text",           [CHARLE_TYPE_JSONB] = "text",
    };
    charle_buf_add_text(out, column->is_array ? "text" : names[column->type]);
}

void ch_ddl_sqlite_end(struct charle_buf *out, const struct ch_model_table *table)
{
    bool is_strict = true, has_rowid = ch_ddl_has_rowid(table);

    for (size_t i = 0; i < table->column_count; i++)
        is_strict = is_strict && (table->columns[i].type != CHARLE_TYPE_FLOAT8 || table->columns[i].is_array);
    charle_buf_printf(out, "\n)%s%s%s;\n", is_strict ? " strict" : "", is_strict && !has_rowid ? "," : "", has_rowid ? "" : " without rowid");
}

bool ch_ddl_has_rowid(const struct ch_model_table *table)
{
    const struct ch_model_column *key = table->key_columns[0];

    return table->key_count == 1 && (key->type == CHARLE_TYPE_INT4 || key->type == CHARLE_TYPE_INT8);
}
