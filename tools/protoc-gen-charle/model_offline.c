// What offline methods written by hand may use. A laptop runs them on the tables it has, and the server runs them again, so each says which
// tables it reads and writes; whatever cannot be there is refused here, where the line of the .proto is known. The same rules are kept
// once more when a program starts (call/offline.h), for descriptors that were not made by this build.
#include "gen.h"

enum { METHOD_READS = 35, METHOD_WRITES = 36 };

static struct ch_place place_of_use(const struct ch_model_method *method, int32_t part, size_t i)
{
    struct ch_place place = ch_place_in(ch_place_in(method->place, CH_AT_METHOD_OPTIONS), CH_OPTION_NUMBER);

    return ch_place_at(place, part, i);
}

static const struct ch_model_table *used_table(struct ch_gen *gen, const struct ch_model_method *method, const char *name,
                                               const char *verb, struct ch_place place)
{
    const struct ch_model_table *table = ch_model_find_table(&gen->model, name);

    if (!table)
        ch_error(gen, place, "method %s %s %s, which is no table of this schema; write the SQL name of one", method->full_name, verb,
                 name);
    else if (table->is_local)
        ch_error(gen, place,
                 "method %s is offline and %s table %s, which is local_only: the call runs again on the server, which has no such table; "
                 "give what it needs in the request",
                 method->full_name, verb, name);
    else if (!table->is_replicated)
        ch_error(gen, place,
                 "method %s is offline and %s table %s, which has no audience, so no laptop has it; add an audience, or leave offline out",
                 method->full_name, verb, name);
    return table;
}

void ch_model_read_uses(struct ch_gen *gen, struct ch_model_method *method, const Charle__Method *options)
{
    struct ch_place place = ch_place_in(ch_place_in(method->place, CH_AT_METHOD_OPTIONS), CH_OPTION_NUMBER);
    bool may_be_offline = method->streaming == CHARLE_UNARY && !method->is_read_only;

    for (size_t i = 0; i < options->n_reads; i++)
        CH_APPEND(gen->run, method->reads, method->read_count,
                  used_table(gen, method, options->reads[i], "reads", place_of_use(method, METHOD_READS, i)));
    for (size_t i = 0; i < options->n_writes; i++)
        CH_APPEND(gen->run, method->writes, method->write_count,
                  used_table(gen, method, options->writes[i], "writes", place_of_use(method, METHOD_WRITES, i)));
    if (!method->is_offline && (options->n_reads || options->n_writes))
        ch_error(gen, place, "method %s says which tables it uses, which is for offline methods; leave reads and writes out",
                 method->full_name);
    if (method->is_offline && may_be_offline && !options->n_writes)
        ch_error(gen, place,
                 "method %s is offline and does not say which tables it writes; add writes: \"…\" for each, and reads: \"…\" for those it "
                 "only reads",
                 method->full_name);
}

// --- who may call, and what they see ----------------------------------------------------------------------------------

static bool is_granted_to(const struct ch_model *model, const char *audience, size_t len, const struct ch_model_table *principal)
{
    for (size_t i = 0; i < model->grant_count; i++)
        if (model->grants[i].principal == principal && strlen(model->grants[i].audience) == len &&
            memcmp(model->grants[i].audience, audience, len) == 0)
            return true;
    return false;
}

static bool is_shown_to(const struct ch_model *model, const struct ch_model_table *table, const struct ch_model_table *principal)
{
    for (size_t i = 0; i < table->audience_count; i++)
        if (is_granted_to(model, table->audiences[i].name, strlen(table->audiences[i].name), principal))
            return true;
    return false;
}

// May people of this kind call it, as far as its scopes tell? "signed_in" says nothing about the kind.
static bool may_be_called_by(const struct ch_model *model, const struct ch_model_method *method, const struct ch_model_table *principal)
{
    for (const char **allow = method->allow; allow && *allow; allow++)
        if (is_granted_to(model, *allow, strcspn(*allow, ":"), principal))
            return true;
    return false;
}

static void check_shown(struct ch_gen *gen, const struct ch_model_method *method, const struct ch_model_table *principal,
                        const struct ch_model_table *table, const char *verb, struct ch_place place)
{
    if (table && table->is_replicated && !is_shown_to(&gen->model, table, principal))
        ch_error(gen, place,
                 "method %s is offline and %s table %s, but %s, who may call it, sees no rows of it; add an audience for them, or leave "
                 "offline out",
                 method->full_name, verb, table->name, principal->name);
}

static bool was_principal(const struct ch_model *model, size_t grant)
{
    for (size_t i = 0; i < grant; i++)
        if (model->grants[i].principal == model->grants[grant].principal)
            return true;
    return false;
}

static void check_method(struct ch_gen *gen, const struct ch_model_method *method)
{
    const struct ch_model *model = &gen->model;

    for (size_t g = 0; g < model->grant_count; g++) {
        const struct ch_model_table *principal = model->grants[g].principal;

        if (!principal || was_principal(model, g) || !may_be_called_by(model, method, principal))
            continue;
        for (size_t i = 0; i < method->read_count; i++)
            check_shown(gen, method, principal, method->reads[i], "reads", place_of_use(method, METHOD_READS, i));
        for (size_t i = 0; i < method->write_count; i++)
            check_shown(gen, method, principal, method->writes[i], "writes", place_of_use(method, METHOD_WRITES, i));
    }
}

void ch_model_check_offline(struct ch_gen *gen)
{
    for (size_t i = 0; i < gen->model.service_count; i++)
        for (size_t j = 0; j < gen->model.services[i]->method_count; j++)
            if (!gen->model.services[i]->table && gen->model.services[i]->methods[j].is_offline)
                check_method(gen, &gen->model.services[i]->methods[j]);
}
