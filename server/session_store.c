#include "server/session_store.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "call/context.h"

#include <sodium.h>
#include <stdio.h>

enum { PRINCIPALS_MAX = 8, SQL_SIZE_MAX = 16 << 10 };

#define LIFE_SQL  "interval '7 days'"
#define RENEW_SQL "interval '6 days'" // less than this left: it is more than a day old

struct principal {
    const struct charle_table *person;
    const struct charle_table *sessions; // NULL: charle.session
    const struct charle_column *owner;   // in sessions: who
    const char *insert_sql, *person_sql;
    bool has_address, has_agent;
};

struct ch_session_store {
    struct charle_arena arena; // the statements
    struct principal principals[PRINCIPALS_MAX];
    size_t principal_count;
    const char *find_sql, *check_sql, *delete_sql[PRINCIPALS_MAX + 1], *renew_sql[PRINCIPALS_MAX + 1],
        *purge_sql[PRINCIPALS_MAX + 1];
    size_t table_count; // of sessions, charle.session among them
};

// --- finding the tables --------------------------------------------------------------------------------------------

static const struct charle_column *column_of(const struct charle_table *table, const char *name)
{
    return charle_table_column(table, charle_str(name));
}

static const struct charle_column *reference_to(const struct charle_table *table, const struct charle_table *person)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].references == person && !table->columns[i].is_nullable)
            return &table->columns[i];
    return NULL;
}

static bool has_text_key(const struct charle_table *table)
{
    return table->key_count == 1 && table->columns[table->key_columns[0]].field->type == CHARLE_TYPE_TEXT;
}

static void find_sessions(const struct charle_schema *schema, struct principal *principal)
{
    for (size_t i = 0; i < schema->table_count; i++) {
        const struct charle_table *table = schema->tables[i];
        const struct charle_column *token = column_of(table, "token"), *expires = column_of(table, "expires_at");
        const struct charle_column *owner = reference_to(table, principal->person);
        if (!token || !token->is_server_only || !expires || expires->field->type != CHARLE_TYPE_TIMESTAMPTZ || !owner ||
            !has_text_key(table))
            continue;
        principal->sessions = table;
        principal->owner = owner;
        principal->has_address = column_of(table, "ip_address") != NULL;
        principal->has_agent = column_of(table, "user_agent") != NULL;
        return;
    }
}

static struct principal *find_principal(struct ch_session_store *store, struct charle_str name)
{
    for (size_t i = 0; i < store->principal_count; i++)
        if (charle_str_equal(store->principals[i].person->name, name))
            return &store->principals[i];
    return NULL;
}

static enum charle_err find_principals(struct ch_session_store *store, const struct charle_schema *schema,
                                       struct charle_error *err)
{
    for (size_t i = 0; i < schema->grant_count; i++) {
        const struct charle_table *person = charle_schema_table_named(schema, schema->grants[i].principal);
        if (!person || !column_of(person, "email") || !has_text_key(person) || find_principal(store, person->name))
            continue;
        if (store->principal_count == PRINCIPALS_MAX)
            return charle_fail(err, CHARLE_TOO_LARGE, "the schema has more than %d tables of people", PRINCIPALS_MAX);
        struct principal *principal = &store->principals[store->principal_count++];
        principal->person = person;
        find_sessions(schema, principal);
    }
    return CHARLE_OK;
}

// --- the statements ------------------------------------------------------------------------------------------------

// Names come from the compiled schema, which refuses quotes in them.
#define NAME(column_or_table) CHARLE_FMT((column_or_table)->name)
#define KEY(table)            CHARLE_FMT((table)->columns[(table)->key_columns[0]].name)

static void add_find(const struct ch_session_store *store, struct charle_buf *sql, const char *condition,
                     bool wants_token)
{
    for (size_t i = 0; i < store->principal_count; i++) {
        const struct principal *p = &store->principals[i];
        if (p->sessions)
            charle_buf_printf(sql,
                              "select '%.*s'::text, \"%.*s\", expires_at%s from \"%.*s\" where token %s and expires_at "
                              "> now() union all ",
                              NAME(p->person), NAME(p->owner), wants_token ? ", token" : "", NAME(p->sessions),
                              condition);
    }
    charle_buf_printf(
        sql, "select principal, principal_id, expires_at%s from charle.session where token %s and expires_at > now()",
        wants_token ? ", token" : "", condition);
}

static void add_insert(const struct principal *p, struct charle_buf *sql)
{
    if (!p->sessions) {
        charle_buf_add_text(
            sql, "insert into charle.session (id, principal_id, token, address, agent, principal, expires_at) "
                 "values ($1, $2, $3, $4, $5, $6, now() + " LIFE_SQL ") returning expires_at");
        return;
    }
    charle_buf_printf(sql, "insert into \"%.*s\" (\"%.*s\", \"%.*s\", token%s%s, expires_at) values ($1, $2, $3",
                      NAME(p->sessions), KEY(p->sessions), NAME(p->owner), p->has_address ? ", ip_address" : "",
                      p->has_agent ? ", user_agent" : "");
    int next = 4;
    if (p->has_address)
        charle_buf_printf(sql, ", $%d", next++);
    if (p->has_agent)
        charle_buf_printf(sql, ", $%d", next++);
    charle_buf_add_text(sql, ", now() + " LIFE_SQL ") returning expires_at");
}

static void add_person(const struct charle_schema *schema, const struct principal *p, struct charle_buf *sql)
{
    charle_buf_printf(sql, "select p.\"%.*s\", %s, c.hash, coalesce(c.hash", KEY(p->person),
                      column_of(p->person, "name") ? "p.name" : "p.email");
    for (size_t i = 0; i < schema->table_count; i++) {
        const struct charle_table *table = schema->tables[i];
        const struct charle_column *password = column_of(table, "password"), *owner = reference_to(table, p->person);
        if (password && password->is_server_only && owner)
            charle_buf_printf(sql,
                              ", (select a.password from \"%.*s\" a where a.\"%.*s\" = p.\"%.*s\" and a.password is "
                              "not null order by 1 limit 1)",
                              NAME(table), NAME(owner), KEY(p->person));
    }
    charle_buf_printf(sql,
                      ") from \"%.*s\" p left join charle.credential c on c.principal = '%.*s' and c.principal_id = "
                      "p.\"%.*s\" where p.email = $1",
                      NAME(p->person), NAME(p->person), KEY(p->person));
}

// Moves the finished text into the store's arena and empties the buffer.
static const char *keep(struct ch_session_store *store, struct charle_buf *sql)
{
    struct charle_str text =
        sql->failed ? (struct charle_str){0} : charle_arena_str(&store->arena, charle_buf_str(sql));
    charle_buf_reset(sql);
    return text.ptr;
}

static void write_table_statements(struct ch_session_store *store, const char *quoted, bool is_ours,
                                   struct charle_buf *sql)
{
    size_t i = store->table_count++;
    charle_buf_printf(sql, "delete from %s where token = $1", quoted);
    store->delete_sql[i] = keep(store, sql);
    charle_buf_printf(sql, "delete from %s where expires_at <= now()", quoted);
    store->purge_sql[i] = keep(store, sql);
    charle_buf_printf(sql,
                      "update %s set expires_at = now() + " LIFE_SQL
                      "%s where token = any($1) and expires_at > now() and expires_at < now() + " RENEW_SQL,
                      quoted, is_ours ? ", updated_at = now()" : "");
    store->renew_sql[i] = keep(store, sql);
}

static enum charle_err write_statements(struct ch_session_store *store, const struct charle_schema *schema,
                                        struct charle_error *err)
{
    struct charle_buf sql;
    charle_buf_init(&sql, SQL_SIZE_MAX);
    for (size_t i = 0; i < store->principal_count; i++) {
        struct principal *p = &store->principals[i];
        char quoted[CH_IDENTIFIER_LEN_MAX + 3];
        add_insert(p, &sql);
        p->insert_sql = keep(store, &sql);
        add_person(schema, p, &sql);
        p->person_sql = keep(store, &sql);
        if (!p->sessions)
            continue;
        snprintf(quoted, sizeof(quoted), "\"%.*s\"", NAME(p->sessions));
        write_table_statements(store, quoted, column_of(p->sessions, "updated_at") != NULL, &sql);
    }
    write_table_statements(store, "charle.session", false, &sql);
    add_find(store, &sql, "= $1", false);
    store->find_sql = keep(store, &sql);
    add_find(store, &sql, "= any($1)", true);
    store->check_sql = keep(store, &sql);
    charle_buf_deinit(&sql);
    return store->check_sql && store->find_sql ? CHARLE_OK
                                               : charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
}

enum charle_err ch_session_store_new(const struct charle_schema *schema, struct ch_session_store **out,
                                     struct charle_error *err)
{
    struct ch_session_store *store = ch_alloc_zeroed(1, sizeof(*store));
    if (!store)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    enum charle_err rc = find_principals(store, schema, err);
    if (rc == CHARLE_OK)
        rc = write_statements(store, schema, err);
    if (rc) {
        ch_session_store_free(store);
        return rc;
    }
    *out = store;
    return CHARLE_OK;
}

void ch_session_store_free(struct ch_session_store *store)
{
    if (!store)
        return;
    charle_arena_deinit(&store->arena);
    ch_free(store);
}

bool ch_session_store_has_principal(const struct ch_session_store *store, struct charle_str principal)
{
    return find_principal((struct ch_session_store *)store, principal) != NULL;
}

// --- sessions ------------------------------------------------------------------------------------------------------

static enum charle_err read_text(struct charle_rows *rows, size_t column, struct charle_arena *arena,
                                 struct charle_str *out, struct charle_error *err)
{
    struct charle_value value;
    enum charle_err rc = charle_rows_value(rows, column, CHARLE_TYPE_TEXT, false, &value, err);
    *out = (struct charle_str){0};
    if (rc || value.is_null)
        return rc;
    *out = charle_arena_str(arena, value.text);
    return out->ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "out of memory while reading a session");
}

static enum charle_err read_ts(struct charle_rows *rows, size_t column, struct charle_ts *out, struct charle_error *err)
{
    struct charle_value value;
    enum charle_err rc = charle_rows_value(rows, column, CHARLE_TYPE_TIMESTAMPTZ, false, &value, err);
    if (rc == CHARLE_OK)
        *out = value.ts;
    return rc;
}

enum charle_err ch_session_store_find(struct ch_session_store *store, struct charle_db *db,
                                      struct charle_str token_hash, struct charle_arena *arena,
                                      struct ch_session_row *out, struct charle_error *err)
{
    struct charle_value param = charle_text(token_hash);
    struct charle_rows *rows = NULL;
    enum charle_err rc = charle_query(db, store->find_sql, &param, 1, &rows, err);
    if (rc)
        return rc;
    rc = charle_rows_next(rows, err);
    if (rc == CHARLE_DONE)
        rc = charle_fail(err, CHARLE_NOT_FOUND, "no such session");
    if (rc == CHARLE_OK)
        rc = read_text(rows, 0, arena, &out->principal, err);
    if (rc == CHARLE_OK)
        rc = read_text(rows, 1, arena, &out->principal_id, err);
    if (rc == CHARLE_OK)
        rc = read_ts(rows, 2, &out->expires_at, err);
    charle_rows_close(rows);
    return rc;
}

static void mark(const struct charle_str *hashes, size_t count, struct charle_str hash, bool *out_live)
{
    for (size_t i = 0; i < count; i++)
        out_live[i] |= charle_str_equal(hashes[i], hash);
}

enum charle_err ch_session_store_check(struct ch_session_store *store, struct charle_db *db,
                                       const struct charle_str *hashes, size_t count, bool *out_live,
                                       struct charle_error *err)
{
    struct charle_value param = {
        .type = CHARLE_TYPE_TEXT, .is_array = true, .array = {.items = hashes, .count = count, .has = true}};
    struct charle_rows *rows = NULL;
    int64_t soonest_us = INT64_MAX;
    memset(out_live, 0, count * sizeof(*out_live));
    enum charle_err rc = charle_query(db, store->check_sql, &param, 1, &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK) {
        struct charle_value token;
        struct charle_ts expires = {0};
        rc = charle_rows_value(rows, 3, CHARLE_TYPE_TEXT, false, &token, err);
        if (rc == CHARLE_OK)
            rc = read_ts(rows, 2, &expires, err);
        if (rc == CHARLE_OK)
            mark(hashes, count, token.text, out_live);
        soonest_us = rc == CHARLE_OK && expires.us < soonest_us ? expires.us : soonest_us;
    }
    charle_rows_close(rows);
    if (rc != CHARLE_DONE)
        return rc;
    // Most checks renew nothing, and then nothing is written.
    bool must_renew = soonest_us < ch_clock_wall().us + (int64_t)6 * 86400 * 1000000;
    rc = CHARLE_OK;
    for (size_t i = 0; must_renew && rc == CHARLE_OK && i < store->table_count; i++)
        rc = charle_exec(db, store->renew_sql[i], &param, 1, NULL, err);
    return rc;
}

static struct charle_value text_or_null(struct charle_str text)
{
    return text.len ? charle_text(text) : charle_null(CHARLE_TYPE_TEXT);
}

static struct charle_str new_id(struct charle_arena *arena)
{
    struct charle_context context = {.arena = arena};
    uint64_t seed;
    randombytes_buf(&seed, sizeof(seed));
    charle_context_seed(&context, ch_clock_wall(), seed);
    return charle_context_new_id(&context);
}

enum charle_err ch_session_store_insert(struct ch_session_store *store, struct charle_db *db,
                                        const struct ch_session_new *session, struct charle_arena *arena,
                                        struct charle_ts *out_expires_at, struct charle_error *err)
{
    const struct principal *p = find_principal(store, session->principal);
    struct charle_str id = new_id(arena);
    if (!p || !id.ptr)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while making a session");
    struct charle_value params[6] = {charle_text(id), charle_text(session->principal_id),
                                     charle_text(session->token_hash)};
    size_t count = 3;
    if (!p->sessions || p->has_address)
        params[count++] = text_or_null(session->address);
    if (!p->sessions || p->has_agent)
        params[count++] = text_or_null(session->agent);
    if (!p->sessions)
        params[count++] = charle_text(session->principal);
    struct charle_rows *rows = NULL;
    enum charle_err rc = charle_query(db, p->insert_sql, params, count, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_OK)
        rc = read_ts(rows, 0, out_expires_at, err);
    charle_rows_close(rows);
    return rc;
}

enum charle_err ch_session_store_delete(struct ch_session_store *store, struct charle_db *db,
                                        struct charle_str token_hash, struct charle_error *err)
{
    struct charle_value param = charle_text(token_hash);
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; rc == CHARLE_OK && i < store->table_count; i++)
        rc = charle_exec(db, store->delete_sql[i], &param, 1, NULL, err);
    return rc;
}

enum charle_err ch_session_store_purge(struct ch_session_store *store, struct charle_db *db, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; rc == CHARLE_OK && i < store->table_count; i++)
        rc = charle_exec(db, store->purge_sql[i], NULL, 0, NULL, err);
    return rc;
}

// --- people --------------------------------------------------------------------------------------------------------

enum charle_err ch_session_store_person(struct ch_session_store *store, struct charle_db *db,
                                        struct charle_str principal, struct charle_str email,
                                        struct charle_arena *arena, struct ch_person *out, struct charle_error *err)
{
    const struct principal *p = find_principal(store, principal);
    struct charle_value param = charle_text(email);
    struct charle_rows *rows = NULL;
    struct charle_str local = {0};
    if (!p)
        return charle_fail(err, CHARLE_NOT_FOUND, "no such kind of person");
    enum charle_err rc = charle_query(db, p->person_sql, &param, 1, &rows, err);
    if (rc)
        return rc;
    rc = charle_rows_next(rows, err);
    if (rc == CHARLE_DONE)
        rc = charle_fail(err, CHARLE_NOT_FOUND, "nobody has this address");
    if (rc == CHARLE_OK)
        rc = read_text(rows, 0, arena, &out->id, err);
    if (rc == CHARLE_OK)
        rc = read_text(rows, 1, arena, &out->name, err);
    if (rc == CHARLE_OK)
        rc = read_text(rows, 2, arena, &local, err);
    if (rc == CHARLE_OK)
        rc = read_text(rows, 3, arena, &out->password_hash, err);
    out->is_local = local.ptr != NULL;
    charle_rows_close(rows);
    return rc;
}
