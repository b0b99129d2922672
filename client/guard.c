#include "client/guard.h"

#include <stdio.h>
#include <strings.h>

#define SAY(guard, format, ...)                                                                                        \
    ((guard)->method ? snprintf((guard)->base.why, sizeof((guard)->base.why), "the offline method %.*s " format,       \
                                CHARLE_FMT((guard)->method->name), __VA_ARGS__)                                        \
                     : snprintf((guard)->base.why, sizeof((guard)->base.why), "this transaction of local tables " format, __VA_ARGS__))

// What gives another answer at another time, on another machine, or after another history of the connection.
static const char *const restless[] = {
    "random",   "randomblob",   "charle_now",   "date",         "time",    "datetime",      "julianday",         "strftime", "unixepoch",
    "timediff", "current_date", "current_time", "current_timestamp", "changes", "total_changes", "last_insert_rowid", "sqlite_version",
    "sqlite_source_id", "load_extension",
};

static bool lists(const struct charle_table *const *tables, const struct charle_table *table)
{
    for (; tables && *tables; tables++) {
        if (*tables == table)
            return true;
    }
    return false;
}

static bool may_use_table(struct ch_call_guard *guard, const char *name, bool is_write)
{
    const struct charle_method *method = guard->method;
    const struct charle_table *table = charle_schema_table_named(guard->schema, charle_str(name));
    const char *verb = is_write ? "writes" : "reads";
    if (!table && (strncasecmp(name, "charle_", 7) == 0 || strncasecmp(name, "sqlite_", 7) == 0)) {
        SAY(guard, "%s %s, which is the platform's; use tables of the schema", verb, name);
        return false;
    }
    if (!table && is_write) {
        SAY(guard, "writes %s, which is no table of the schema", name);
        return false;
    }
    if (!method && (!is_write || !table || table->is_local))
        return true;
    if (!method) {
        SAY(guard, "writes %s, which is the server's too: change it by a call, so that the server learns of it", name);
        return false;
    }
    if (table && table->is_local) {
        SAY(guard, "%s table %s, which only laptops have: the server runs the call again; give what it needs in the request", verb, name);
        return false;
    }
    if (!table || lists(method->writes, table) || (!is_write && lists(method->reads, table)))
        return true; // a name that is no table is one within the statement, or a function that gives rows
    SAY(guard, "%s table %s without saying so: add %s: \"%s\" to its options", verb, name, verb, name);
    return false;
}

static bool may_call_function(struct ch_call_guard *guard, const char *name)
{
    for (size_t i = 0; guard->method && i < sizeof(restless) / sizeof(restless[0]); i++) {
        if (strcasecmp(name, restless[i]) != 0)
            continue;
        SAY(guard, "uses %s() in SQL, which the server's run would answer otherwise; take ids, time and random numbers from the context", name);
        return false;
    }
    return true;
}

static bool may(struct ch_sqlite_guard *base, int action, const char *one, const char *two)
{
    struct ch_call_guard *guard = (struct ch_call_guard *)base;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
    case SQLITE_SAVEPOINT:
        return true;
    case SQLITE_READ:
        return may_use_table(guard, one, false);
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        return may_use_table(guard, one, true);
    case SQLITE_FUNCTION:
        return may_call_function(guard, two);
    case SQLITE_TRANSACTION:
        SAY(guard, "begins or ends a transaction (%s); it runs inside one", one);
        return false;
    default:
        SAY(guard, "does more than read and write rows (SQLite's action %d on %s); leave that to the schema", action, one);
        return false;
    }
}

static void explain(struct ch_sqlite_guard *base, const char *message)
{
    struct ch_call_guard *guard = (struct ch_call_guard *)base;
    if (strncmp(message, "no such table", 13) == 0)
        SAY(guard, "cannot run on a laptop: %s; laptops have the tables that have an audience", message);
    else if (strstr(message, "no such column") || strstr(message, "has no column named"))
        SAY(guard, "cannot run on a laptop: %s; laptops have the columns that an audience shows", message);
}

enum charle_err ch_call_guard_open(struct ch_call_guard *guard, struct charle_db *db, const struct charle_schema *schema,
                                   struct charle_error *err)
{
    // SQLite declares these tables in passing when they are first named, which would look like making one.
    static const char names[] = "select (select count(*) from json_each('[]')) + (select count(*) from json_tree('[]'))";
    *guard = (struct ch_call_guard){.base = {.may = may, .explain = explain}, .schema = schema};
    enum charle_err rc = charle_exec_script(db, names, err);
    return rc ? rc : ch_sqlite_set_guard(db, &guard->base, err);
}

void ch_call_guard_on(struct ch_call_guard *guard, const struct charle_method *method)
{
    guard->method = method;
    guard->base.token = method;
    guard->base.is_on = method->crud == CHARLE_CRUD_NONE;
}

void ch_call_guard_local(struct ch_call_guard *guard)
{
    guard->method = NULL;
    guard->base.token = guard; // no method has this address
    guard->base.is_on = true;
}

void ch_call_guard_off(struct ch_call_guard *guard)
{
    guard->base.is_on = false;
}
