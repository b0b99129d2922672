// Typed column handles and insert constructors: what makes a wrong query or a forgotten column a compile error.
#include "out.h"

static const char *handle_kind(const struct ch_model_column *column)
{
    return column->is_array ? "cola" : column->is_nullable ? "coln" : "col";
}

static void handles(struct ch_gen *gen, struct charle_buf *out, const struct ch_model_table *table)
{
    const char *symbol = ch_name_global(gen->run, table->name);

    charle_buf_printf(out, "\nstatic const struct %s_columns {\n", table->c_name);
    for (size_t i = 0; i < table->column_count; i++)
        charle_buf_printf(out, "    struct charle_%s_%s %s;\n", handle_kind(&table->columns[i]),
                          ch_type_suffix(table->columns[i].type), table->columns[i].field->c_name);
    charle_buf_printf(out, "} %s __attribute__((unused)) = {\n", symbol);
    for (size_t i = 0; i < table->column_count; i++)
        charle_buf_printf(out, "    .%s = {{&%s_table, %zu, 0}},\n", table->columns[i].field->c_name, table->c_name, i);
    charle_buf_add_text(out, "};\n");
}

// The same handles under an alias, for a table that is joined with itself.
static void alias(struct charle_buf *out, const struct ch_model_table *table)
{
    charle_buf_printf(
        out, "\nstatic inline struct %s_columns %s_alias(uint16_t ch_alias)\n{\n    return (struct %s_columns){\n",
        table->c_name, table->c_name, table->c_name);
    for (size_t i = 0; i < table->column_count; i++)
        charle_buf_printf(out, "        .%s = {{&%s_table, %zu, ch_alias}},\n", table->columns[i].field->c_name,
                          table->c_name, i);
    charle_buf_add_text(out, "    };\n}\n");
}

static bool is_argument(const struct ch_model_field *field)
{
    return field->label == CHARLE_REQUIRED;
}

// An argument must not hide the handles of a table of the same name.
static const char *argument_name(struct ch_gen *gen, const struct ch_model_field *field)
{
    return ch_model_find_table(&gen->model, field->name) ? ch_text(gen->run, "%s_", field->c_name) : field->c_name;
}

static void insert_init(struct ch_gen *gen, struct charle_buf *out, const struct ch_model_table *table)
{
    const struct ch_model_message *insert = table->insert;
    size_t count = 0;

    charle_buf_printf(out,
                      "\n// A new row: every column that must be given and that nobody else fills in is an argument.\n"
                      "static inline struct %s %s_init(",
                      insert->c_name, insert->c_name);
    for (size_t i = 0; i < insert->field_count; i++) {
        const struct ch_model_field *field = &insert->fields[i];

        if (!is_argument(field))
            continue;
        charle_buf_add_text(out, count++ ? ",\n    " : "\n    ");
        if (field->enumeration)
            charle_buf_printf(out, "enum %s %s", field->enumeration->c_name, argument_name(gen, field));
        else
            charle_buf_printf(out, "%s %s", ch_c_type(field->type), argument_name(gen, field));
    }
    charle_buf_printf(out, "%s)\n{\n    return (struct %s){", count ? "" : "void", insert->c_name);
    for (size_t i = 0; i < insert->field_count; i++)
        if (is_argument(&insert->fields[i]))
            charle_buf_printf(out, "\n        .%s = %s%s,", insert->fields[i].c_name,
                              insert->fields[i].enumeration ? "(int32_t)" : "", argument_name(gen, &insert->fields[i]));
    charle_buf_printf(out, "%s};\n}\n", count ? "\n    " : "0");
}

void ch_out_columns(struct ch_gen *gen, const struct ch_model_file *file)
{
    const char *name = ch_text(gen->run, "%s.columns.charle.h", file->stem);
    struct charle_buf *out = ch_output_open(gen, name);

    ch_out_head(out, file->name);
    ch_out_guard_open(gen, out, name);
    charle_buf_printf(out, "#include \"%s.charle.h\"\n#include \"db/query.h\"\n", file->stem);
    for (size_t i = 0; i < gen->model.table_count; i++) {
        const struct ch_model_table *table = gen->model.tables[i];

        if (table->file != file)
            continue;
        handles(gen, out, table);
        alias(out, table);
        insert_init(gen, out, table);
    }
    ch_out_guard_close(out);
}
