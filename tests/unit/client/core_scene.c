#include "core_scene.h"

#include "notes.charle.h"
#include "base/log.h"
#include "msg/wire.h"
#include "services/crud.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

extern const struct charle_schema notes_schema;

static void seed_rows(struct fake_server *server, int notes)
{
    fake_server_sql(server, "insert into person(id, name, email) values ('p1', 'Ada', 'ada@x'), ('p2', 'Bob', 'bob@x'), ('p3', 'Cy', null);"
                    "insert into room(id, title, budget) values ('r1', 'Attic', 10), ('r2', 'Bath', 20), ('r3', 'Cellar', 30)");
    fake_server_sql(server,
                    "with recursive n(i) as (select 1 union all select i + 1 from n where i < %d) "
                    "insert into note(id, room_id, title, body, votes, state, rank, created_at, updated_at, labels) "
                    "select printf('n%%04d', i), 'r' || (1 + i %% 3), 'Title ' || i, 'Body ' || i, i, "
                    "case i %% 4 when 0 then 'draft' when 1 then 'done' else 'open' end, i, 1763800000000000, 1763800000000000, '[]' from n",
                    notes);
    fake_server_sql(server, "insert into note_reader(note_id, person_id, since) select id, 'p1', '2026-01-02' from note where votes %% 5 = 0");
}

void scene_prepare(void)
{
    if (getenv("CHARLE_TEST_TRACE"))
        ch_log_configure(CH_LOG_DEBUG, CH_LOG_TEXT, 2);
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
}

int scene_setup(void **state)
{
    struct scene *f = calloc(1, sizeof(*f));
    fake_server_open(&f->server, &notes_schema);
    fake_server_grant(&f->server, "team");
    fake_server_grant(&f->server, "person:p1");
    seed_rows(&f->server, 40);
    f->a.random = 1;
    world_open(&f->a, &f->server, "a", true);
    *state = f;
    return 0;
}

int scene_teardown(void **state)
{
    struct scene *f = *state;
    if (f->a.core)
        world_close(&f->a);
    world_remove_files(f->a.file);
    fake_server_close(&f->server);
    charle_arena_deinit(&f->arena);
    free(f);
    return 0;
}

void scene_start(struct scene *f)
{
    ch_client_core_start(f->a.core);
    world_connect(&f->a, true);
    world_settle(&f->a, 20000);
}

// --- requests -----------------------------------------------------------------------------------------------------------------

enum charle_err scene_set_title(struct scene *f, const char *id, const char *title, int64_t *ticket, struct charle_error *err)
{
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.title = {charle_str(title), true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    return world_call(&f->a, &notes_note_service_update_method, &request, NULL, NULL, ticket, err);
}

void scene_must_set_title(struct scene *f, const char *id, const char *title)
{
    struct charle_error err = {0};
    if (scene_set_title(f, id, title, NULL, &err))
        fail_msg("%s", err.text);
}

void scene_must_vote(struct scene *f, const char *id, int32_t from, int32_t to)
{
    struct charle_error err = {0};
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.votes = {to, true}}, base = {.votes = {from, true}};
    const struct notes_note_update request = {.key = &key, .set = &set, .base = &base};
    if (world_call(&f->a, &notes_note_service_update_method, &request, NULL, NULL, NULL, &err))
        fail_msg("%s", err.text);
}

enum charle_err scene_vote(struct scene *f, const char *id, struct charle_error *err)
{
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.votes = {1, true}}, base = {.votes = {0, true}};
    const struct notes_note_update request = {.key = &key, .set = &set, .base = &base};
    return world_call(&f->a, &notes_note_service_update_method, &request, NULL, NULL, NULL, err);
}

struct charle_str scene_must_create(struct scene *f, const char *room, const char *title)
{
    struct charle_error err = {0};
    struct notes_note_patch reply;
    const struct notes_note_insert request = {.room_id = charle_str(room), .title = charle_str(title)};
    if (world_call(&f->a, &notes_note_service_create_method, &request, &reply, &f->arena, NULL, &err))
        fail_msg("%s", err.text);
    return charle_arena_str(&f->arena, reply.id.value);
}

void scene_must_replace(struct scene *f, const char *from, const char *to)
{
    struct charle_error err = {0};
    const struct notes_replace_request request = {charle_str(from), charle_str(to)};
    if (world_call(&f->a, &notes_notes_replace_method, &request, NULL, NULL, NULL, &err))
        fail_msg("%s", err.text);
}

void scene_expect_title(struct scene *f, const char *id, const char *title)
{
    char sql[200], found[200];
    snprintf(sql, sizeof(sql), "select title from note where id = '%s'", id);
    world_text(&f->a, found, sizeof(found), sql);
    assert_string_equal(found, title);
}

struct charle_verify_report scene_verify(struct scene *f)
{
    struct charle_verify_report report;
    int64_t ticket = ch_client_core_verify(f->a.core);
    assert_true(ticket > 0);
    for (int i = 0; i < 20000 && ch_client_core_verified(f->a.core, &report) < ticket; i++)
        world_step(&f->a);
    assert_true(ch_client_core_verified(f->a.core, &report) >= ticket);
    return report;
}
