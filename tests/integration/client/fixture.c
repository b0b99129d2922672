#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/dev/shm/charle-client-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->file, sizeof(f->file), "%s/replica.db", f->folder);
    served_start(&f->served, &notes_schema, "tcp://127.0.0.1:0");
    struct fake_server *server = served_lock(&f->served);
    fake_server_grant(server, "team");
    fake_server_sql(server, "insert into person(id, name) values ('p1', 'Ada')");
    fake_server_sql(server, "with recursive n(i) as (select 1 union all select i + 1 from n where i < 300) "
                    "insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) "
                    "select printf('n%%04d', i), 'r1', 'Title ' || i, 0, 'open', 1, 1, '[]' from n");
    served_unlock(&f->served);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    char command[140];
    served_stop(&f->served);
    charle_arena_deinit(&f->arena);
    snprintf(command, sizeof(command), "rm -rf %s", f->folder);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

struct charle_client *open_client(struct fixture *f)
{
    struct charle_client *client = NULL;
    struct charle_error err = {0};
    const struct charle_client_options options = {.file = f->file, .schema = &notes_schema, .url = f->served.address, .token = "t"};
    if (charle_client_open(&options, &client, &err))
        fail_msg("%s", err.text);
    return client;
}

void must_sync(struct charle_client *client)
{
    struct charle_error err = {0};
    if (charle_client_sync(client, 30000, &err))
        fail_msg("%s", err.text);
}

int64_t number(struct charle_db *db, const char *sql)
{
    struct charle_error err = {0};
    struct charle_rows *rows;
    struct charle_value value;
    if (charle_query(db, sql, NULL, 0, &rows, &err) || charle_rows_next(rows, &err) ||
        charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &value, &err))
        fail_msg("%s: %s", sql, err.text);
    charle_rows_close(rows);
    return value.int8;
}

int set_title(struct fixture *f, struct charle_client *client, const char *id, const char *title,
                     const struct charle_client_call_options *options, struct charle_error *err)
{
    struct notes_note_patch reply;
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.title = {charle_str(title), true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    return charle_client_call(client, &notes_note_service_update_method, &request, &f->arena, &reply, options, err);
}

int64_t server_number(struct fixture *f, const char *sql)
{
    int64_t value = fake_server_number(served_lock(&f->served), "%s", sql);
    served_unlock(&f->served);
    return value;
}

bool wait_for_state(struct charle_client *client, enum charle_client_state state, int ms)
{
    struct charle_client_status status;
    for (int waited = 0; waited < ms; waited += 5) {
        charle_client_status(client, &status);
        if (status.state == state)
            return true;
        usleep(5000);
    }
    return false;
}
