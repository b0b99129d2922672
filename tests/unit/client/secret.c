#include "secret.h"

#include "notes.charle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

extern const struct charle_schema notes_schema;

int secret_setup(void **state)
{
    struct secret *secret = calloc(1, sizeof(*secret));
    fake_server_open(&secret->server, &notes_schema);
    fake_server_grant(&secret->server, "team");
    fake_server_sql(&secret->server, "insert into person(id, name) values ('p1', 'Ada Lovelace')");
    fake_server_sql(&secret->server, "with recursive n(i) as (select 1 union all select i + 1 from n where i < 30) "
                                     "insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) "
                                     "select printf('n%%04d', i), 'r1', 'Title ' || i, i, 'open', 1, 1, '[]' from n");
    secret->a.random = 1;
    *state = secret;
    return 0;
}

int secret_teardown(void **state)
{
    struct secret *secret = *state;
    if (secret->a.core)
        world_close(&secret->a);
    world_remove_files(secret->a.file);
    fake_server_close(&secret->server);
    free(secret);
    return 0;
}

void secret_open_live(struct secret *secret, const struct charle_client_key *key)
{
    secret->a.key = key;
    world_open(&secret->a, &secret->server, "secret", true);
    ch_client_core_start(secret->a.core);
    world_connect(&secret->a, true);
    world_settle(&secret->a, 5000);
}

enum charle_err secret_set_title(struct world *world, const char *id, const char *title, struct charle_error *err)
{
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.title = {charle_str(title), true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    return world_call(world, &notes_note_service_update_method, &request, NULL, NULL, NULL, err);
}
