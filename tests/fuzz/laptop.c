#include "fuzz/laptop.h"

#include "base/arena.h"
#include "db/db.h"
#include "notes.charle.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct charle_schema notes_schema;

static const struct charle_client_key the_key = {.bytes = (const uint8_t *)"0123456789abcdef0123456789abcdef"};

enum { NAMES_MAX = 40 };

struct maker {
    struct fake_server server;
    struct world a;
    struct laptop laptop;
    bool is_made;
};

// --- files ----------------------------------------------------------------------------------------------------------------

static void read_file(const char *path, const char *suffix, struct charle_buf *out)
{
    char name[200];
    uint8_t block[8192];
    ssize_t got;
    snprintf(name, sizeof(name), "%s%s", path, suffix);
    int fd = open(name, O_RDONLY);
    charle_buf_reset(out);
    while (fd >= 0 && (got = read(fd, block, sizeof(block))) > 0)
        charle_buf_add(out, block, (size_t)got);
    if (fd >= 0)
        close(fd);
}

void laptop_put_bytes(const char *path, const char *suffix, const struct charle_buf *bytes)
{
    char name[200];
    snprintf(name, sizeof(name), "%s%s", path, suffix);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHARLE_ASSERT(fd >= 0 && write(fd, bytes->data, bytes->size) == (ssize_t)bytes->size);
    close(fd);
}

void laptop_remove(const char *file)
{
    static const char *const more[] = {".open", ".seed", ".part", ".files.part"};
    char name[200];
    world_remove_files(file);
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", file, more[i]);
        unlink(name);
    }
}

void laptop_put(const struct laptop *laptop, const char *file)
{
    static const char *const suffixes[] = {[LAPTOP_DATABASE] = "", [LAPTOP_LOG] = "-wal", [LAPTOP_KEY] = ".key", [LAPTOP_STORE] = ".files"};
    laptop_remove(file);
    for (int i = 0; i < LAPTOP_EXPORT; i++) {
        if (laptop->parts[i].size)
            laptop_put_bytes(file, suffixes[i], &laptop->parts[i]);
    }
}

void laptop_damage(struct fuzz_input *in, struct charle_buf *bytes)
{
    for (unsigned n = 1 + fuzz_choose(in, 6); n && bytes->size; n--) {
        size_t at = (fuzz_choose(in, 256) * 65536u + fuzz_choose(in, 256) * 256u + fuzz_choose(in, 256)) % bytes->size;
        size_t left = bytes->size - at, count = 1 + fuzz_choose(in, 32);
        struct charle_bytes foreign;
        switch (fuzz_choose(in, 6)) {
        case 0:
            bytes->data[at] ^= (uint8_t)(1 + fuzz_choose(in, 255));
            break;
        case 1: // the first bytes of a page say most about it
            at -= at % 8192 % bytes->size;
            left = bytes->size - at;
            // fall through
        case 2:
            foreign = fuzz_take(in, count < left ? count : left);
            memcpy(bytes->data + at, foreign.ptr, foreign.len);
            break;
        case 3:
            bytes->size = at;
            break;
        case 4:
            memset(bytes->data + at, 0, left < 8192 ? left : 8192);
            break;
        default: { // one page over another
            size_t pages = bytes->size / 8192, from = pages ? fuzz_choose(in, 256) % pages : 0, to = pages ? at / 8192 % pages : 0;
            if (pages)
                memmove(bytes->data + to * 8192, bytes->data + from * 8192, 8192);
            break;
        }
        }
    }
}

// --- values ---------------------------------------------------------------------------------------------------------------

static int list_names(sqlite3 *db, const char *sql, char out[][64])
{
    int count = 0;
    sqlite3_stmt *row = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK) {
        while (count < NAMES_MAX && sqlite3_step(row) == SQLITE_ROW)
            snprintf(out[count++], sizeof(out[0]), "%s", sqlite3_column_text(row, 0));
    }
    sqlite3_finalize(row);
    return count;
}

static void bind_value(struct fuzz_input *in, sqlite3_stmt *stmt)
{
    static const sqlite3_int64 numbers[] = {0, -1, 1, 5, 99, INT32_MAX, INT64_MAX, INT64_MIN};
    struct charle_bytes foreign;
    switch (fuzz_choose(in, 4)) {
    case 0:
        sqlite3_bind_int64(stmt, 1, numbers[fuzz_choose(in, 8)]);
        break;
    case 1:
        sqlite3_bind_null(stmt, 1);
        break;
    case 2:
        foreign = fuzz_take(in, fuzz_choose(in, 32));
        sqlite3_bind_text(stmt, 1, (const char *)foreign.ptr, (int)foreign.len, SQLITE_TRANSIENT);
        break;
    default:
        foreign = fuzz_take(in, fuzz_choose(in, 32));
        sqlite3_bind_blob(stmt, 1, foreign.ptr, (int)foreign.len, SQLITE_TRANSIENT);
        break;
    }
}

// One value of one row of one table becomes another, of any type.
static void change_value(struct fuzz_input *in, sqlite3 *db)
{
    static char tables[NAMES_MAX][64], columns[NAMES_MAX][64];
    char sql[300];
    sqlite3_stmt *stmt = NULL;
    int table_count = list_names(db, "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name", tables);
    const char *table = tables[table_count ? fuzz_choose(in, (unsigned)table_count) : 0];
    snprintf(sql, sizeof(sql), "select name from pragma_table_info('%s')", table);
    int column_count = list_names(db, sql, columns);
    if (!table_count || !column_count)
        return;
    snprintf(sql, sizeof(sql), "update or ignore \"%s\" set \"%s\" = ?1 where (select count(*) from \"%s\") <= 1 or \"%s\" = (select \"%s\" from \"%s\" limit 1 offset %u)",
             table, columns[fuzz_choose(in, (unsigned)column_count)], table, columns[0], columns[0], table, fuzz_choose(in, 12));
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK) {
        bind_value(in, stmt);
        (void)sqlite3_step(stmt); // a constraint may be in the way
    }
    sqlite3_finalize(stmt);
}

void laptop_change_values(struct fuzz_input *in, const char *file)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
        sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
        for (unsigned n = 1 + fuzz_choose(in, 4); n; n--)
            change_value(in, db);
    }
    sqlite3_close(db);
}

// --- making one -----------------------------------------------------------------------------------------------------------

static void must(int rc, const struct charle_error *err)
{
    if (rc)
        fprintf(stderr, "making a laptop: %s\n", err->text);
    CHARLE_ASSERT(rc == 0);
}

static void set_title(struct world *world, const char *id, const char *title)
{
    struct charle_error err = {0};
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.title = {charle_str(title), true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    must((int)world_call(world, &notes_note_service_update_method, &request, NULL, NULL, NULL, &err), &err);
}

// Beside the replica, because an export is one of the parts and the store of files another.
static void add_store_and_export(struct maker *m)
{
    char path[200];
    struct charle_error err = {0};
    struct charle_client *client = NULL;
    struct charle_attachment_ref ref;
    const struct charle_client_options options = {.file = m->a.file, .schema = &notes_schema, .key = m->laptop.key, .device_name = "laptop"};
    const struct charle_attachment_source source = {.bytes = "a picture", .size = 9, .media_type = "image/png"};
    snprintf(path, sizeof(path), "%s.export", m->a.file);
    unlink(path);
    must(charle_client_open(&options, &client, &err), &err);
    must(charle_attachment_put(client, &source, &ref, &err), &err);
    must(charle_client_export(client, path, &err), &err);
    charle_client_close(client);
    read_file(path, "", &m->laptop.parts[LAPTOP_EXPORT]);
    unlink(path);
}

static void open_world(struct maker *m, const char *name, bool is_fresh)
{
    m->a.random = 1;
    m->a.key = m->laptop.key;
    world_open(&m->a, &m->server, name, is_fresh);
    ch_client_core_start(m->a.core);
    world_connect(&m->a, true);
    world_settle(&m->a, 20000);
}

static void make(struct maker *m, const char *name, bool has_log)
{
    fake_server_open(&m->server, &notes_schema);
    fake_server_grant(&m->server, "team");
    fake_server_grant(&m->server, "person:p1");
    fake_server_grant(&m->server, "room:r1");
    fake_server_sql(&m->server, "insert into person(id, name, email) values ('p1', 'Ada', 'ada@x');"
                                "insert into room(id, title, budget) values ('r1', 'Attic', 10), ('r2', 'Bath', 20);"
                                "with recursive n(i) as (select 1 union all select i + 1 from n where i < 8) "
                                "insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) "
                                "select printf('n%%04d', i), 'r' || (1 + i %% 2), 'Title ' || i, i, 'open', 1, 1, '[\"a\"]' from n");
    open_world(m, name, true);
    m->server.parks = true;
    set_title(&m->a, "n0001", "parked");
    world_settle(&m->a, 20000);
    m->server.parks = false;
    m->server.rejects = true;
    set_title(&m->a, "n0002", "rejected");
    world_settle(&m->a, 20000);
    m->server.rejects = false;
    world_connect(&m->a, false);
    set_title(&m->a, "n0003", "waits");
    world_close(&m->a);
    add_store_and_export(m);
    open_world(m, name, false);
    world_connect(&m->a, false);
    set_title(&m->a, "n0004", "waits as well");
    read_file(m->a.file, ".files", &m->laptop.parts[LAPTOP_STORE]);
    if (has_log) {
        read_file(m->a.file, "", &m->laptop.parts[LAPTOP_DATABASE]);
        read_file(m->a.file, "-wal", &m->laptop.parts[LAPTOP_LOG]);
    }
    world_close(&m->a);
    if (!has_log)
        read_file(m->a.file, "", &m->laptop.parts[LAPTOP_DATABASE]);
    read_file(m->a.file, ".key", &m->laptop.parts[LAPTOP_KEY]);
    laptop_remove(m->a.file);
}

static struct maker *maker_of(bool is_encrypted, bool has_log)
{
    static struct maker makers[2][2];
    struct maker *m = &makers[is_encrypted][has_log];
    if (!m->is_made) {
        m->is_made = true;
        m->laptop.key = is_encrypted ? &the_key : NULL;
        make(m, is_encrypted ? "sealed" : "clear", has_log);
    }
    return m;
}

const struct laptop *laptop_get(bool is_encrypted, bool has_log)
{
    return &maker_of(is_encrypted, has_log)->laptop;
}

struct fake_server *laptop_server(bool is_encrypted, bool has_log)
{
    return &maker_of(is_encrypted, has_log)->server;
}

// --- using it -------------------------------------------------------------------------------------------------------------

static bool see_call(void *ctx, const struct charle_outbox_entry *entry)
{
    *(uint64_t *)ctx += entry->request_size + strlen(entry->method) + (entry->local_error ? strlen(entry->local_error) : 0);
    return true;
}

static bool see_verdict(void *ctx, const struct charle_inbox_entry *entry)
{
    *(uint64_t *)ctx += entry->request_size + entry->row_size + strlen(entry->text) + strlen(entry->method);
    return true;
}

static bool see_scope(void *ctx, const struct charle_scope_entry *entry)
{
    *(uint64_t *)ctx += strlen(entry->scope) + (uint64_t)entry->state;
    return true;
}

static bool see_file(void *ctx, const struct charle_attachment_entry *entry)
{
    *(uint64_t *)ctx += strlen(entry->hash) + (entry->problem ? strlen(entry->problem) : 0);
    return true;
}

static void expect(int rc, struct charle_error *err)
{
    CHARLE_ASSERT(rc == CHARLE_OK || err->text[0]);
    err->text[0] = '\0';
}

static void read_rows(struct charle_client *client, struct charle_error *err)
{
    struct charle_db *db = NULL;
    struct charle_rows *rows = NULL;
    enum charle_err rc = (enum charle_err)charle_client_db_open(client, &db, err);
    if (!rc)
        rc = charle_query(db, "select id, title, body from note order by id", NULL, 0, &rows, err);
    while (!rc)
        rc = charle_rows_next(rows, err);
    expect(rc == CHARLE_DONE ? CHARLE_OK : (int)rc, err);
    charle_rows_close(rows);
    charle_db_close(db);
}

static void call(struct charle_client *client, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct notes_note_patch reply;
    const struct notes_note_key key = {CHARLE_STR("n0005")};
    const struct notes_note_patch set = {.title = {CHARLE_STR("mine"), true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    expect(charle_client_call(client, &notes_note_service_update_method, &request, &arena, &reply, NULL, err), err);
    charle_arena_deinit(&arena);
}

static void use_open(struct charle_client *client, struct fuzz_input *in, const char *other)
{
    uint64_t seen = 0;
    struct charle_error err = {0};
    struct charle_client_status status;
    charle_client_status(client, &status);
    expect(charle_client_outbox(client, see_call, &seen, &err), &err);
    expect(charle_client_inbox(client, see_verdict, &seen, &err), &err);
    expect(charle_client_scopes(client, true, see_scope, &seen, &err), &err);
    expect(charle_attachments(client, see_file, &seen, &err), &err);
    read_rows(client, &err);
    call(client, &err);
    expect(charle_client_inbox_retry(client, 1 + (int64_t)fuzz_choose(in, 3), NULL, &err), &err);
    expect(charle_client_inbox_redo(client, 1 + (int64_t)fuzz_choose(in, 3), NULL, NULL, &err), &err);
    expect(charle_client_discard(client, 1 + (int64_t)fuzz_choose(in, 5), &err), &err);
    expect(charle_client_evict(client, "room:r1", &err), &err);
    unlink(other);
    expect(charle_client_export(client, other, &err), &err);
    unlink(other);
}

void laptop_use(const char *file, const struct charle_client_key *key, struct fuzz_input *in, const char *other)
{
    uint64_t seen = 0;
    struct charle_error err = {0};
    struct charle_client *client = NULL;
    struct charle_rescue_report report;
    struct charle_client_options options = {.file = file, .schema = &notes_schema, .key = key, .device_name = "laptop", .is_read_only = fuzz_choose(in, 4) == 3};
    expect(charle_replica_calls(file, key, see_call, &seen, &err), &err);
    options.file = other;
    options.is_read_only = false;
    laptop_remove(other);
    expect(charle_replica_rescue(file, &options, &report, &err), &err);
    laptop_remove(other);
    options.file = file;
    int rc = charle_client_open(&options, &client, &err);
    expect(rc, &err);
    if (!rc)
        use_open(client, in, other);
    charle_client_close(client);
}
