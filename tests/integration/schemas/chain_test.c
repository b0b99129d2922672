// Schemas that nobody has seen before, through the whole chain: a real server makes the tables on PostgreSQL, a laptop takes a copy,
// rows are created there and here, read, listed, changed and deleted on both sides, and the replica must equal the server throughout.
//
// Nothing here knows a schema: all is read from descriptors. Every second call is made on the server, the others on the laptop.
#include "../charled/process.h"
#include "base/arena.h"
#include "call/method.h"
#include "charle/charle.h"
#include "extremes.h"
#include "msg/json.h"
#include "msg/wire.h"
#include "schemas.h"
#include "server/token.h"
#include "support/pg_cluster.h"
#include "values.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROWS = 8, KEYS_MAX = 4096, SYNC_MS = 60000 };

struct row {
    const struct charle_table *table;
    const char *key; // as JSON
};

struct chain {
    const struct charle_schema *schema;
    char url[CH_PG_CLUSTER_URL_SIZE], file[120];
    struct server server;
    struct charle_client *client;
    struct charle_arena arena;
    char token[CH_TOKEN_SIZE];
    struct row rows[KEYS_MAX];
    size_t row_count;
};

// --- calls ---------------------------------------------------------------------------------------------------------

static const struct charle_method *method_of(const struct chain *chain, const struct charle_table *table, enum charle_crud crud)
{
    for (size_t i = 0; i < chain->schema->service_count; i++) {
        const struct charle_service *service = chain->schema->services[i];
        for (size_t j = 0; j < service->method_count; j++)
            if (service->methods[j].table == table && service->methods[j].crud == crud)
                return &service->methods[j];
    }
    fail_msg("table %.*s has no such method", CHARLE_FMT(table->name));
    return NULL;
}

static const char *text_of(struct chain *chain, struct charle_buf *buf)
{
    const char *text = charle_buf_text(buf);
    assert_non_null(text);
    text = charle_arena_str(&chain->arena, charle_str(text)).ptr;
    charle_buf_deinit(buf);
    return text;
}

// Calls the method with a JSON request; the reply as JSON, or NULL with *err.
static const char *try_call(struct chain *chain, const struct charle_method *method, const char *request, bool is_online, void **out_reply,
                            struct charle_error *err)
{
    void *in = charle_arena_alloc(&chain->arena, method->request->size), *reply = charle_arena_alloc(&chain->arena, method->reply->size);
    const struct charle_client_call_options options = {.is_online = is_online, .timeout_ms = SYNC_MS};
    struct charle_buf json = {0};
    if (charle_message_read_json(method->request, charle_str(request), &chain->arena, in, err) ||
        charle_client_call(chain->client, method, in, &chain->arena, reply, &options, err))
        return NULL;
    charle_message_write_json(method->reply, reply, &json);
    if (out_reply)
        *out_reply = reply;
    return text_of(chain, &json);
}

static const char *call(struct chain *chain, const struct charle_method *method, const char *request, bool is_online, void **out_reply)
{
    struct charle_error err = {0};
    const char *reply = try_call(chain, method, request, is_online, out_reply, &err);
    if (!reply)
        fail_msg("%.*s %s %s: %s", CHARLE_FMT(method->name), is_online ? "on the server" : "here", request, err.text);
    return reply;
}

static bool print_verdict(void *ctx, const struct charle_inbox_entry *entry)
{
    (void)ctx;
    print_error("%s: %s\n", entry->method, entry->text);
    return true;
}

static void sync_up(struct chain *chain)
{
    struct charle_error err = {0};
    struct charle_client_status status;
    assert_ok((enum charle_err)charle_client_sync(chain->client, SYNC_MS, &err), &err);
    charle_client_status(chain->client, &status);
    if (status.inbox_count)
        assert_int_equal(charle_client_inbox(chain->client, print_verdict, NULL, &err), CHARLE_OK);
    assert_int_equal(status.inbox_count, 0);
    assert_int_equal(status.pending_calls, 0);
}

static void assert_equal_to_server(struct chain *chain, const char *when)
{
    struct charle_error err = {0};
    struct charle_verify_report report = {0};
    assert_ok((enum charle_err)charle_client_verify(chain->client, SYNC_MS, &report, &err), &err);
    if (report.rows_different)
        fail_msg("%lld rows differ %s", (long long)report.rows_different, when);
}

// --- rows ----------------------------------------------------------------------------------------------------------

static bool is_unique(const struct charle_table *table, const struct charle_column *column)
{
    for (size_t i = 0; i < table->key_count; i++)
        if (table->key_columns[i] == column->index)
            return true;
    for (size_t i = 0; i < table->index_count; i++)
        for (size_t j = 0; table->indexes[i].is_unique && j < table->indexes[i].column_count; j++)
            if (table->indexes[i].columns[j] == column->index)
                return true;
    return false;
}

static bool is_key(const struct charle_table *table, const struct charle_column *column)
{
    for (size_t i = 0; i < table->key_count; i++)
        if (table->key_columns[i] == column->index)
            return true;
    return false;
}

static void add_name(struct charle_buf *json, bool *is_first, struct charle_str name)
{
    charle_buf_add_text(json, *is_first ? "" : ",");
    charle_json_write_str(json, name);
    charle_buf_add_text(json, ":");
    *is_first = false;
}

// The key of the n-th row of a table, as JSON; NULL when there are fewer.
static const char *key_of(const struct chain *chain, const struct charle_table *table, size_t n)
{
    for (size_t i = 0; i < chain->row_count; i++)
        if (chain->rows[i].table == table && n-- == 0)
            return chain->rows[i].key;
    return NULL;
}

// The value of a reference: what the row that is referred to has. False: there is no such row yet.
static bool add_reference(struct chain *chain, struct charle_buf *json, const struct charle_column *column, size_t n)
{
    const struct charle_table *parent = column->references;
    const char *key = key_of(chain, parent, n);
    void *reply;
    if (!key)
        return false;
    call(chain, method_of(chain, parent, CHARLE_CRUD_GET), key, true, &reply);
    const struct charle_column *to = &parent->columns[column->references_column];
    charle_field_write_json(charle_message_field(parent->patch, to->field->number), reply, json);
    return true;
}

// Values for the n-th row; every second row leaves out what may be null. False when a parent is missing.
static bool add_values(struct chain *chain, struct charle_buf *json, const struct charle_table *table, size_t n, bool for_update)
{
    bool is_first = true;
    charle_buf_add_text(json, "{");
    for (size_t i = 0; i < table->column_count; i++) {
        const struct charle_column *column = &table->columns[i];
        if (column->generate || (for_update && (is_key(table, column) || column->merge == CHARLE_MERGE_DERIVED)))
            continue;
        if (column->is_nullable && n % 2 == 1)
            continue;
        struct charle_buf value = {0};
        bool is_there = true;
        if (column->references)
            is_there = add_reference(chain, &value, column, for_update ? ROWS - 1 - n : n);
        else
            values_add(&value, column, n + (for_update && !is_unique(table, column)) * (i + 1), is_unique(table, column));
        if (is_there) {
            add_name(json, &is_first, column->name);
            charle_buf_add(json, value.data, value.size);
        }
        charle_buf_deinit(&value);
        if (!is_there && !column->is_nullable)
            return false;
    }
    charle_buf_add_text(json, "}");
    return true;
}

static const char *key_in_reply(struct chain *chain, const struct charle_table *table, const void *reply)
{
    struct charle_buf json = {0};
    bool is_first = true;
    charle_buf_add_text(&json, "{");
    for (size_t i = 0; i < table->key_count; i++) {
        const struct charle_column *column = &table->columns[table->key_columns[i]];
        add_name(&json, &is_first, column->name);
        charle_field_write_json(charle_message_field(table->patch, column->field->number), reply, &json);
    }
    charle_buf_add_text(&json, "}");
    return text_of(chain, &json);
}

static size_t row_limit(const struct charle_table *table)
{
    size_t limit = ROWS;
    for (size_t i = 0; i < table->column_count; i++)
        if (is_unique(table, &table->columns[i]) && values_count(&table->columns[i]) < limit)
            limit = values_count(&table->columns[i]);
    return limit;
}

static void create_rows(struct chain *chain, const struct charle_table *table)
{
    for (size_t n = 0; n < row_limit(table); n++) {
        struct charle_buf json = {0};
        void *reply;
        bool is_online = n % 4 < 2;
        if (!add_values(chain, &json, table, n, false)) {
            charle_buf_deinit(&json);
            continue; // refers to a row of a table that comes later
        }
        const char *request = text_of(chain, &json);
        call(chain, method_of(chain, table, CHARLE_CRUD_CREATE), request, is_online || !table->is_offline, &reply);
        assert_true(chain->row_count < KEYS_MAX);
        chain->rows[chain->row_count++] = (struct row){table, key_in_reply(chain, table, reply)};
        if (n % 2 == 1)
            sync_up(chain); // rows made on the server must be here before others refer to them
    }
}

// What a reading method says here must be what it says on the server.
static void compare(struct chain *chain, const struct charle_method *method, const char *request)
{
    const char *there = call(chain, method, request, true, NULL), *here = call(chain, method, request, false, NULL);
    size_t same = 0;
    while (here[same] && here[same] == there[same])
        same++;
    size_t from = same > 200 ? same - 200 : 0; // the end of what is equal says where it is
    if (here[same] != there[same])
        fail_msg("%.*s %s\n here:  %.600s\n there: %.600s", CHARLE_FMT(method->name), request, here + from, there + from);
}

static void compare_rows(struct chain *chain)
{
    for (size_t i = 0; i < chain->row_count; i++)
        if (chain->rows[i].table->is_replicated)
            compare(chain, method_of(chain, chain->rows[i].table, CHARLE_CRUD_GET), chain->rows[i].key);
}

static void compare_lists(struct chain *chain)
{
    for (size_t i = 0; i < chain->schema->table_count; i++) {
        const struct charle_table *table = chain->schema->tables[i];
        for (size_t j = 0; j < table->column_count && table->is_replicated; j++) {
            const struct charle_column *column = &table->columns[j];
            char request[300];
            if (column->is_array || column->field->type == CHARLE_TYPE_JSONB || column->field->type == CHARLE_TYPE_BYTES || column->is_server_only)
                continue;
            snprintf(request, sizeof(request), "{\"order_by\": \"%.*s\", \"ascending\": %s, \"limit\": 5}", CHARLE_FMT(column->name),
                     j % 2 ? "true" : "false");
            compare(chain, method_of(chain, table, CHARLE_CRUD_LIST), request);
        }
    }
}

// A value that was asked for must be the value that is there.
static void assert_took(struct chain *chain, const struct charle_table *table, const char *request, const void *reply)
{
    void *asked = charle_arena_alloc(&chain->arena, table->patch->size);
    struct charle_error err = {0};
    assert_ok(charle_message_read_json(table->patch, charle_str(request), &chain->arena, asked, &err), &err);
    for (size_t i = 0; i < table->patch->field_count; i++) {
        const struct charle_field *field = &table->patch->fields[i];
        struct charle_buf want = {0}, got = {0};
        charle_field_write_json(field, asked, &want);
        charle_field_write_json(field, reply, &got);
        const char *want_text = text_of(chain, &want), *got_text = text_of(chain, &got);
        bool is_asked = strcmp(want_text, "null") != 0 && strcmp(want_text, "[]") != 0;
        // -0 is 0 and JSON is stored without its spaces and in the order of its names: bytes, not texts, say what is equal.
        if (is_asked && field->type != CHARLE_TYPE_JSONB && field->type != CHARLE_TYPE_FLOAT8)
            assert_string_equal(got_text, want_text);
    }
}

static void update_rows(struct chain *chain)
{
    for (size_t i = 0, n = 0; i < chain->row_count; i++, n++) {
        const struct charle_table *table = chain->rows[i].table;
        struct charle_buf set = {0};
        void *reply;
        if (i && chain->rows[i - 1].table != table)
            n = 0;
        if (table->key_count == table->column_count || !*table->allow_update || strcmp(table->name.ptr, "person") == 0)
            continue;
        if (!add_values(chain, &set, table, n, true))
            charle_buf_reset(&set), charle_buf_add_text(&set, "{}");
        const char *values = text_of(chain, &set);
        struct charle_str request =
            charle_arena_printf(&chain->arena, "{\"key\":%s,\"set\":%s}", chain->rows[i].key, values);
        assert_non_null(request.ptr);
        if (strcmp(values, "{}") == 0)
            continue;
        call(chain, method_of(chain, table, CHARLE_CRUD_UPDATE), request.ptr, i % 2 || !table->is_offline, &reply);
        assert_took(chain, table, values, reply);
        if (n % 4 == 3)
            sync_up(chain);
    }
}

static void set_nulls(struct chain *chain)
{
    for (size_t i = 0; i < chain->row_count; i += 2) {
        const struct charle_table *table = chain->rows[i].table;
        struct charle_buf json = {0};
        size_t count = 0;
        charle_buf_printf(&json, "{\"key\":%s,\"set\":{},\"mask\":[", chain->rows[i].key);
        for (size_t j = 0; j < table->column_count; j++)
            if (table->columns[j].is_nullable && !table->columns[j].generate && table->columns[j].merge != CHARLE_MERGE_DERIVED)
                charle_buf_printf(&json, "%s%u", count++ ? "," : "", (unsigned)table->columns[j].field->number);
        charle_buf_add_text(&json, "]}");
        const char *request = text_of(chain, &json);
        if (count && *table->allow_update)
            call(chain, method_of(chain, table, CHARLE_CRUD_UPDATE), request, !table->is_offline, NULL);
    }
}

// Children are made after their parents, so the last row goes first. A row that another one refers to may stay.
static void delete_rows(struct chain *chain)
{
    for (size_t i = chain->row_count; i-- > 0;) {
        const struct charle_table *table = chain->rows[i].table;
        struct charle_str request = charle_arena_printf(&chain->arena, "{\"key\":%s}", chain->rows[i].key);
        struct charle_error err = {0};
        if (!*table->allow_delete)
            continue;
        if (!try_call(chain, method_of(chain, table, CHARLE_CRUD_DELETE), request.ptr, true, NULL, &err))
            assert_contains(err.text, "refer");
        if (i == 0 || chain->rows[i - 1].table != table) {
            sync_up(chain);
            assert_equal_to_server(chain, table->name.ptr);
        }
    }
}

// --- the chain -----------------------------------------------------------------------------------------------------

static void load_sqlite(const struct charle_schema *schema)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    for (size_t i = 0; i < schema->table_count; i++) {
        const struct charle_table *table = schema->create_order[i];
        if (sqlite3_exec(db, table->sqlite_create, NULL, NULL, &message) != SQLITE_OK)
            fail_msg("%s\n%s", message, table->sqlite_create);
        if (sqlite3_exec(db, table->sqlite_indexes, NULL, NULL, &message) != SQLITE_OK)
            fail_msg("%s\n%s", message, table->sqlite_indexes);
    }
    sqlite3_close(db);
}

static void sign_in(struct chain *chain)
{
    char hash[CH_TOKEN_HASH_SIZE], sql[400];
    ch_token_new(chain->token);
    ch_token_hash(charle_str(chain->token), hash);
    snprintf(sql, sizeof(sql),
             "insert into person (id, email) values ('ada', 'ada@test');"
             "insert into charle.session (id, principal_id, token, principal, expires_at) values ('s', 'ada', '%s', 'person', now() + "
             "interval '1 day')",
             hash);
    run_sql(chain->url, sql);
}

static void open_laptop(struct chain *chain, const char *name)
{
    struct charle_error err = {0};
    snprintf(chain->file, sizeof(chain->file), "%.80s-%.20s.db", chain->server.folder, name);
    const struct charle_client_options options = {
        .file = chain->file, .schema = chain->schema, .url = chain->server.address, .token = chain->token};
    assert_ok((enum charle_err)charle_client_open(&options, &chain->client, &err), &err);
    sync_up(chain);
}

static void start(struct chain *chain)
{
    char name[80];
    snprintf(name, sizeof(name), "%.*s", CHARLE_FMT(chain->schema->name));
    setenv("CHARLE_TEST_SCHEMA", name, 1);
    assert_true(ch_pg_cluster_database(ch_pg_cluster_shared(), name, chain->url));
    server_init(&chain->server);
    server_start(&chain->server, chain->url, (const char *const[]){"--migrate", NULL});
    server_wait_ready(&chain->server);
    sign_in(chain);
    open_laptop(chain, "first");
}

// Whatever another program may write to PostgreSQL arrives, or is refused there: no row may stop a laptop.
static void write_extremes(struct chain *chain)
{
    for (size_t i = 0; extremes_kept[i]; i++) {
        run_sql(chain->url, extremes_kept[i]);
        sync_up(chain);
        assert_equal_to_server(chain, extremes_kept[i]);
    }
    for (size_t i = 0; extremes_refused[i]; i++)
        if (extremes_try(chain->url, extremes_refused[i]))
            fail_msg("not refused: %s", extremes_refused[i]);
    compare_rows(chain);
}

// Every range of rows with moments as keys must be found equal as it is, not by fetching it again, which would not say what is too much here.
static void write_moments(struct chain *chain)
{
    struct charle_error err = {0};
    struct charle_verify_report before = {0}, after = {0};
    assert_ok((enum charle_err)charle_client_verify(chain->client, SYNC_MS, &before, &err), &err);
    run_sql(chain->url, "insert into key_ts select timestamptz '1960-01-01 00:00:00.000001Z' + n * interval '1 day' from generate_series(1, 50) n");
    sync_up(chain);
    assert_ok((enum charle_err)charle_client_verify(chain->client, SYNC_MS, &after, &err), &err);
    assert_int_equal(after.rows_different, 0);
    assert_int_equal(after.rows, before.rows + 50);
}

// An empty key is refused with a reason here and there, and asking for it finds nothing.
static void write_empty_key(struct chain *chain)
{
    const struct charle_table *table = charle_schema_table_named(chain->schema, CHARLE_STR("person"));
    struct charle_error err = {0};
    for (int is_online = 0; is_online < 2; is_online++) {
        assert_null(try_call(chain, method_of(chain, table, CHARLE_CRUD_CREATE), "{\"id\":\"\",\"email\":\"e@test\"}", is_online, NULL, &err));
        assert_contains(err.text, "the key of a person must not be empty");
        assert_null(try_call(chain, method_of(chain, table, CHARLE_CRUD_UPDATE), "{\"key\":{\"id\":\"\"},\"set\":{\"email\":\"f@test\"}}", is_online, NULL, &err));
        assert_contains(err.text, "there is no such person");
        assert_null(try_call(chain, method_of(chain, table, CHARLE_CRUD_DELETE), "{\"key\":{\"id\":\"\"}}", is_online, NULL, &err));
        assert_contains(err.text, "there is no such person");
    }
    sync_up(chain);
    assert_equal_to_server(chain, "after empty keys");
}

// A row that is too large is refused with a reason, wherever the call is made, and stops nobody.
static void write_too_much(struct chain *chain)
{
    const struct charle_table *table = charle_schema_table_named(chain->schema, CHARLE_STR("optional"));
    const struct charle_method *update = method_of(chain, table, CHARLE_CRUD_UPDATE);
    struct charle_error err = {0};
    struct charle_buf json = {0};
    charle_buf_printf(&json, "{\"key\":%s,\"set\":{\"a_text\":\"", key_of(chain, table, 0));
    for (size_t i = 0; i < (3 << 20) + 1; i++)
        charle_buf_add_byte(&json, 'x');
    charle_buf_add_text(&json, "\"}}");
    const char *request = text_of(chain, &json);
    assert_null(try_call(chain, update, request, true, NULL, &err));
    assert_contains(err.text, "this optional is larger than 3 MiB");
    assert_null(try_call(chain, update, request, false, NULL, &err));
    assert_contains(err.text, "a queued call may have");
    assert_equal_to_server(chain, "after a row that is too large");
}

static void test_schema(void **state)
{
    struct chain *chain = calloc(1, sizeof(*chain));
    assert_non_null(chain);
    chain->schema = *state;
    load_sqlite(chain->schema);
    start(chain);
    for (size_t i = 0; i < chain->schema->table_count; i++) {
        create_rows(chain, chain->schema->create_order[i]);
        sync_up(chain);
        assert_equal_to_server(chain, chain->schema->create_order[i]->name.ptr);
    }
    compare_rows(chain);
    compare_lists(chain);
    update_rows(chain);
    sync_up(chain);
    compare_rows(chain);
    set_nulls(chain);
    sync_up(chain);
    compare_rows(chain);
    assert_equal_to_server(chain, "after the updates");
    if (charle_str_equal(chain->schema->name, CHARLE_STR("types")))
        write_extremes(chain), write_moments(chain), write_empty_key(chain), write_too_much(chain);
    charle_client_close(chain->client); // a second laptop takes all of it in one copy
    open_laptop(chain, "second");
    compare_rows(chain);
    delete_rows(chain);
    sync_up(chain);
    assert_equal_to_server(chain, "after the deletes");
    charle_client_close(chain->client);
    server_remove(&chain->server);
    charle_arena_deinit(&chain->arena);
    free(chain);
}

int main(int argc, char **argv)
{
    static const struct charle_schema *const schemas[] = SCHEMA_LIST;
    struct CMUnitTest tests[sizeof(schemas) / sizeof(schemas[0])] = {0};
    size_t count = 0;
    for (size_t i = 0; schemas[i]; i++)
        if (argc < 2 || charle_str_equal(schemas[i]->name, charle_str(argv[1])))
            tests[count++] = (struct CMUnitTest){
                .name = schemas[i]->name.ptr, .test_func = test_schema, .initial_state = (void *)(uintptr_t)schemas[i]};
    return count ? _cmocka_run_group_tests("unseen schemas", tests, count, NULL, NULL) : 2;
}
