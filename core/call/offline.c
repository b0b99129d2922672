#include "call/offline.h"

#define REFUSED "the method %.*s cannot be offline: "

// --- who may call, and what they see ----------------------------------------------------------------------------------

static bool is_granted_to(const struct charle_schema *schema, struct charle_str audience, struct charle_str principal)
{
    for (size_t i = 0; i < schema->grant_count; i++) {
        if (charle_str_equal(schema->grants[i].audience, audience) && charle_str_equal(schema->grants[i].principal, principal))
            return true;
    }
    return false;
}

static bool is_shown_to(const struct charle_schema *schema, const struct charle_table *table, struct charle_str principal)
{
    for (size_t i = 0; i < table->audience_count; i++) {
        if (is_granted_to(schema, table->audiences[i].name, principal))
            return true;
    }
    return false;
}

// "signed_in" and "anyone" say nothing about the kind of person, so nothing is asked for them.
static bool may_be_called_by(const struct charle_schema *schema, const struct charle_method *method, struct charle_str principal)
{
    for (const char *const *allow = method->allow; allow && *allow; allow++) {
        if (is_granted_to(schema, charle_str_n(*allow, strcspn(*allow, ":")), principal))
            return true;
    }
    return false;
}

// --- one table --------------------------------------------------------------------------------------------------------

static enum charle_err check_table(const struct charle_schema *schema, const struct charle_method *method,
                                   const struct charle_table *table, const char *verb, struct charle_error *err)
{
    if (charle_schema_table(schema, table->id) != table)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, REFUSED "it %s table %.*s, which is none of the schema %.*s; build both anew",
                           CHARLE_FMT(method->name), verb, CHARLE_FMT(table->name), CHARLE_FMT(schema->name));
    if (table->is_local)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                           REFUSED "it %s table %.*s, which only laptops have: the call runs again on the server; give what it needs in the request",
                           CHARLE_FMT(method->name), verb, CHARLE_FMT(table->name));
    if (!table->is_replicated)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                           REFUSED "it %s table %.*s, which no laptop has; give the table an audience, or leave `offline` out",
                           CHARLE_FMT(method->name), verb, CHARLE_FMT(table->name));
    for (size_t i = 0; i < schema->grant_count; i++) {
        struct charle_str principal = schema->grants[i].principal;
        if (may_be_called_by(schema, method, principal) && !is_shown_to(schema, table, principal))
            return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                               REFUSED "it %s table %.*s, of which %.*s sees no rows; add an audience, or leave `offline` out",
                               CHARLE_FMT(method->name), verb, CHARLE_FMT(table->name), CHARLE_FMT(principal));
    }
    return CHARLE_OK;
}

static enum charle_err check_tables(const struct charle_schema *schema, const struct charle_method *method,
                                    const struct charle_table *const *tables, const char *verb, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (; !rc && tables && *tables; tables++)
        rc = check_table(schema, method, *tables, verb, err);
    return rc;
}

// --- one method -------------------------------------------------------------------------------------------------------

static enum charle_err check_kind(const struct charle_method *method, struct charle_error *err)
{
    if (method->streaming != CHARLE_UNARY)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                           REFUSED "it streams, and a queued call has one request and one reply; leave `stream` or `offline` out",
                           CHARLE_FMT(method->name));
    if (method->crud == CHARLE_CRUD_NONE && method->is_read_only)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, REFUSED "it only reads, so there is nothing to queue; leave `offline` out",
                           CHARLE_FMT(method->name));
    if (method->crud == CHARLE_CRUD_NONE && !method->unary)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, REFUSED "this program has no function for it; link its handler",
                           CHARLE_FMT(method->name));
    if (method->crud == CHARLE_CRUD_NONE && (!method->writes || !method->writes[0]))
        return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                           REFUSED "it does not say which tables it writes; add `writes` (and `reads`) to its options",
                           CHARLE_FMT(method->name));
    if (method->crud != CHARLE_CRUD_NONE && !method->table->is_replicated)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                           REFUSED "table %.*s is on no laptop; give it an audience, or leave `offline` out",
                           CHARLE_FMT(method->name), CHARLE_FMT(method->table->name));
    return CHARLE_OK;
}

enum charle_err charle_offline_check(const struct charle_schema *schema, const struct charle_method *method, struct charle_error *err)
{
    if (!method->is_offline)
        return CHARLE_OK;
    enum charle_err rc = check_kind(method, err);
    if (!rc)
        rc = check_tables(schema, method, method->reads, "reads", err);
    return rc ? rc : check_tables(schema, method, method->writes, "writes", err);
}

enum charle_err charle_offline_check_all(const struct charle_schema *schema, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t s = 0; !rc && s < schema->service_count; s++) {
        for (size_t m = 0; !rc && m < schema->services[s]->method_count; m++)
            rc = charle_offline_check(schema, &schema->services[s]->methods[m], err);
    }
    return rc;
}
