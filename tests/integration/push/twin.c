#include "twin.h"

#include "db/pg/pg.h"
#include "msg/json.h"
#include "msg/wire.h"
#include "sync/hash.h"

#include <stdio.h>

static const char *const names[] = {"sets", "singles"};

static void must(enum charle_err rc, const struct charle_error *err)
{
    if (rc)
        fail_msg("%s: %s", charle_err_name(rc), err->text);
}

static void script(struct charle_db *db, const char *sql)
{
    struct charle_error err = {0};
    if (*sql)
        must(charle_exec_script(db, sql, &err), &err);
}

// --- two servers --------------------------------------------------------------------------------------------------------

static void make_tables(struct charle_db *db)
{
    const struct charle_schema *schema = &push_schema;
    script(db, ch_platform_sql);
    for (size_t i = 0; i < schema->table_count; i++)
        script(db, schema->create_order[i]->pg_create);
    for (size_t i = 0; i < schema->table_count; i++)
        script(db, schema->tables[i]->pg_foreign_keys);
    for (size_t i = 0; i < schema->table_count; i++)
        script(db, schema->tables[i]->pg_indexes);
    for (size_t i = 0; i < schema->table_count; i++)
        script(db, schema->tables[i]->pg_triggers);
}

static void on_statement(const struct charle_trace *trace, void *ctx)
{
    struct twin_server *server = ctx;
    server->writes += charle_str_has_prefix(trace->sql, CHARLE_STR("update \"")) ||
                      charle_str_has_prefix(trace->sql, CHARLE_STR("insert into \"")) ||
                      charle_str_has_prefix(trace->sql, CHARLE_STR("delete from \""));
    server->sets += memmem(trace->sql.ptr, trace->sql.len, " from unnest(", 13) && !memmem(trace->sql.ptr, trace->sql.len, "charle.", 7);
}

void twin_open(struct twin *twin)
{
    struct charle_error err = {0};
    *twin = (struct twin){.now_us = 1795351260000000};
    must(charle_method_table_init(&twin->methods, push_schema.services, push_schema.service_count, &err), &err);
    for (int i = 0; i < TWIN_COUNT; i++) {
        struct twin_server *server = &twin->servers[i];
        assert_true(ch_pg_cluster_database(ch_pg_cluster_shared(), names[i], server->url));
        must(ch_pg_open(server->url, NULL, &server->db, &err), &err);
        make_tables(server->db);
        must(ch_sync_new(&push_schema, &twin->methods, &server->sync, &err), &err);
        charle_db_set_trace(server->db, on_statement, server);
    }
    twin_exec(twin, "insert into person values ('ann', 'Ann', 'ann@push', true), ('bob', 'Bob', 'bob@push', false)");
    twin_device(twin, "ann");
}

void twin_close(struct twin *twin)
{
    for (int i = 0; i < TWIN_COUNT; i++) {
        ch_sync_free(twin->servers[i].sync);
        charle_db_close(twin->servers[i].db);
        charle_arena_deinit(&twin->servers[i].arena);
    }
    charle_method_table_deinit(&twin->methods);
    charle_arena_deinit(&twin->arena);
}

void twin_exec(struct twin *twin, const char *sql)
{
    for (int i = 0; i < TWIN_COUNT; i++)
        script(twin->servers[i].db, sql);
}

static struct charle_str device_of(const struct twin *twin)
{
    if (twin->device)
        return charle_str(twin->device);
    return charle_str(strcmp(twin->person, "ann") == 0 ? "DEVICEANNDEVICEANNDEVICEAN" : "DEVICEBOBDEVICEBOBDEVICEBO");
}

void twin_device(struct twin *twin, const char *person)
{
    struct charle_error err = {0};
    twin->person = person;
    twin->sequence = 0;
    twin->hash = 0;
    const struct charle_open_request request = {.device_id = device_of(twin), .schema_hash = push_schema.hash};
    const struct ch_sync_peer peer = {.principal = CHARLE_STR("person"), .id = charle_str(person)};
    for (int i = 0; i < TWIN_COUNT; i++) {
        struct charle_open_reply reply;
        struct charle_db *db = twin->servers[i].db;
        must(charle_begin(db, NULL, &err), &err);
        must(ch_sync_open(twin->servers[i].sync, db, &peer, &request, (struct charle_ts){twin->now_us}, &twin->arena, &reply, &err), &err);
        must(charle_commit(db, &err), &err);
    }
}

// --- calls --------------------------------------------------------------------------------------------------------------

static struct charle_bytes encode(struct twin *twin, const struct charle_method *method, const char *json)
{
    struct charle_error err = {0};
    struct charle_buf buf = {0};
    void *message = charle_arena_alloc(&twin->arena, method->request->size);
    must(charle_message_read_json(method->request, charle_str(json), &twin->arena, message, &err), &err);
    charle_message_write(method->request, message, &buf);
    struct charle_bytes bytes = charle_arena_bytes(&twin->arena, charle_buf_bytes(&buf));
    charle_buf_deinit(&buf);
    return bytes;
}

void twin_call(struct twin *twin, const char *method_name, const char *format, ...)
{
    char json[2048], name[80];
    va_list args;
    va_start(args, format);
    vsnprintf(json, sizeof(json), format, args);
    va_end(args);
    snprintf(name, sizeof(name), "push.%.*sService%s", (int)strcspn(method_name, "/"), method_name, strchr(method_name, '/'));
    const struct charle_method *method = charle_method_find(&twin->methods, charle_str(name));
    if (!method || twin->count == TWIN_CALLS_MAX)
        fail_msg("no method %s, or too many calls", name);
    struct charle_call *call = &twin->calls[twin->count];
    twin->now_us += 1000000;
    *call = (struct charle_call){.sequence = ++twin->sequence, .method = method->name, .request = encode(twin, method, json),
                                 .at = {twin->now_us}, .seed = ++twin->seed};
    const struct ch_chain_link link = {call->sequence, call->method, call->request, call->at.us, call->seed};
    call->hash = twin->hash = ch_chain_hash(twin->hash, &link);
    twin->list[twin->count++] = call;
}

enum charle_err twin_push_one(struct twin *twin, int index, struct charle_error *err)
{
    struct twin_server *server = &twin->servers[index];
    const struct ch_push_options options = {.peer = {CHARLE_STR("person"), charle_str(twin->person)}, .crud = ch_crud_run,
                                            .crud_set = index == TWIN_SETS ? ch_crud_run_set : NULL};
    const struct charle_push_request request = {.device_id = device_of(twin), .schema_hash = push_schema.hash,
                                                .lineage = twin->lineage, .acknowledged = twin->acknowledged,
                                                .without_replies = {twin->without_replies, twin->without_replies}, .call = {.items = twin->list, .count = twin->count, .has = true}};
    charle_arena_deinit(&server->arena);
    server->arena = (struct charle_arena){0};
    server->writes = server->sets = 0;
    return ch_push(server->sync, server->db, &options, &request, &server->arena, &server->reply, err);
}

// What failed has used numbers up, and sets use other ones up than single calls: that is no difference.
static void level_numbers(struct twin *twin)
{
    twin_exec(twin, "select setval('job_number_seq', 1000 + (select coalesce(max(number), 0) from job))");
}

void twin_push(struct twin *twin)
{
    for (int i = 0; i < TWIN_COUNT; i++) {
        struct charle_error err = {0};
        must(twin_push_one(twin, i, &err), &err);
    }
    twin_compare(twin);
    level_numbers(twin);
    twin->count = 0;
}

// --- comparing ----------------------------------------------------------------------------------------------------------

int64_t twin_number(struct twin *twin, int server, const char *sql)
{
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    struct charle_value value;
    must(charle_query(twin->servers[server].db, sql, NULL, 0, &rows, &err), &err);
    must(charle_rows_next(rows, &err), &err);
    must(charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &value, &err), &err);
    charle_rows_close(rows);
    return value.int8;
}

static struct charle_str text_of(struct twin *twin, int server, const char *sql)
{
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    struct charle_value value;
    must(charle_query(twin->servers[server].db, sql, NULL, 0, &rows, &err), &err);
    must(charle_rows_next(rows, &err), &err);
    must(charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &value, &err), &err);
    struct charle_str text = charle_arena_str(&twin->servers[server].arena, value.text);
    charle_rows_close(rows);
    return text;
}

// Numbers may differ where a failed statement used some up; their order may not.
static const char *const dumps[] = {
    "select coalesce(string_agg(t::text, e'\\n' order by id), '') from person t",
    "select coalesce(string_agg((to_jsonb(t) - 'number')::text, e'\\n' order by number), '') from job t",
    "select coalesce(string_agg(t::text, e'\\n' order by id), '') from step t",
    "select coalesce(string_agg(t::text, e'\\n' order by id), '') from ticket t",
    "select coalesce(string_agg(t::text, e'\\n' order by job_id, person_id), '') from member t",
    "select coalesce(string_agg(e, e'\\n' order by e), '') from (select distinct scope || ' ' || (v & 1023) || ' ' || tab || ' ' || key as e "
    "from charle.entry) q",
    "select coalesce(string_agg(concat_ws(' ', device_id, sequence, hash, kind, code, text, tab, key, first, hashes, seed, seeds), e'\\n' order by device_id, sequence), "
    "'') from charle.verdict",
    "select string_agg(concat_ws(' ', id, last_sequence, last_hash, acknowledged, copied_calls, forgotten), e'\\n' order by id) from charle.device",
    "select coalesce(string_agg(concat_ws(' ', origin, seed, kind, code, text), e'\\n' order by origin, seed), '') from charle.taken",
};

static const char *show(struct charle_arena *arena, struct twin *twin, const struct charle_call *call, const struct charle_verdict *verdict)
{
    static const char *const kinds[] = {"?", "applied", "merged", "rejected", "parked"};
    struct charle_error err = {0};
    struct charle_buf text = {0};
    const struct charle_method *method = charle_method_find(&twin->methods, call->method);
    charle_buf_printf(&text, "%s", kinds[verdict->kind]);
    if (verdict->code.has)
        charle_buf_printf(&text, ": %s", charle_err_name((enum charle_err)verdict->code.value));
    if (verdict->text.has)
        charle_buf_printf(&text, ": %.*s", CHARLE_FMT(verdict->text.value));
    if (verdict->reply.has) {
        void *reply = charle_arena_alloc(arena, method->reply->size);
        must(charle_message_read(method->reply, verdict->reply.value, arena, reply, &err), &err);
        const struct charle_field *number = charle_message_field(method->reply, 2);
        if (number && charle_str_equal(number->name, CHARLE_STR("number")) && number->label == CHARLE_OPTIONAL)
            *((bool *)reply + number->has_offset) = false;
        charle_buf_add_text(&text, " ");
        charle_message_write_json(method->reply, reply, &text);
    }
    const char *kept = charle_arena_str(arena, charle_buf_str(&text)).ptr;
    charle_buf_deinit(&text);
    return kept;
}

static const struct charle_verdict *verdict_at(struct twin *twin, int server, size_t index)
{
    return ((const struct charle_verdict *const *)twin->servers[server].reply.verdict.items)[index];
}

const char *twin_verdict(struct twin *twin, size_t index)
{
    return show(&twin->servers[TWIN_SETS].arena, twin, &twin->calls[index], verdict_at(twin, TWIN_SETS, index));
}

void twin_assert_verdict(struct twin *twin, size_t index, const char *begins_with)
{
    const char *verdict = twin_verdict(twin, index);
    if (strncmp(verdict, begins_with, strlen(begins_with)) != 0)
        fail_msg("call %zu: expected \"%s…\", got \"%s\"", index, begins_with, verdict);
}

// Fails with the first line that differs.
static void compare_lines(const char *what, struct charle_str a, struct charle_str b)
{
    const char *x = a.ptr, *y = b.ptr;
    while (*x || *y) {
        size_t m = strcspn(x, "\n"), n = strcspn(y, "\n");
        if (m != n || memcmp(x, y, m) != 0)
            fail_msg("%s\n     sets: %.*s\n  singles: %.*s", what, (int)m, x, (int)n, y);
        x += m + (x[m] == '\n');
        y += n + (y[n] == '\n');
    }
}

void twin_compare(struct twin *twin)
{
    struct charle_arena *arena = &twin->servers[TWIN_SETS].arena;
    assert_int_equal(twin->servers[TWIN_SETS].reply.verdict.count, twin->count);
    assert_int_equal(twin->servers[TWIN_SINGLES].reply.verdict.count, twin->count);
    assert_int_equal(twin->servers[TWIN_SETS].reply.last_sequence, twin->servers[TWIN_SINGLES].reply.last_sequence);
    assert_int_equal(twin->servers[TWIN_SETS].reply.made.count, twin->servers[TWIN_SINGLES].reply.made.count);
    for (size_t i = 0; i < twin->count; i++) {
        const struct charle_verdict *a = verdict_at(twin, TWIN_SETS, i), *b = verdict_at(twin, TWIN_SINGLES, i);
        assert_int_equal(a->sequence, twin->calls[i].sequence);
        assert_string_equal(show(arena, twin, &twin->calls[i], a), show(arena, twin, &twin->calls[i], b));
    }
    for (size_t i = 0; i < sizeof(dumps) / sizeof(dumps[0]); i++)
        compare_lines(dumps[i], text_of(twin, TWIN_SETS, dumps[i]), text_of(twin, TWIN_SINGLES, dumps[i]));
}
