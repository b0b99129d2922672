// The schema as a whole: its name, grants, views, and rules that span tables.
#include "base/limits.h"
#include "gen.h"
#include "options.h"
#include "sql.h"

#include <stdlib.h>

static bool is_audience(const struct ch_model *model, const char *name, size_t len)
{
    for (size_t i = 0; i < model->table_count; i++)
        for (size_t j = 0; j < model->tables[i]->audience_count; j++) {
            const char *other = model->tables[i]->audiences[j].name;

            if (strlen(other) == len && memcmp(other, name, len) == 0)
                return true;
        }
    for (size_t i = 0; i < model->grant_count; i++)
        if (strlen(model->grants[i].audience) == len && memcmp(model->grants[i].audience, name, len) == 0)
            return true;
    return false;
}

static const char *audience_names(struct ch_gen *gen)
{
    const char *names = "";

    for (size_t i = 0; i < gen->model.grant_count; i++)
        if (!strstr(names, gen->model.grants[i].audience))
            names = ch_text(gen->run, "%s%s%s", names, *names ? ", " : "", gen->model.grants[i].audience);
    return *names ? names : "none so far";
}

// --- grants ---------------------------------------------------------------------------------------------------------

static bool is_cte(const struct ch_sql *sql, const char *name)
{
    for (size_t i = 0; i < sql->cte_count; i++)
        if (strcmp(sql->ctes[i], name) == 0)
            return true;
    return false;
}

static void add_dependency(struct ch_gen *gen, struct ch_model_grant *grant, const struct ch_model_table *table)
{
    for (size_t i = 0; i < grant->depends_count; i++)
        if (grant->depends[i] == table)
            return;
    CH_APPEND(gen->run, grant->depends, grant->depends_count, table);
}

static int compare_ids(const void *left, const void *right)
{
    const struct ch_model_table *a = *(const struct ch_model_table *const *)left;
    const struct ch_model_table *b = *(const struct ch_model_table *const *)right;

    return (a->id > b->id) - (a->id < b->id);
}

static void read_dependencies(struct ch_gen *gen, struct ch_model_grant *grant, const struct ch_sql *sql)
{
    for (size_t i = 0; i < sql->table_count; i++) {
        const char *name = sql->tables[i].name;
        const struct ch_model_table *table = ch_model_find_table(&gen->model, name);

        if (is_cte(sql, name))
            continue;
        if (!table)
            ch_error(gen, grant->place,
                     "the grant of %s reads %s, which is no table of this schema; read tables, not views",
                     grant->audience, name);
        else if (!table->is_replicated)
            ch_error(gen, grant->place,
                     "the grant of %s reads %s, which has no audience: its changes leave no stamp, so nobody would "
                     "learn that a grant changed; read a replicated table",
                     grant->audience, name);
        else
            add_dependency(gen, grant, table);
    }
    if (grant->depends_count)
        qsort(grant->depends, grant->depends_count, sizeof *grant->depends, compare_ids);
}

static void read_grant(struct ch_gen *gen, const Charle__Grant *options, struct ch_place place)
{
    struct ch_model_grant grant = {.audience = options->audience, .sql = options->sql, .place = place};
    struct ch_sql sql;

    grant.principal = ch_model_find_table(&gen->model, options->principal);
    if (!grant.principal)
        ch_error(
            gen, place,
            "the grant of %s is for %s, which is no table of this schema; write the SQL name of the persons' table",
            options->audience, options->principal);
    else if (grant.principal->key_count != 1)
        ch_error(gen, place, "the grant of %s is for %s, whose key has several columns; a person has one id",
                 options->audience, options->principal);
    if (ch_sql_read_query(gen, options->sql, place, ch_text(gen->run, "the grant of %s", options->audience), &sql)) {
        if (sql.param_max != 1)
            ch_error(gen, place, "the grant of %s must use $1, the person's id, and no other parameter",
                     options->audience);
        read_dependencies(gen, &grant, &sql);
    }
    CH_APPEND(gen->run, gen->model.grants, gen->model.grant_count, grant);
}

static bool is_granted(const struct ch_model *model, const char *audience)
{
    for (size_t i = 0; i < model->grant_count; i++)
        if (strcmp(model->grants[i].audience, audience) == 0)
            return true;
    return false;
}

static void check_granted(struct ch_gen *gen)
{
    for (size_t i = 0; i < gen->model.table_count; i++)
        for (size_t j = 0; j < gen->model.tables[i]->audience_count; j++) {
            const struct ch_model_audience *audience = &gen->model.tables[i]->audiences[j];

            if (!is_granted(&gen->model, audience->name))
                ch_error(gen, audience->place,
                         "nobody is granted the audience %s; add a grant for it to (charle.schema), or use one of %s",
                         audience->name, audience_names(gen));
        }
}

// --- views ----------------------------------------------------------------------------------------------------------

static void read_view(struct ch_gen *gen, const Charle__View *options, struct ch_place place)
{
    struct ch_model_view view = {.name = options->name, .pg = options->sql, .place = place};
    struct ch_sql sql;

    view.sqlite = !options->sqlite ? options->sql : *options->sqlite ? options->sqlite : NULL;
    if (!ch_name_is_plain(options->name))
        ch_error(gen, place, "the view name %s is not snake_case; write %s", options->name,
                 ch_name_snake(gen->run, options->name));
    ch_sql_read_query(gen, options->sql, place, ch_text(gen->run, "the view %s", options->name), &sql);
    CH_APPEND(gen->run, gen->model.views, gen->model.view_count, view);
}

// --- scopes that a caller must hold ---------------------------------------------------------------------------------

// "team", or "user:{user_id}" with a column of the row (or of the request) between the braces.
static void check_scope(struct ch_gen *gen, const char *scope, const struct ch_model_table *table, const char *who,
                        struct ch_place place)
{
    size_t len = strcspn(scope, ":");
    const char *open = strchr(scope, '{'), *close = open ? strchr(open, '}') : NULL;

    if (gen->model.schema_name && !is_audience(&gen->model, scope, len))
        ch_error(gen, place, "%s allows %s, but there is no audience %.*s; use one of %s", who, scope, (int)len, scope,
                 audience_names(gen));
    if (open && !close)
        ch_error(gen, place, "%s allows %s, where a brace is open; write name:{column}", who, scope);
    if (table && close) {
        const char *name = ch_text_n(gen->run, open + 1, (size_t)(close - open - 1));

        if (!ch_model_find_column(table, name))
            ch_error(gen, place, "%s allows %s, but %s has no column %s; its columns are %s", who, scope, table->name,
                     name, ch_model_column_names(gen, table));
    }
}

static void check_write(struct ch_gen *gen, const struct ch_model_table *table, const char **scopes, const char *what,
                        int part)
{
    struct ch_place place = ch_place_in(ch_place_of_table_option(table, 9), part);

    for (; *scopes; scopes++)
        if (strcmp(*scopes, "anyone") != 0 && strcmp(*scopes, "signed_in") != 0)
            check_scope(gen, *scopes, table, ch_text(gen->run, "write.%s of table %s", what, table->name), place);
}

static void check_scopes(struct ch_gen *gen)
{
    struct ch_model *model = &gen->model;

    for (size_t i = 0; i < model->table_count; i++) {
        check_write(gen, model->tables[i], model->tables[i]->allow_create, "create", 1);
        check_write(gen, model->tables[i], model->tables[i]->allow_update, "update", 2);
        check_write(gen, model->tables[i], model->tables[i]->allow_delete, "delete", 3);
        if (model->tables[i]->is_offline && !model->tables[i]->is_replicated)
            ch_error(gen, ch_place_in(ch_place_of_table_option(model->tables[i], 9), 4),
                     "table %s may be written offline but has no audience, so no laptop has it; add an audience or "
                     "leave offline out",
                     model->tables[i]->name);
    }
    for (size_t i = 0; i < model->service_count; i++)
        for (size_t j = 0; j < model->services[i]->method_count; j++) {
            const struct ch_model_method *method = &model->services[i]->methods[j];

            for (const char **scope = method->allow; scope && !model->services[i]->table && *scope; scope++)
                if (strcmp(*scope, "anyone") != 0 && strcmp(*scope, "signed_in") != 0)
                    check_scope(gen, *scope, NULL, ch_text(gen->run, "method %s", method->full_name), method->place);
        }
}

// --- the schema -----------------------------------------------------------------------------------------------------

static void read_file(struct ch_gen *gen, const struct ch_model_file *file)
{
    const ch_pb_file *pb = file->descriptor;
    struct ch_place place = {.file = pb, .path = {CH_AT_FILE_OPTIONS, CH_OPTION_NUMBER}, .depth = 2};
    const Charle__Schema *options =
        ch_option_read(gen, pb->options ? &pb->options->base : NULL, &charle__schema__descriptor, place);

    if (!options)
        return;
    if (gen->model.schema_name) {
        ch_error(gen, place, "%s carries (charle.schema) already; one file of a schema carries it",
                 gen->model.schema_file->name);
        return;
    }
    gen->model.schema_name = options->name;
    gen->model.schema_file = file;
    if (!ch_name_is_plain(options->name))
        ch_error(gen, place, "the schema name %s is not snake_case; write %s", options->name,
                 ch_name_snake(gen->run, options->name));
    for (size_t i = 0; i < options->n_extension; i++)
        CH_APPEND(gen->run, gen->model.extensions, gen->model.extension_count, options->extension[i]);
    for (size_t i = 0; i < options->n_grant; i++)
        read_grant(gen, options->grant[i], ch_place_at(place, 2, i));
    for (size_t i = 0; i < options->n_view; i++)
        read_view(gen, options->view[i], ch_place_at(place, 4, i));
}

void ch_model_read_schema(struct ch_gen *gen)
{
    struct ch_place nowhere = {0};

    for (size_t i = 0; i < gen->model.file_count; i++)
        if (gen->model.files[i].is_generated)
            read_file(gen, &gen->model.files[i]);
    if (gen->schema_option && !gen->model.schema_name)
        ch_error(gen, nowhere,
                 "the build expects the schema %s, but no file carries it; write option (charle.schema) = {name: "
                 "\"%s\"} in one of them",
                 gen->schema_option, gen->schema_option);
    else if (gen->schema_option && strcmp(gen->schema_option, gen->model.schema_name) != 0)
        ch_error(gen, nowhere,
                 "the build expects the schema %s, but the files carry %s; make SCHEMA of charle_generate and the name "
                 "in (charle.schema) equal",
                 gen->schema_option, gen->model.schema_name);
    if (gen->model.schema_name)
        check_granted(gen);
    check_scopes(gen);
}
