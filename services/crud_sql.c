// Building one statement: text and values side by side.
#include "services/crud_parts.h"

void ch_crud_sql_init(struct ch_crud_sql *sql, enum charle_dialect dialect)
{
    charle_buf_init(&sql->text, CH_CRUD_STATEMENT_SIZE_MAX);
    sql->dialect = dialect;
    sql->param_count = 0;
}

void ch_crud_sql_deinit(struct ch_crud_sql *sql)
{
    charle_buf_deinit(&sql->text);
}

void ch_crud_sql_add(struct ch_crud_sql *sql, const char *text)
{
    charle_buf_add_text(&sql->text, text);
}

void ch_crud_sql_add_name(struct ch_crud_sql *sql, struct charle_str name)
{
    charle_sql_write_name(&sql->text, name);
}

size_t ch_crud_sql_bind(struct ch_crud_sql *sql, const struct charle_value *value)
{
    if (sql->param_count == CH_CRUD_PARAMS_MAX) {
        sql->text.failed = CHARLE_TOO_LARGE;
        return sql->param_count;
    }
    sql->params[sql->param_count++] = *value;
    return sql->param_count;
}

void ch_crud_sql_add_param(struct ch_crud_sql *sql, const struct charle_value *value)
{
    charle_buf_printf(&sql->text, "$%zu", ch_crud_sql_bind(sql, value));
}

void ch_crud_sql_add_any(struct ch_crud_sql *sql, size_t param)
{
    bool is_pg = sql->dialect == CHARLE_PG;
    charle_buf_printf(&sql->text, "%s$%zu%s", is_pg ? " = any(" : " in (select value from json_each(", param,
                      is_pg ? ")" : "))");
}

enum charle_err ch_crud_value(const struct ch_crud *crud, const struct charle_column *column,
                              const struct charle_message *message, const void *record, struct charle_value *out)
{
    const struct charle_field *field = charle_message_field(message, column->field->number);
    if (!field)
        return charle_fail(crud->err, CHARLE_INTERNAL, "%s has no field for %.*s", message->name,
                           CHARLE_FMT(column->name));
    return charle_record_value(column, field, record, crud->context->arena, out, crud->err);
}

enum charle_err ch_crud_sql_add_key(struct ch_crud_sql *sql, const struct ch_crud *crud, const char *qualifier,
                                    const struct charle_message *message, const void *key)
{
    const struct charle_table *table = crud->table;
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < table->key_count; i++) {
        const struct charle_column *column = &table->columns[table->key_columns[i]];
        struct charle_value value;
        rc = ch_crud_value(crud, column, message, key, &value);
        if (rc)
            break;
        ch_crud_sql_add(sql, i ? " and " : "");
        ch_crud_sql_add(sql, qualifier);
        ch_crud_sql_add_name(sql, column->name);
        ch_crud_sql_add(sql, " = ");
        ch_crud_sql_add_param(sql, &value);
    }
    return rc;
}

enum charle_err ch_crud_sql_text(struct ch_crud_sql *sql, const struct ch_crud *crud, const char **out_text)
{
    *out_text = charle_buf_text(&sql->text);
    if (*out_text)
        return CHARLE_OK;
    return charle_fail(crud->err, sql->text.failed, "this call on %.*s is too large: %s", CHARLE_FMT(crud->table->name),
                       charle_err_text(sql->text.failed));
}

enum charle_err ch_crud_sql_query(struct ch_crud_sql *sql, const struct ch_crud *crud, struct charle_rows **out_rows)
{
    const char *text;
    enum charle_err rc = ch_crud_sql_text(sql, crud, &text);
    if (rc)
        return rc;
    rc = charle_query(crud->context->db, text, sql->params, sql->param_count, out_rows, crud->err);
    return rc ? ch_crud_explain(crud, rc) : CHARLE_OK;
}

enum charle_err ch_crud_sql_exec(struct ch_crud_sql *sql, const struct ch_crud *crud, int64_t *out_changed)
{
    const char *text;
    enum charle_err rc = ch_crud_sql_text(sql, crud, &text);
    if (rc)
        return rc;
    rc = charle_exec(crud->context->db, text, sql->params, sql->param_count, out_changed, crud->err);
    return rc ? ch_crud_explain(crud, rc) : CHARLE_OK;
}
