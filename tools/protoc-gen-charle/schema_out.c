// The schema object: all tables and services of a run in one constant.
//
// It comes twice, in two objects. <name>_schema has every service, so a program that uses it must link the handlers.
// <name>_schema_tables leaves the hand-written services out: for tools that want tables, DDL and generated services
// only.
#include "out.h"

static void table_list(struct charle_buf *out, const char *name, struct ch_model_table *const *tables, size_t count)
{
    charle_buf_printf(out, "\nstatic const struct charle_table *const %s[] = {\n", name);
    for (size_t i = 0; i < count; i++)
        charle_buf_printf(out, "    &%s_table,\n", tables[i]->c_name);
    charle_buf_add_text(out, "};\n");
}

static void grant_data(struct charle_buf *out, const struct ch_model_grant *grant)
{
    charle_buf_printf(out,
                      "    {.audience = CHARLE_STR_INIT(\"%s\"), .principal = CHARLE_STR_INIT(\"%s\"),\n     .sql = ",
                      grant->audience, grant->principal->name);
    ch_c_string(out, grant->sql, 12);
    if (grant->depends_count) {
        charle_buf_add_text(out, ",\n     .depends_on = (const uint32_t[]){");
        for (size_t i = 0; i < grant->depends_count; i++)
            charle_buf_printf(out, "%s%u", i ? ", " : "", grant->depends[i]->id);
        charle_buf_printf(out, "}, .depends_count = %zu", grant->depends_count);
    }
    charle_buf_add_text(out, "},\n");
}

static size_t service_list(struct ch_gen *gen, struct charle_buf *out, bool with_handlers)
{
    size_t count = 0;

    charle_buf_add_text(out, "\nstatic const struct charle_service *const services[] = {\n");
    for (size_t i = 0; i < gen->model.service_count; i++)
        if (with_handlers || gen->model.services[i]->table) {
            charle_buf_printf(out, "    &%s,\n", ch_out_service_symbol(gen->run, gen->model.services[i]));
            count++;
        }
    charle_buf_add_text(out, "    NULL,\n};\n");
    return count;
}

static void includes(struct ch_gen *gen, struct charle_buf *out, bool with_handlers)
{
    charle_buf_printf(out, "#include \"%s.schema.charle.h\"\n\n", gen->model.schema_name);
    for (size_t i = 0; i < gen->model.file_count; i++)
        if (gen->model.files[i].is_generated)
            charle_buf_printf(out, "#include \"%s.%scharle.h\"\n", gen->model.files[i].stem,
                              with_handlers ? "handlers." : "");
}

static void extra(struct charle_buf *out, const char *member,
                  void (*write)(struct charle_buf *, const struct ch_model *), const struct ch_model *model)
{
    struct charle_buf sql = {0};

    write(&sql, model);
    charle_buf_printf(out, "    .%s = ", member);
    ch_c_string(out, charle_buf_text(&sql), 8);
    charle_buf_add_text(out, ",\n");
    charle_buf_deinit(&sql);
}

static void object(struct ch_gen *gen, const char *file, const char *symbol, bool with_handlers)
{
    const struct ch_model *model = &gen->model;
    struct charle_buf *out = ch_output_open(gen, file);
    size_t services;

    ch_out_source_head(out, model->schema_file->name);
    includes(gen, out, with_handlers);
    table_list(out, "tables", model->tables, model->table_count);
    table_list(out, "create_order", model->create_order, model->table_count);
    if (model->grant_count) {
        charle_buf_add_text(out, "\nstatic const struct charle_grant grants[] = {\n");
        for (size_t i = 0; i < model->grant_count; i++)
            grant_data(out, &model->grants[i]);
        charle_buf_add_text(out, "};\n");
    }
    services = service_list(gen, out, with_handlers);
    charle_buf_printf(
        out, "\nconst struct charle_schema %s = {\n    .name = CHARLE_STR_INIT(\"%s\"),\n    .hash = 0x%016llxu,\n",
        symbol, model->schema_name, (unsigned long long)model->hash);
    charle_buf_printf(out, "    .tables = tables, .table_count = %zu, .create_order = create_order,\n",
                      model->table_count);
    if (model->grant_count)
        charle_buf_printf(out, "    .grants = grants, .grant_count = %zu,\n", model->grant_count);
    charle_buf_printf(out, "    .services = services, .service_count = %zu,\n", services);
    extra(out, "pg_extra", ch_ddl_pg_extra, model);
    extra(out, "sqlite_extra", ch_ddl_sqlite_extra, model);
    charle_buf_add_text(out, "};\n");
}

static void header(struct ch_gen *gen, const char *name)
{
    struct charle_buf *out = ch_output_open(gen, name);

    ch_out_head(out, gen->model.schema_file->name);
    ch_out_guard_open(gen, out, name);
    charle_buf_printf(out,
                      "#include \"call/method.h\"\n#include \"db/schema.h\"\n\n"
                      "// Everything. A program that uses it links the handlers of the hand-written services.\n"
                      "extern const struct charle_schema %s_schema;\n"
                      "// The same without the hand-written services.\n"
                      "extern const struct charle_schema %s_schema_tables;\n",
                      gen->model.schema_name, gen->model.schema_name);
    ch_out_guard_close(out);
}

void ch_out_schema(struct ch_gen *gen)
{
    const char *name = gen->model.schema_name;

    header(gen, ch_text(gen->run, "%s.schema.charle.h", name));
    object(gen, ch_text(gen->run, "%s.schema.charle.c", name), ch_text(gen->run, "%s_schema", name), true);
    object(gen, ch_text(gen->run, "%s.tables.charle.c", name), ch_text(gen->run, "%s_schema_tables", name), false);
}
