#include "model/walk.h"

#include "unit/client/world.h"

#include "notes.charle.h"
#include "sim/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DISK "walk-disk"

extern const struct charle_schema notes_schema;

enum { NOTES = 8, STEPS_MAX = 20000, SEEN_MAX = 2000, VOTES_AT_FIRST = 1 };

struct walk {
    struct fake_server server;
    struct world a;
    struct sim_disk *disk;
    const uint8_t *bytes;
    size_t size, at;
    uint64_t random;
    struct walk_totals *totals;
    // In some walks moments vanish on the way. A moment says nothing about those before it that touched other scopes, so there is one scope
    // in them: then the next one tells.
    bool is_lossy;
    bool is_saved;
    int64_t votes, saved_votes; // that other writers gave to the first note
    int64_t names;
    int64_t seen[SEEN_MAX]; // tickets of calls that succeeded
    size_t seen_count;
};

// --- what the bytes say -------------------------------------------------------------------------------------------------

static uint64_t walk_random(void *ctx)
{
    struct walk *w = ctx;
    w->random += 0x9e3779b97f4a7c15u; // splitmix64
    uint64_t z = w->random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int64_t walk_wall(void *ctx)
{
    (void)ctx;
    return 1763800000000000;
}

static int next(struct walk *w, int below)
{
    return w->at < w->size ? w->bytes[w->at++] % below : 0;
}

static const char *some_note(struct walk *w, char out[8])
{
    snprintf(out, 8, "n%04d", 1 + next(w, NOTES));
    return out;
}

// --- life ---------------------------------------------------------------------------------------------------------------

static void check_seen(struct walk *w)
{
    for (size_t i = 0; i < w->seen_count; i++) {
        if (world_number(&w->a, "select count(*) from charle_outbox where coalesce(ticket, position) = %lld", (long long)w->seen[i]) < 1)
            fail_msg("call %lld, which its user saw succeed, is gone", (long long)w->seen[i]);
    }
}

static void start_again(struct walk *w, bool is_power_cut)
{
    world_close(&w->a);
    sim_disk_die_after(w->disk, 0);
    sim_disk_revive(w->disk, is_power_cut);
    world_open(&w->a, &w->server, "walk", false);
    w->totals->deaths++;
    check_seen(w);
    ch_client_core_start(w->a.core);
    world_connect(&w->a, true);
}

static void revive(struct walk *w)
{
    if (sim_disk_is_dead(w->disk))
        start_again(w, walk_random(w) % 2);
}

// --- the person ---------------------------------------------------------------------------------------------------------

static void make_call(struct walk *w, const struct charle_method *method, const void *request)
{
    struct charle_error err = {0};
    int64_t ticket = 0;
    enum charle_err rc = world_call(&w->a, method, request, NULL, NULL, &ticket, &err);
    if (rc == CHARLE_OK) {
        w->totals->calls++;
        if (w->seen_count < SEEN_MAX)
            w->seen[w->seen_count++] = ticket;
    } else if (!sim_disk_is_dead(w->disk) && (rc == CHARLE_INTERNAL || rc == CHARLE_MALFORMED || rc == CHARLE_DATA_LOSS || rc == CHARLE_UNKNOWN)) {
        fail_msg("%s failed: %s", method->name.ptr, err.text);
    }
}

static bool is_ready(struct walk *w)
{
    return world_number(&w->a, "select count(*) from charle_meta where key = 'ready' and value = 1") == 1;
}

// The counter of the first note: nobody else's calls touch it, so what it says in the end is known.
static void vote(struct walk *w)
{
    int32_t now = (int32_t)world_number(&w->a, "select votes from note where id = 'n0001'");
    const struct notes_note_key key = {CHARLE_STR("n0001")};
    const struct notes_note_patch set = {.votes = {now + 1, true}}, base = {.votes = {now, true}};
    const struct notes_note_update request = {.key = &key, .set = &set, .base = &base};
    if (now >= 0)
        make_call(w, &notes_note_service_update_method, &request);
}

static void set_title(struct walk *w)
{
    char id[8], title[24];
    const struct notes_note_key key = {charle_str(some_note(w, id))};
    snprintf(title, sizeof(title), "mine %d", next(w, 4));
    const struct notes_note_patch set = {.title = {charle_str(title), true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    if (strcmp(id, "n0001") != 0)
        make_call(w, &notes_note_service_update_method, &request);
}

static void create_note(struct walk *w)
{
    static const char *const rooms[] = {"r1", "r2"};
    const struct notes_note_insert request = {.room_id = charle_str(rooms[next(w, 2)]), .title = CHARLE_STR("made")};
    make_call(w, &notes_note_service_create_method, &request);
}

static void delete_note(struct walk *w)
{
    char id[8];
    const struct notes_note_key key = {charle_str(some_note(w, id))};
    const struct notes_note_delete request = {.key = &key};
    if (strcmp(id, "n0001") != 0)
        make_call(w, &notes_note_service_delete_method, &request);
}

// Reads and writes any note, so it runs again at every change.
static void replace(struct walk *w)
{
    char from[24], to[24];
    snprintf(from, sizeof(from), "mine %d", next(w, 4));
    snprintf(to, sizeof(to), "mine %d", next(w, 4));
    const struct notes_replace_request request = {charle_str(from), charle_str(to)};
    make_call(w, &notes_notes_replace_method, &request);
}

static void person_acts(struct walk *w)
{
    static void (*const deeds[])(struct walk *) = {vote, vote, vote, set_title, set_title, create_note, delete_note, replace};
    void (*deed)(struct walk *) = deeds[next(w, 8)];
    for (int n = 1 + next(w, 8) / 5; n && is_ready(w); n--) {
        deed(w);
        revive(w);
    }
}

// --- everybody else -----------------------------------------------------------------------------------------------------

static void writer_acts(struct walk *w)
{
    char id[8];
    some_note(w, id);
    switch (next(w, 8)) {
    case 0:
    case 1: {
        int given = 1 + next(w, 5);
        fake_server_sql(&w->server, "update note set votes = votes + %d where id = 'n0001'", given);
        w->votes += given;
        break;
    }
    case 2:
        fake_server_sql(&w->server, "update note set title = 'theirs %d' where id = '%s'", next(w, 9), id);
        break;
    case 3:
        fake_server_sql(&w->server, "update note set state = case state when 'draft' then 'open' else 'draft' end where id = '%s' and id > 'n0001'", id);
        break;
    case 4:
        fake_server_sql(&w->server, "update note set room_id = case room_id when 'r1' then 'r2' else 'r1' end, title = title || '.' where id = '%s'", id);
        break;
    case 5:
        fake_server_sql(&w->server, "delete from note where id = '%s' and id > 'n0001'", id);
        break;
    case 6:
        fake_server_sql(&w->server, "insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) values ('%s', 'r%d', 'again', 0, "
                                    "'open', 1, 1, '[]') on conflict do nothing", id, 1 + next(w, 2));
        break;
    default:
        fake_server_sql(&w->server, "update person set name = 'name %lld' where id = 'p2'", (long long)++w->names);
        break;
    }
}

static void grants_move(struct walk *w)
{
    static const char *const scopes[] = {"room:r1", "room:r2", "person:p1"};
    const char *scope = scopes[next(w, 3)];
    if (w->is_lossy)
        return;
    (next(w, 2) ? fake_server_grant : fake_server_revoke)(&w->server, scope);
}

static void network_acts(struct walk *w)
{
    static const char *const methods[] = {"charle.Sync/Open", "charle.Sync/Pull", "charle.Sync/Push", "charle.Sync/Push", "charle.Sync/Copy", "charle.Sync/Hash"};
    static const enum charle_err codes[] = {CHARLE_UNAVAILABLE, CHARLE_ABORTED, CHARLE_DEADLINE_EXCEEDED, CHARLE_BUSY};
    switch (next(w, 3)) {
    case 0:
        world_connect(&w->a, false);
        break;
    case 1:
        world_connect(&w->a, true);
        break;
    default:
        snprintf(w->a.refuse_method, sizeof(w->a.refuse_method), "%s", methods[next(w, 6)]);
        w->a.refuse_code = codes[next(w, 4)];
        break;
    }
}

static void disk_acts(struct walk *w)
{
    if (next(w, 3) == 0)
        start_again(w, next(w, 2));
    else
        sim_disk_die_after(w->disk, 1 + next(w, 60));
}

static void server_acts(struct walk *w)
{
    switch (next(w, 8)) {
    case 0:
        w->server.parks = !w->server.parks;
        break;
    case 1:
        w->server.rejects = !w->server.rejects;
        break;
    case 2:
        w->server.takes_none = !w->server.takes_none;
        break;
    case 3:
        fake_server_save(&w->server);
        w->is_saved = true;
        w->saved_votes = w->votes;
        break;
    case 4:
        if (!w->is_saved)
            break;
        world_connect(&w->a, false); // a server that starts anew has no connections
        fake_server_restore(&w->server);
        w->votes = w->saved_votes;
        w->totals->restores++;
        break;
    case 5:
        fake_server_forget_log(&w->server);
        break;
    default:
        w->server.page_rows = (size_t)next(w, 8);
        break;
    }
}

// --- all is well again --------------------------------------------------------------------------------------------------

static void drain(struct walk *w)
{
    int steps = 0;
    while (world_number(&w->a, "select count(*) from charle_outbox where state < 5") > 0) {
        if (++steps > STEPS_MAX || !world_step(&w->a))
            fail_msg("%lld calls wait for ever: %s", (long long)world_number(&w->a, "select count(*) from charle_outbox where state < 5"),
                     world_problem(&w->a));
    }
}

static void check(struct walk *w)
{
    int64_t own = world_number(&w->a, "select count(*) from charle_outbox where kind in (1, 2) and method = 'notes.NoteService/Update' and "
                                      "instr(request, cast('n0001' as blob)) > 0");
    int64_t there = fake_server_number(&w->server, "select votes from note where id = 'n0001'");
    if (there != VOTES_AT_FIRST + w->votes + own)
        fail_msg("the note has %lld votes: %d at first, %lld of others, %lld calls that took effect", (long long)there, VOTES_AT_FIRST,
                 (long long)w->votes, (long long)own);
    check_seen(w);
    fake_server_check(&w->server, &w->a.replica);
    assert_int_equal(world_number(&w->a, "select count(*) from charle_base"), 0);
    assert_int_equal(world_number(&w->a, "select count(*) from charle_touch"), 0);
    w->totals->checks++;
}

static void heal(struct walk *w)
{
    revive(w);
    sim_disk_calm(w->disk);
    w->server.parks = w->server.rejects = w->server.takes_none = false;
    w->a.refuse_method[0] = '\0';
    w->totals->vanished += w->a.vanished_moments;
    w->a.vanished_moments = w->a.lost_moments = 0;
    if (!w->a.is_connected)
        world_connect(&w->a, true);
    fake_server_sql(&w->server, "update person set name = 'name %lld' where id = 'p2'", (long long)++w->names); // tells of what vanished
    world_settle(&w->a, STEPS_MAX);
    drain(w);
    world_settle(&w->a, STEPS_MAX);
    check(w);
}

// --- the walk -----------------------------------------------------------------------------------------------------------

static void step(struct walk *w)
{
    int action = next(w, 32);
    w->totals->steps++;
    if (action < 14) {
        for (int n = 1 + next(w, 8); n && !sim_disk_is_dead(w->disk); n--)
            (void)world_step(&w->a);
    } else if (action < 19) {
        person_acts(w);
    } else if (action < 24) {
        writer_acts(w);
    } else if (action == 24 && w->is_lossy) {
        w->a.lost_moments = 1 + next(w, 2);
    } else if (action < 26) {
        network_acts(w);
    } else if (action == 26) {
        disk_acts(w);
    } else if (action == 27) {
        server_acts(w);
    } else if (action == 28) {
        grants_move(w);
    } else if (action == 29) {
        w->a.mono_us += (int64_t)next(w, 256) * 100000;
    } else if (action == 30) {
        (void)(next(w, 2) ? ch_client_core_verify(w->a.core) : ch_client_core_sync(w->a.core));
    } else if (next(w, 8) == 0) {
        heal(w);
    }
    revive(w);
}

static void begin(struct walk *w)
{
    fake_server_open(&w->server, &notes_schema);
    fake_server_grant(&w->server, "team");
    fake_server_sql(&w->server, "insert into person(id, name, email) values ('p1', 'Ada', 'ada@x'), ('p2', 'Bob', null);"
                                "insert into room(id, title, budget) values ('r1', 'Attic', 10), ('r2', 'Bath', 20)");
    fake_server_sql(&w->server,
                    "with recursive n(i) as (select 1 union all select i + 1 from n where i < %d) "
                    "insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) "
                    "select printf('n%%04d', i), 'r' || (1 + i %% 2), 'Title ' || i, i, 'open', 1, 1, '[]' from n", NOTES);
    w->disk = sim_disk_new(DISK, walk_random, walk_wall, w);
    w->a.vfs = DISK;
    world_open(&w->a, &w->server, "walk", true);
    ch_client_core_start(w->a.core);
    world_connect(&w->a, true);
}

void walk_run(const uint8_t *bytes, size_t size, struct walk_totals *totals)
{
    struct walk *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->bytes = bytes;
    w->size = size;
    w->totals = totals;
    w->random = w->a.random = size;
    w->is_lossy = next(w, 4) == 0;
    begin(w);
    while (w->at < w->size)
        step(w);
    heal(w);
    world_close(&w->a);
    sim_disk_free(w->disk);
    fake_server_close(&w->server);
    totals->walks++;
    free(w);
}
