// What is true: who sees which rows and columns of stamps.proto, written a second time by hand.
#include "db/row.h"
#include "oracle.h"
#include "stamps.schema.charle.h"

#include <inttypes.h>
#include <stdio.h>

struct rule {
    const char *audience;
    uint32_t table;
    const char *columns; // by hand, in the order of their positions
    const char *from;    // with $1 for the scope's key
};

static const struct rule rules[] = {
    {"team", 1, "id, name, is_staff", "person r where $1 = ''"},
    {"team", 2, "id, name, owner_id", "client r where $1 = ''"},
    {"team", 3, "id, client_id, title, state, is_visible, minutes", "task r where $1 = ''"},
    {"client", 2, "id, name, note, owner_id", "client r where id = $1"},
    {"client", 3, "id, client_id, title, state, is_visible, price, minutes", "task r where client_id = $1"},
    {"client", 4, "id, task_id, body, is_internal",
     "comment r where not is_internal and task_id in (select id from task where client_id = $1)"},
    {"portal", 3, "id, client_id, title", "task r where client_id = $1 and is_visible and state <> 'draft'"},
    {"portal", 4, "id, body",
     "comment r where body like 'public%' and task_id in (select id from task where client_id = $1)"},
    {"user", 5, "id, title",
     "quote r where id in (select i.quote_id from item i join assignee a on a.item_id = i.id where a.user_id = $1)"},
    {"user", 6, "id, quote_id, title", "item r where id in (select item_id from assignee where user_id = $1)"},
    {"user", 8, "id, item_id, points", "score r where item_id in (select item_id from assignee where user_id = $1)"},
};
enum { RULES = sizeof(rules) / sizeof(rules[0]) };

static void split(const char *scope, char audience[32], const char **key)
{
    const char *colon = strchr(scope, ':');
    snprintf(audience, 32, "%.*s", colon ? (int)(colon - scope) : (int)strlen(scope), scope);
    *key = colon ? colon + 1 : "";
}

static struct charle_column_set columns_of(const struct charle_table *table, const char *list)
{
    struct charle_column_set set = {0};
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ", ");
        charle_column_set_add(&set, charle_table_column(table, charle_str_n(at, len))->index);
        at += len + strspn(at + len, ", ");
    }
    return set;
}

bool reader_key(uint32_t id, struct charle_bytes row, char out[64])
{
    const struct charle_table *table = charle_schema_table(&stamps_schema_tables, id);
    const struct charle_column *column = &table->columns[table->key_columns[0]];
    struct ch_row_cell cells[CH_COLUMNS_MAX];
    if (ch_row_scan(table, row, cells, NULL))
        return false;
    if (column->field->type == CHARLE_TYPE_TEXT)
        snprintf(out, 64, "%.*s", (int)cells[column->index].bytes.len, (const char *)cells[column->index].bytes.ptr);
    else
        snprintf(out, 64, "[%" PRId64 "]", ch_row_cell_int(column, &cells[column->index]));
    return true;
}

const uint32_t *reader_tables(struct charle_str scope)
{
    static _Thread_local uint32_t found[RULES + 1];
    size_t count = 0;
    for (size_t i = 0; i < RULES; i++) {
        size_t len = strlen(rules[i].audience);
        if (scope.len >= len && memcmp(scope.ptr, rules[i].audience, len) == 0 &&
            (scope.len == len || scope.ptr[len] == ':'))
            found[count++] = rules[i].table;
    }
    found[count] = 0;
    return found;
}

static bool compare_row(struct oracle *oracle, struct replica_scope *scope, uint32_t id, struct charle_bytes bytes)
{
    char key[64];
    if (!reader_key(id, bytes, key)) {
        oracle_fail(oracle, "the reader made a row that cannot be read");
        return false;
    }
    struct replica_row *row = replica_row(scope, id, charle_str(key));
    if (!row)
        oracle_fail(oracle, "%s: row %s of table %u is missing at stamp %" PRId64, scope->name, key, id, scope->stamp);
    else if (row->bytes.len != bytes.len || memcmp(row->bytes.ptr, bytes.ptr, bytes.len) != 0)
        oracle_fail(oracle, "%s: row %s of table %u is an old one at stamp %" PRId64, scope->name, key, id,
                    scope->stamp);
    else
        row->is_seen = true;
    return row && row->is_seen;
}

// Replay at a standby cancels statements, and ends sessions, that hold it up for long.
static bool is_stopped_by_replay(PGconn *conn, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return PQstatus(conn) == CONNECTION_BAD || (state && strcmp(state, "40001") == 0);
}

static bool compare_table(struct oracle *oracle, struct charle_db *db, struct replica_scope *scope,
                          const struct rule *rule, const char *key)
{
    const struct charle_table *table = charle_schema_table(&stamps_schema_tables, rule->table);
    struct charle_column_set columns = columns_of(table, rule->columns);
    struct charle_buf row = {0};
    char sql[512];
    const char *values[] = {key};
    const Oid types[] = {25};
    snprintf(sql, sizeof(sql), "select %s from %s", rule->columns, rule->from);
    PGresult *result = PQexecParams(ch_pg_connection(db), sql, 1, types, values, NULL, NULL, 1);
    bool ok = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (!ok && !is_stopped_by_replay(ch_pg_connection(db), result))
        oracle_fail(oracle, "%s: %s", sql, PQresultErrorMessage(result));
    for (int i = 0; ok && i < PQntuples(result); i++) {
        struct charle_error err;
        charle_buf_reset(&row);
        if (ch_pg_encode_row(table, &columns, result, i, &row, &err)) {
            oracle_fail(oracle, "%s", err.text);
            ok = false;
        } else {
            ok = compare_row(oracle, scope, rule->table, charle_buf_bytes(&row));
        }
    }
    PQclear(result);
    charle_buf_deinit(&row);
    return ok;
}

bool reader_can_compare(struct charle_db *db)
{
    PGconn *conn = ch_pg_connection(db);
    PGresult *locked = PQexec(conn, "lock table person, client, task, comment, quote, item, assignee, score in access share mode");
    bool is_locked = PQresultStatus(locked) == PGRES_COMMAND_OK; // not: a deadlock with somebody who empties several
    PQclear(locked);
    PGresult *moved = is_locked ? PQexec(conn, "select 1 from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace "
                                               "and relfilenode <> pg_relation_filenode(oid)")
                                : NULL;
    bool is_same = PQresultStatus(moved) == PGRES_TUPLES_OK && PQntuples(moved) == 0;
    PQclear(moved);
    return is_same;
}

bool reader_compare(struct oracle *oracle, struct charle_db *db, struct replica_scope *scope)
{
    char audience[32];
    const char *key;
    split(scope->name, audience, &key);
    for (size_t i = 0; i < scope->capacity; i++)
        scope->rows[i].is_seen = false;
    for (size_t i = 0; i < RULES; i++) {
        if (strcmp(rules[i].audience, audience) == 0 && !compare_table(oracle, db, scope, &rules[i], key))
            return false;
    }
    for (size_t i = 0; i < scope->capacity; i++) {
        const struct replica_row *row = &scope->rows[i];
        if (row->bytes.ptr && !row->is_seen) {
            oracle_fail(oracle, "%s: row %.*s of table %u should be gone at stamp %" PRId64, scope->name,
                        CHARLE_FMT(row->key), row->table, scope->stamp);
            return false;
        }
    }
    return true;
}
