// Random walks of a client core and a server in the same program: trouble of all kinds, and both equal in the end.
#include "core_scene.h"

#include "notes.charle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

// --- everything at once -------------------------------------------------------------------------------------------------------

static void random_action(struct scene *f, int i)
{
    char id[16], title[32];
    static const char *const scopes[] = {"room:r1", "room:r2", "room:r3", "reader:p1", "team"};
    snprintf(id, sizeof(id), "n%04d", 1 + (int)world_random(&f->a, 45));
    snprintf(title, sizeof(title), "t%d", i);
    struct charle_error err;
    switch (world_random(&f->a, 14)) {
    case 0:
    case 1:
        (void)!scene_set_title(f, id, title, NULL, &err);
        break;
    case 2:
        (void)!scene_vote(f, id, &err);
        break;
    case 3: {
        const struct notes_note_insert request = {.room_id = CHARLE_STR("r2"), .title = charle_str(title)};
        (void)!world_call(&f->a, &notes_note_service_create_method, &request, NULL, NULL, NULL, &err);
        break;
    }
    case 4: {
        const struct notes_replace_request request = {CHARLE_STR("t5"), CHARLE_STR("t6")};
        if (world_random(&f->a, 4) == 0)
            (void)!world_call(&f->a, &notes_notes_replace_method, &request, NULL, NULL, NULL, &err);
        break;
    }
    case 5:
        fake_server_sql(&f->server, "update note set title = 'f%d', votes = votes + 1 where id = '%s'", i % 7, id);
        break;
    case 6:
        fake_server_sql(&f->server, "update note set state = case state when 'draft' then 'open' else 'draft' end, room_id = 'r%d' where id = '%s'",
                        1 + i % 3, id);
        break;
    case 7:
        if (world_random(&f->a, 3) == 0)
            fake_server_sql(&f->server, "delete from note_reader where note_id = '%s'; delete from note where id = '%s'", id, id);
        else
            fake_server_sql(&f->server, "insert into note_reader(note_id, person_id) select id, 'p1' from note where id = '%s' on conflict do nothing", id);
        break;
    case 8:
        if (world_random(&f->a, 4) == 0)
            fake_server_grant(&f->server, scopes[world_random(&f->a, 5)]);
        break;
    case 9:
        if (world_random(&f->a, 6) == 0)
            fake_server_revoke(&f->server, scopes[world_random(&f->a, 5)]);
        break;
    case 10:
        if (world_random(&f->a, 3) == 0)
            world_connect(&f->a, !f->a.is_connected);
        break;
    case 11:
        if (world_random(&f->a, 8) == 0) {
            world_close(&f->a);
            world_open(&f->a, &f->server, "a", false);
            ch_client_core_start(f->a.core);
            world_connect(&f->a, true);
        }
        break;
    case 12:
        if (world_random(&f->a, 25) == 0)
            fake_server_forget_log(&f->server);
        else if (world_random(&f->a, 40) == 0)
            fake_server_save(&f->server);
        else if (world_random(&f->a, 60) == 0 && f->server.saved_file[0]) {
            world_connect(&f->a, false); // no stream outlives the database it reads
            fake_server_restore(&f->server);
        }
        break;
    default:
        f->server.page_rows = 1 + world_random(&f->a, 12);
        f->server.parks = world_random(&f->a, 20) == 0;
        break;
    }
}

// What readers see, as one number.
static uint64_t sum_of_rows(struct scene *f)
{
    static const char *const tables[] = {"person", "room", "note", "note_reader"};
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        char sql[100];
        sqlite3_stmt *stmt;
        snprintf(sql, sizeof(sql), "select * from %s order by 1, 2", tables[i]);
        assert_int_equal(sqlite3_prepare_v2(f->a.replica.look.db, sql, -1, &stmt, NULL), SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            for (int c = 0; c < sqlite3_column_count(stmt); c++) {
                const unsigned char *text = sqlite3_column_text(stmt, c);
                bool is_empty_list = text && strcmp((const char *)text, "[]") == 0; // the same as not shown, in a row's bytes
                for (int n = 0; !is_empty_list && n < sqlite3_column_bytes(stmt, c); n++)
                    sum = (sum ^ text[n]) * 1099511628211u;
                sum = sum * 1099511628211u + (text && !is_empty_list);
            }
        }
        sqlite3_finalize(stmt);
    }
    return sum;
}

// However little was run again, the rows are those that running everything again gives.
static void check_rebase(struct scene *f)
{
    struct charle_error err = {0};
    if (world_number(&f->a, "select value from charle_meta where key = 'ready'") != 1)
        return;
    uint64_t before = sum_of_rows(f);
    assert_int_equal(ch_apply_rebase(&f->a.replica, CH_FETCHABLE, NULL, NULL, &err), CHARLE_OK);
    assert_int_equal(sum_of_rows(f), before);
}

static void run_seed(struct scene *f, uint64_t seed, int steps)
{
    f->a.random = seed;
    ch_client_core_start(f->a.core);
    world_connect(&f->a, true);
    for (int i = 0; i < steps; i++) {
        if (world_random(&f->a, 4) == 0)
            random_action(f, i);
        world_step(&f->a);
        if (world_random(&f->a, 30) == 0)
            check_rebase(f);
    }
    f->server.parks = false;
    fake_server_grant(&f->server, "team");
    if (!f->a.is_connected)
        world_connect(&f->a, true);
    // Until every call has its verdict, parked ones too.
    for (int i = 0; i < 100000 && world_number(&f->a, "select count(*) from charle_outbox where state < 5") > 0; i++)
        world_step(&f->a);
    world_settle(&f->a, 50000);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where state < 5"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_base"), 0);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(scene_verify(f).rows_different, 0);
}

static uint64_t random_walks(void)
{
    const char *count = getenv("CHARLE_TEST_WALKS");
    return count ? strtoull(count, NULL, 10) : 24;
}

static void random_walks_end_equal(void **state)
{
    struct scene *f = *state;
    const char *only = getenv("CHARLE_TEST_SEED");
    for (uint64_t seed = only ? strtoull(only, NULL, 10) : 1, last = only ? seed : random_walks(); seed <= last; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_seed(f, seed, 1500);
        assert_int_equal(scene_teardown(state), 0);
        assert_int_equal(scene_setup(state), 0);
        f = *state;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_CASE(random_walks_end_equal),
    };
    scene_prepare();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
