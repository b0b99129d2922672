#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

extern const struct charle_schema notes_schema;

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    fake_server_open(&f->server, &notes_schema);
    fake_server_grant(&f->server, "team");
    fake_server_grant(&f->server, "person:p1");
    fake_server_sql(&f->server, "insert into person(id, name, email) values ('p1', 'Ada', 'ada@x');"
                    "insert into room(id, title, budget) values ('r1', 'Attic', 10), ('r2', 'Bath', 20)");
    fake_server_sql(&f->server,
                    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 30) "
                    "insert into note(id, room_id, title, body, votes, state, rank, created_at, updated_at, labels) "
                    "select printf('n%%04d', i), 'r' || (1 + i %% 2), 'Title ' || i, 'Body ' || i, i, 'open', i, 1763800000000000, 1763800000000000, '[]' from n");
    f->a.random = 1;
    world_open(&f->a, &f->server, "fixture", true);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    world_close(&f->a);
    world_remove_files(f->a.file);
    fake_server_close(&f->server);
    free(f);
    return 0;
}

void fixture_start(struct fixture *f)
{
    ch_client_core_start(f->a.core);
    world_connect(&f->a, true);
}

void fixture_reconnect(struct fixture *f)
{
    world_connect(&f->a, false);
    world_connect(&f->a, true);
}

void fixture_step_until(struct fixture *f, const char *sql, int64_t value)
{
    for (int i = 0; i < 5000; i++) {
        if (world_number(&f->a, "%s", sql) == value)
            return;
        assert_true(world_step(&f->a));
    }
    fail_msg("never: %s = %lld", sql, (long long)value);
}

int64_t fixture_stamp(struct fixture *f, const char *scope)
{
    return world_number(&f->a, "select stamp from charle_cursor where scope = '%s' and state = 1", scope);
}

void fixture_end(struct fixture *f)
{
    world_settle(&f->a, 20000);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_cursor where state <> 1"), 0);
}
