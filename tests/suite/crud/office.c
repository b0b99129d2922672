#include "office.h"

#include "msg/json.h"
#include "msg/wire.h"

#include <stdio.h>

enum { SCOPES_MAX = 16 };

void office_open(struct office *office, struct charle_db *db, bool is_replica)
{
    struct charle_error err;
    *office = (struct office){.db = db, .now = {1795351260000000}, .is_replica = is_replica};
    assert_ok(charle_method_table_init(&office->methods, desk_schema.services, desk_schema.service_count, &err), &err);
    bool is_pg = charle_db_dialect(db) == CHARLE_PG;
    for (size_t i = 0; i < desk_schema.table_count; i++) {
        const struct charle_table *table = desk_schema.create_order[i];
        const char *ddl = is_pg ? table->pg_create : is_replica ? table->replica_create : table->sqlite_create;
        if (is_replica && !table->is_replicated)
            continue;
        assert_ok(charle_exec_script(db, ddl, &err), &err);
    }
    for (size_t i = 0; is_pg && i < desk_schema.table_count; i++) {
        const struct charle_table *table = desk_schema.create_order[i];
        if (*table->pg_foreign_keys)
            assert_ok(charle_exec_script(db, table->pg_foreign_keys, &err), &err);
    }
}

void office_close(struct office *office)
{
    charle_method_table_deinit(&office->methods);
    charle_arena_deinit(&office->arena);
}

static int compare(const void *a, const void *b)
{
    return charle_str_compare(*(const struct charle_str *)a, *(const struct charle_str *)b);
}

static size_t split(const char *who, struct charle_str out[SCOPES_MAX])
{
    size_t count = 0;
    for (const char *at = who; *at && count < SCOPES_MAX;) {
        size_t len = strcspn(at, ",");
        out[count++] = charle_str_n(at, len);
        at += len + (at[len] == ',');
    }
    qsort(out, count, sizeof(*out), compare);
    return count;
}

static enum charle_err run(struct office *office, const struct charle_method *method, struct charle_context *context,
                           const char *json, struct charle_buf *reply, struct charle_error *err)
{
    struct charle_buf request = {0};
    void *message = charle_arena_alloc(&office->arena, method->request->size);
    enum charle_err rc = charle_message_read_json(method->request, charle_str(json), &office->arena, message, err);
    if (!rc) {
        charle_message_write(method->request, message, &request);
        rc = charle_begin(office->db, NULL, err);
    }
    struct charle_bytes kept = charle_arena_bytes(&office->arena, charle_buf_bytes(&request));
    charle_buf_deinit(&request);
    if (rc)
        return rc;
    rc = charle_method_run(method, context, kept, reply, err);
    struct charle_error end = {0};
    assert_ok(rc ? charle_rollback(office->db, &end) : charle_commit(office->db, &end), &end);
    return rc;
}

const char *office_call(struct office *office, const char *who, const char *method_name, const char *request_format,
                        ...)
{
    struct charle_str scopes[SCOPES_MAX];
    char name[80];
    snprintf(name, sizeof(name), "desk.%.*sService%s", (int)strcspn(method_name, "/"), method_name,
             strchr(method_name, '/'));
    const struct charle_method *method = charle_method_find(&office->methods, charle_str(name));
    if (!method)
        fail_msg("there is no method %s", name);
    char json[4096];
    va_list args;
    va_start(args, request_format);
    vsnprintf(json, sizeof(json), request_format, args);
    va_end(args);
    const struct charle_identity identity = {
        .principal = CHARLE_STR("person"), .id = CHARLE_STR("x"), .scopes = scopes, .scope_count = split(who, scopes)};
    struct charle_context context = {.db = office->db,
                                     .arena = &office->arena,
                                     .schema = &desk_schema,
                                     .identity = &identity,
                                     .is_replica = office->is_replica,
                                     .is_replay = office->is_replay,
                                     .crud = ch_crud_run};
    office->now.us += 1000000;
    charle_context_seed(&context, office->now, ++office->seed);
    struct charle_buf reply = {0}, text = {0};
    struct charle_error err = {0};
    enum charle_err rc = run(office, method, &context, json, &reply, &err);
    office->note = context.merge_note;
    void *message = charle_arena_alloc(&office->arena, method->reply->size);
    if (!rc)
        rc = charle_message_read(method->reply, charle_buf_bytes(&reply), &office->arena, message, &err);
    if (rc)
        charle_buf_printf(&text, "%s: %s", charle_err_name(rc), err.text);
    else
        charle_message_write_json(method->reply, message, &text);
    struct charle_str result = charle_arena_str(&office->arena, charle_buf_str(&text));
    charle_buf_deinit(&reply);
    charle_buf_deinit(&text);
    return result.ptr;
}

static bool matches(const char *text, const char *pattern)
{
    const char *star = strchr(pattern, '*');
    if (!star)
        return strcmp(text, pattern) == 0;
    if (strncmp(text, pattern, (size_t)(star - pattern)) != 0)
        return false;
    for (text += star - pattern; *text; text++) {
        if (matches(text, star + 1))
            return true;
    }
    return !star[1];
}

void assert_matches(const char *text, const char *pattern, const char *file, int line)
{
    if (matches(text, pattern))
        return;
    print_error("expected %s\n     got %s\n", pattern, text);
    _fail(file, line);
}

void office_staff(struct office *office)
{
    const char *boss = "boss,person:boss,team";
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"boss", "ann", "bob"};
        const char *reply = office_call(office, boss, "Person/Create",
                                        "{\"id\":\"%s\",\"name\":\"%s\",\"email\":\"%s@desk\",\"salary\":\"%d\"}",
                                        names[i], names[i], names[i], 100 * (i + 1));
        assert_matches(reply, "{\"id\":*", __FILE__, __LINE__);
    }
    assert_matches(
        office_call(
            office, "person:ann,team", "Project/Create",
            "{\"id\":\"p1\",\"title\":\"First\",\"owner_id\":\"ann\",\"state\":\"open\",\"budget\":\"1000.50\"}"),
        "{\"id\":\"p1\"*", __FILE__, __LINE__);
}
