// The client's core and a real replica against a server that lies: its answers arrive with fields changed, missing, doubled or foreign, or are any
// bytes at all, in any phase and with calls waiting.
//
// Never a crash, a leak or an endless loop. An answer that ends the session has left rows, cursors and calls as they were, and said why. In the end
// the file is a sound database, and opens again.
//
// The first byte chooses how the world is (bit 0: answers come one by one, and each is checked). Then a byte a step: what happens next.
#include "fuzz/fuzz.h"
#include "fuzz/mutate.h"
#include "unit/client/world.h"

#include "notes.charle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct charle_schema notes_schema;

enum { NOTES = 6, STEPS_MAX = 160, CALM_STEPS = 400, RAW_MAX = 48 };

struct liar {
    struct fake_server server;
    struct world a;
    struct fuzz_input in;
    struct charle_db *reader; // of what is committed
    bool is_calm;             // the server tells the truth from here on
};

// --- lies -----------------------------------------------------------------------------------------------------------------

static const struct charle_message *type_of(const char *method)
{
    static const struct {
        const char *method;
        const struct charle_message *reply;
    } types[] = {{"charle.Sync/Open", &charle_open_reply_message}, {"charle.Sync/Copy", &charle_copy_page_message},
                 {"charle.Sync/Pull", &charle_pull_page_message},  {"charle.Sync/Hash", &charle_hash_reply_message},
                 {"charle.Sync/Push", &charle_push_reply_message}};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i].method, method) == 0)
            return types[i].reply;
    }
    return NULL;
}

static void lie(void *ctx, const char *method, struct charle_buf *message)
{
    struct liar *l = ctx;
    unsigned what = l->is_calm ? 0 : fuzz_choose(&l->in, 8);
    if (what == 7) {
        struct charle_bytes raw = fuzz_take(&l->in, fuzz_choose(&l->in, RAW_MAX));
        charle_buf_reset(message);
        charle_buf_add(message, raw.ptr, raw.len);
    } else if (what > 2) {
        fuzz_change(&l->in, type_of(method), message);
    }
}

// Bytes for a call that is under way, out of turn; or its end.
static void interrupt(struct liar *l)
{
    unsigned at = fuzz_choose(&l->in, WORLD_CALLS_MAX);
    for (unsigned n = 0; n < WORLD_CALLS_MAX; n++) {
        uint64_t id = l->a.calls[(at + n) % WORLD_CALLS_MAX].id;
        if (!id)
            continue;
        struct charle_bytes raw = fuzz_take(&l->in, fuzz_choose(&l->in, RAW_MAX));
        ch_client_core_on_message(l->a.core, id, raw);
        return;
    }
}

// --- the laptop -----------------------------------------------------------------------------------------------------------

static void open_laptop(struct liar *l, bool is_fresh)
{
    struct charle_error err = {0};
    world_open(&l->a, &l->server, "liar", is_fresh);
    CHARLE_ASSERT(ch_replica_open_reader(&l->a.replica, &l->reader, &err) == CHARLE_OK);
    ch_client_core_start(l->a.core);
    world_connect(&l->a, true);
}

static void close_laptop(struct liar *l)
{
    charle_db_close(l->reader);
    world_close(&l->a);
}

static void sum_up_row(sqlite3_stmt *row, uint64_t *sum)
{
    for (int c = 0; c < sqlite3_column_count(row); c++) {
        const unsigned char *text = sqlite3_column_text(row, c);
        for (int n = 0; n < sqlite3_column_bytes(row, c); n++)
            *sum = (*sum ^ text[n]) * 1099511628211u;
        *sum = (*sum ^ (uint64_t)sqlite3_column_type(row, c)) * 1099511628211u;
    }
}

// Rows, cursors and calls, as one number.
static uint64_t sum_up(struct liar *l)
{
    static const char *const queries[] = {
        "select * from person order by 1", "select * from room order by 1",      "select * from note order by 1",
        "select * from ticket order by 1", "select * from note_reader order by 1, 2", "select * from charle_cursor order by 1",
        "select position, method, request from charle_outbox order by 1",
    };
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        sqlite3_stmt *row = NULL;
        int code = sqlite3_prepare_v2(ch_sqlite_handle(l->reader), queries[i], -1, &row, NULL);
        CHARLE_ASSERT(code == SQLITE_OK);
        while ((code = sqlite3_step(row)) == SQLITE_ROW)
            sum_up_row(row, &sum);
        CHARLE_ASSERT(code == SQLITE_DONE);
        sqlite3_finalize(row);
    }
    return sum;
}

static bool step_checked(struct liar *l)
{
    int before = 0, after = 0;
    uint64_t sum = sum_up(l);
    ch_client_core_problem(l->a.core, &before);
    bool has_moved = world_step(&l->a);
    enum charle_err code = ch_client_core_problem(l->a.core, &after);
    // ABORTED: the moment counts, and the device is to be opened anew under another name.
    if (after > before && code != CHARLE_ABORTED) {
        CHARLE_ASSERT(world_problem(&l->a)[0]);
        CHARLE_ASSERT(sum_up(l) == sum);
    }
    return has_moved;
}

static void go_on(struct liar *l, unsigned steps)
{
    while (steps--) {
        if (!(l->a.more == MORE_NEVER ? step_checked(l) : world_step(&l->a)))
            return;
    }
}

// --- what else happens ----------------------------------------------------------------------------------------------------

static void person_acts(struct liar *l)
{
    struct charle_error err = {0};
    char id[16];
    snprintf(id, sizeof(id), "n%04u", 1 + fuzz_choose(&l->in, NOTES));
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.title = {CHARLE_STR("mine"), true}};
    const struct notes_note_update update = {.key = &key, .set = &set};
    const struct notes_note_delete delete = {.key = &key};
    const struct notes_note_insert insert = {.room_id = CHARLE_STR("r1"), .title = CHARLE_STR("made")};
    const struct notes_replace_request replace = {CHARLE_STR("mine"), CHARLE_STR("yours")};
    switch (fuzz_choose(&l->in, 4)) { // what a lie has made of the rows may well be in the way of a call
    case 0:
        (void)!world_call(&l->a, &notes_note_service_update_method, &update, NULL, NULL, NULL, &err);
        break;
    case 1:
        (void)!world_call(&l->a, &notes_note_service_delete_method, &delete, NULL, NULL, NULL, &err);
        break;
    case 2:
        (void)!world_call(&l->a, &notes_note_service_create_method, &insert, NULL, NULL, NULL, &err);
        break;
    default:
        (void)!world_call(&l->a, &notes_notes_replace_method, &replace, NULL, NULL, NULL, &err);
        break;
    }
}

static void server_acts(struct liar *l)
{
    unsigned id = 1 + fuzz_choose(&l->in, NOTES);
    switch (fuzz_choose(&l->in, 8)) {
    case 0:
        fake_server_sql(&l->server, "delete from note where id = 'n%04u'", id);
        break;
    case 1:
        fake_server_sql(&l->server, "update note set room_id = case room_id when 'r1' then 'r2' else 'r1' end where id = 'n%04u'", id);
        break;
    case 2:
        fake_server_revoke(&l->server, "person:p1");
        break;
    case 3:
        fake_server_grant(&l->server, "room:r2");
        break;
    case 4:
        fake_server_forget_log(&l->server);
        break;
    case 5:
        l->server.parks = !l->server.parks;
        break;
    case 6:
        l->server.page_rows = fuzz_choose(&l->in, 4);
        break;
    default:
        fake_server_sql(&l->server, "update note set title = title || '.' where id = 'n%04u'", id);
        break;
    }
}

static void refuse(struct liar *l)
{
    static const char *const methods[] = {"charle.Sync/Open", "charle.Sync/Pull", "charle.Sync/Push", "charle.Sync/Copy", "charle.Sync/Hash"};
    snprintf(l->a.refuse_method, sizeof(l->a.refuse_method), "%s", methods[fuzz_choose(&l->in, 5)]);
    l->a.refuse_code = (enum charle_err)(1 + fuzz_choose(&l->in, 30));
}

static void step(struct liar *l)
{
    unsigned action = fuzz_choose(&l->in, 24);
    if (action < 14) {
        go_on(l, 1 + action);
    } else if (action < 17) {
        person_acts(l);
    } else if (action < 19) {
        server_acts(l);
    } else if (action == 19) {
        interrupt(l);
    } else if (action == 20) {
        refuse(l);
    } else if (action == 21) {
        world_connect(&l->a, !l->a.is_connected);
    } else if (action == 22) {
        (void)ch_client_core_verify(l->a.core);
    } else {
        close_laptop(l);
        open_laptop(l, false);
    }
}

static void begin(struct liar *l)
{
    unsigned how = fuzz_choose(&l->in, 256);
    fake_server_open(&l->server, &notes_schema);
    fake_server_grant(&l->server, "team");
    if (how & 2)
        fake_server_grant(&l->server, "person:p1");
    fake_server_sql(&l->server, "insert into person(id, name, email) values ('p1', 'Ada', 'ada@x');"
                                "insert into room(id, title, budget) values ('r1', 'Attic', 10), ('r2', 'Bath', 20);"
                                "with recursive n(i) as (select 1 union all select i + 1 from n where i < %d) "
                                "insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) "
                                "select printf('n%%04d', i), 'r' || (1 + i %% 2), 'Title ' || i, i, 'open', 1, 1, '[]' from n", NOTES);
    l->a.tamper = lie;
    l->a.tamper_ctx = l;
    l->a.more = how & 1 ? MORE_NEVER : MORE_BY_CHANCE;
    l->is_calm = how & 4; // lies begin with a replica that is in step
    open_laptop(l, true);
    if (l->is_calm)
        world_settle(&l->a, 20000);
    l->is_calm = false;
}

static void end(struct liar *l)
{
    char sound[80];
    l->is_calm = true;
    if (!l->a.is_connected)
        world_connect(&l->a, true);
    go_on(l, CALM_STEPS);
    close_laptop(l);
    open_laptop(l, false);
    world_text(&l->a, sound, sizeof(sound), "pragma integrity_check");
    CHARLE_ASSERT(strcmp(sound, "ok") == 0);
    close_laptop(l);
    world_remove_files(l->a.file);
    fake_server_close(&l->server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct liar *l = calloc(1, sizeof(*l));
    CHARLE_ASSERT(l);
    l->in = (struct fuzz_input){data, data + size};
    begin(l);
    for (int n = 0; n < STEPS_MAX && l->in.next < l->in.end; n++)
        step(l);
    end(l);
    free(l);
    return 0;
}
