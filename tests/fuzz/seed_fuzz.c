// Seed files (client/seed.h) of a server that lies: its offer and the ranges arrive changed, and the file itself was damaged before its hashes were made, or has other
// values in its tables.
//
// Never a crash, a leak or an endless loop; a file that is refused leaves a replica that is copied row by row. A server that tells the truth is
// believed. The first byte: bit 0 the file is damaged, bit 1 its values are changed, bit 2 messages are changed, bit 3 ranges come compressed.
#include "fuzz/fuzz.h"
#include "fuzz/laptop.h"

#include "db/sqlite/seed_file.h"
#include "msg/wire.h"
#include "sync/seed.h"
#include "unit/client/fake_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

extern const struct charle_schema notes_schema;

enum { DAMAGED = 1, VALUES = 2, MESSAGES = 4, PACKED = 8, WAITING_MAX = 8, STEPS = 300, FILE_SIZE_MAX = 4 << 20 };

struct waiting { // a call of the client that is answered here
    uint64_t id;
    bool is_read;
    uint32_t range, end;
};

struct seeder {
    struct world a; // first: the env's functions are called with it
    struct fake_server *server;
    struct ch_client_env world_env;
    struct waiting waiting[WAITING_MAX];
    struct fuzz_input in;
    unsigned how;
    struct charle_buf file, hashes;
    bool was_offered;
};

// --- the file -------------------------------------------------------------------------------------------------------------

static void must(enum charle_err rc, const struct charle_error *err)
{
    if (rc)
        fprintf(stderr, "making a seed file: %s\n", err->text);
    CHARLE_ASSERT(rc == CHARLE_OK);
}

static void write_table(struct fake_server *server, struct ch_seed_writer *writer, const struct charle_table *table)
{
    struct charle_error err = {0};
    sqlite3_stmt *row = fake_prepare(server, "select row from fs_content where scope = 'team' and tab = ?1 order by key");
    sqlite3_bind_int64(row, 1, table->id);
    const struct charle_audience *team = NULL;
    for (size_t i = 0; table->is_replicated && i < table->audience_count; i++) {
        if (charle_str_equal(table->audiences[i].name, CHARLE_STR("team")))
            team = &table->audiences[i];
    }
    if (team)
        must(ch_seed_writer_begin(writer, table, &team->columns, &err), &err);
    while (team && sqlite3_step(row) == SQLITE_ROW)
        must(ch_seed_writer_put(writer, charle_bytes(sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0)), &err), &err);
    sqlite3_finalize(row);
}

// The file of the scope "team", as a server makes it; once a process.
static const struct charle_buf *true_file(struct fake_server *server)
{
    static struct charle_buf bytes;
    char path[100];
    uint8_t block[8192];
    struct charle_error err = {0};
    struct ch_seed_writer *writer = NULL;
    if (bytes.size)
        return &bytes;
    snprintf(path, sizeof(path), "/dev/shm/charle_%d_seed.db", (int)getpid());
    unlink(path);
    must(ch_seed_writer_open(path, &notes_schema, FILE_SIZE_MAX, &writer, &err), &err);
    for (size_t i = 0; i < notes_schema.table_count; i++)
        write_table(server, writer, notes_schema.tables[i]);
    must(ch_seed_writer_finish(writer, &err), &err);
    ch_seed_writer_free(writer);
    int fd = open(path, O_RDONLY);
    for (ssize_t got; (got = read(fd, block, sizeof(block))) > 0;)
        charle_buf_add(&bytes, block, (size_t)got);
    close(fd);
    unlink(path);
    return &bytes;
}

static void change_file(struct seeder *s)
{
    char path[100];
    uint8_t block[8192];
    snprintf(path, sizeof(path), "/dev/shm/charle_%d_changed.db", (int)getpid());
    laptop_put_bytes(path, "", &s->file);
    laptop_change_values(&s->in, path);
    charle_buf_reset(&s->file);
    int fd = open(path, O_RDONLY);
    for (ssize_t got; (got = read(fd, block, sizeof(block))) > 0;)
        charle_buf_add(&s->file, block, (size_t)got);
    close(fd);
    laptop_remove(path);
}

static void make_file(struct seeder *s)
{
    const struct charle_buf *whole = true_file(s->server);
    charle_buf_add(&s->file, whole->data, whole->size);
    if (s->how & VALUES)
        change_file(s);
    if (s->how & DAMAGED)
        laptop_damage(&s->in, &s->file);
    ch_seed_clear_reserve(s->file.data, s->file.size);
    for (uint32_t i = 0; i < ch_seed_range_count((int64_t)s->file.size); i++) {
        uint8_t hash[CH_SEED_HASH_SIZE];
        ch_seed_hash(charle_bytes(s->file.data + (size_t)i * CH_SEED_RANGE_SIZE, ch_seed_range_size((int64_t)s->file.size, i)), hash);
        charle_buf_add(&s->hashes, hash, sizeof(hash));
    }
}

// --- the server's answers -------------------------------------------------------------------------------------------------

static void deliver(struct seeder *s, uint64_t id, const struct charle_message *type, const void *message)
{
    struct charle_buf bytes = {0};
    charle_message_write(type, message, &bytes);
    if ((s->how & MESSAGES) && fuzz_choose(&s->in, 2))
        fuzz_change(&s->in, type, &bytes);
    ch_client_core_on_message(s->a.core, id, charle_buf_bytes(&bytes));
    charle_buf_deinit(&bytes);
}

static void offer(struct seeder *s, uint64_t id)
{
    uint8_t name[CH_SEED_HASH_SIZE];
    struct fake_head head = fake_head_of(s->server, CHARLE_STR("team"));
    const struct charle_cursor cursor = {CHARLE_STR("team"), head.stamp, head.lineage};
    ch_seed_hash(charle_buf_bytes(&s->hashes), name);
    const struct charle_seed_reply reply = {
        .scope = {CHARLE_STR("team"), true}, .hash = {charle_bytes(name, sizeof(name)), true}, .size = {(int64_t)s->file.size, true}, .rows = {12, true},
        .head = &cursor, .range_size = {CH_SEED_RANGE_SIZE, true}, .hashes = {charle_buf_bytes(&s->hashes), true}};
    s->was_offered = true;
    deliver(s, id, &charle_seed_reply_message, &reply);
}

static void send_range(struct seeder *s, uint64_t id, uint32_t range)
{
    struct charle_buf packed = {0};
    size_t size = ch_seed_range_size((int64_t)s->file.size, range);
    const uint8_t *from = s->file.data + (size_t)range * CH_SEED_RANGE_SIZE;
    struct charle_seed_range message = {.range = range};
    if (s->how & PACKED) {
        uint8_t *room = charle_buf_reserve(&packed, ZSTD_compressBound(size));
        CHARLE_ASSERT(room);
        message.zstd = (struct charle_opt_bytes){charle_bytes(room, ZSTD_compress(room, ZSTD_compressBound(size), from, size, 1)), true};
    } else {
        message.bytes = (struct charle_opt_bytes){charle_bytes(from, size), true};
    }
    deliver(s, id, &charle_seed_range_message, &message);
    charle_buf_deinit(&packed);
}

static bool answer(struct seeder *s)
{
    for (int i = 0; i < WAITING_MAX; i++) {
        struct waiting *w = &s->waiting[i];
        uint64_t id = w->id;
        if (!id)
            continue;
        if (w->is_read && w->range < w->end && w->range < ch_seed_range_count((int64_t)s->file.size)) {
            send_range(s, id, w->range++);
            return true;
        }
        if (!w->is_read)
            offer(s, id);
        if (w->id == id) { // the core has not cancelled it meanwhile
            *w = (struct waiting){0};
            ch_client_core_on_done(s->a.core, id, CHARLE_OK, CHARLE_STR(""));
        }
        return true;
    }
    return false;
}

static void start(void *ctx, uint64_t id, struct charle_str method, struct charle_bytes bytes, uint32_t timeout_ms)
{
    struct seeder *s = ctx;
    struct charle_arena arena = {0};
    struct charle_error err = {0};
    struct charle_seed_read_request request = {0};
    bool is_read = charle_str_equal(method, CHARLE_STR("charle.Sync/SeedRead"));
    if (!is_read && !charle_str_equal(method, CHARLE_STR("charle.Sync/Seed"))) {
        s->world_env.call_start(ctx, id, method, bytes, timeout_ms);
        return;
    }
    if (is_read)
        CHARLE_ASSERT(charle_message_read(&charle_seed_read_request_message, bytes, &arena, &request, &err) == CHARLE_OK);
    int free_at = 0;
    while (free_at < WAITING_MAX && s->waiting[free_at].id)
        free_at++;
    CHARLE_ASSERT(free_at < WAITING_MAX); // so many are never asked for at once
    s->waiting[free_at] = (struct waiting){id, is_read, request.range, request.range + request.count};
    charle_arena_deinit(&arena);
}

static void cancel(void *ctx, uint64_t id)
{
    struct seeder *s = ctx;
    s->world_env.call_cancel(ctx, id);
    for (int i = 0; i < WAITING_MAX; i++) {
        if (s->waiting[i].id == id)
            s->waiting[i] = (struct waiting){0};
    }
}

// The fake server knows nothing of seed files, so its Open does not offer any.
static void say_offers(void *ctx, const char *method, struct charle_buf *message)
{
    (void)ctx;
    if (strcmp(method, "charle.Sync/Open") != 0)
        return;
    charle_wire_write_tag(message, 20, 0);
    charle_wire_write_varint(message, 1);
}

// --- the laptop -----------------------------------------------------------------------------------------------------------

static void run(struct seeder *s)
{
    bool is_true = !(s->how & (DAMAGED | VALUES | MESSAGES));
    s->a.random = 1;
    s->a.tamper = say_offers;
    world_open(&s->a, s->server, "seeded", true);
    s->world_env = s->a.env;
    s->a.env.call_start = start;
    s->a.env.call_cancel = cancel;
    ch_client_core_start(s->a.core);
    world_connect(&s->a, true);
    for (int i = 0; i < STEPS && (answer(s) || world_step(&s->a)); i++)
        ;
    if (is_true) {
        CHARLE_ASSERT(s->was_offered && world_state(&s->a) == CHARLE_CLIENT_LIVE);
        fake_server_check(s->server, &s->a.replica);
    }
    world_close(&s->a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seeder *s = calloc(1, sizeof(*s));
    CHARLE_ASSERT(s);
    s->in = (struct fuzz_input){data, data + size};
    s->how = fuzz_choose(&s->in, 16);
    s->server = laptop_server(false, false);
    make_file(s);
    run(s);
    laptop_remove(s->a.file);
    charle_buf_deinit(&s->file);
    charle_buf_deinit(&s->hashes);
    free(s);
    return 0;
}
