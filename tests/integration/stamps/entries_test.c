// Which entries a change leaves: columns, constants, conditions, projections, keys, bulk statements, TRUNCATE, foreign
// writers.
#include "fixture.h"

static PGconn *conn;

static int set_up(void **state)
{
    (void)state;
    conn = stamps_open(ch_pg_cluster_shared(), "entries");
    stamps_run(conn, "insert into person (id, name) values ('p1', 'Ann'), ('p2', 'Bob')");
    stamps_run(conn, "insert into client (id, name) values ('c1', 'One'), ('c2', 'Two')");
    stamps_entries(conn);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    PQfinish(conn);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    stamps_run(conn, "delete from score; delete from assignee; delete from item; delete from quote; delete from "
                     "comment; delete from task; "
                     "delete from day");
    stamps_entries(conn);
    return 0;
}

static void insert_enters_every_scope_of_the_row(void **state)
{
    (void)state;
    stamps_run(conn, "insert into task (id, client_id, title) values ('t1', 'c1', 'x')");
    assert_entries(conn, "client:c1 task u t1, portal:c1 task u t1, team task u t1");
}

static void null_keys_and_false_conditions_give_no_scope(void **state)
{
    (void)state;
    stamps_run(conn, "insert into task (id, client_id, title) values ('t1', null, 'x')");
    assert_entries(conn, "team task u t1");
    stamps_run(conn, "insert into task (id, client_id, title, is_visible) values ('t2', 'c1', 'x', false)");
    assert_entries(conn, "client:c1 task u t2, team task u t2");
}

static void update_that_changes_nothing_leaves_no_entry(void **state)
{
    (void)state;
    stamps_run(conn, "insert into task (id, client_id, title, price) values ('t1', 'c1', 'x', 1.0)");
    stamps_entries(conn);
    int64_t head = stamps_head(conn, "client:c1");
    stamps_run(conn, "update task set title = title, minutes = minutes");
    stamps_run(conn, "update task set title = 'x' where id = 't1'");
    assert_entries(conn, "");
    assert_int_equal(stamps_head(conn, "client:c1"), head);
}

static void update_is_told_to_those_who_see_the_column(void **state)
{
    (void)state;
    stamps_run(conn, "insert into task (id, client_id, title, price) values ('t1', 'c1', 'x', 1)");
    stamps_entries(conn);
    stamps_run(conn, "update task set price = 2");
    assert_entries(conn, "client:c1 task u t1"); // the team does not see prices, the portal sees titles only
    stamps_run(conn, "update task set minutes = 5");
    assert_entries(conn, "client:c1 task u t1, team task u t1");
    stamps_run(conn, "update task set title = 'y'");
    assert_entries(conn, "client:c1 task u t1, portal:c1 task u t1, team task u t1");
    stamps_run(conn, "update person set secret = 'hidden'");
    assert_entries(conn, "");
}

static void move_is_an_entry_in_both_scopes(void **state)
{
    (void)state;
    stamps_run(conn, "insert into task (id, client_id, title) values ('t1', 'c1', 'x')");
    stamps_entries(conn);
    stamps_run(conn, "update task set client_id = 'c2'");
    assert_entries(
        conn, "client:c1 task d t1, client:c2 task u t1, portal:c1 task d t1, portal:c2 task u t1, team task u t1");
    stamps_run(conn, "update task set client_id = null");
    assert_entries(conn, "client:c2 task d t1, portal:c2 task d t1, team task u t1");
}

static void condition_that_turns_is_entering_and_leaving(void **state)
{
    (void)state;
    stamps_run(conn, "insert into task (id, client_id, title, state) values ('t1', 'c1', 'x', 'draft')");
    assert_entries(conn, "client:c1 task u t1, team task u t1");
    stamps_run(conn, "update task set state = 'open'");
    assert_entries(conn, "client:c1 task u t1, portal:c1 task u t1, team task u t1");
    stamps_run(conn, "update task set is_visible = false");
    assert_entries(conn, "client:c1 task u t1, portal:c1 task d t1, team task u t1");
}

static void delete_leaves_every_scope(void **state)
{
    (void)state;
    stamps_run(conn, "insert into task (id, client_id, title) values ('t1', 'c1', 'x')");
    stamps_entries(conn);
    stamps_run(conn, "delete from task");
    assert_entries(conn, "client:c1 task d t1, portal:c1 task d t1, team task d t1");
}

static void changed_key_is_one_row_gone_and_one_new(void **state)
{
    (void)state;
    stamps_run(conn, "insert into task (id, client_id, title, is_visible) values ('t1', 'c1', 'x', false)");
    stamps_entries(conn);
    stamps_run(conn, "update task set id = 't9'");
    assert_entries(conn, "client:c1 task d t1, client:c1 task u t9, team task d t1, team task u t9");
}

static void keys_do_not_depend_on_settings(void **state)
{
    (void)state;
    stamps_run(conn, "set datestyle = 'German, DMY'; set timezone = 'Asia/Tokyo'; set bytea_output = 'escape'");
    stamps_run(conn, "insert into day values (7, '2026-11-22', 1)");
    assert_entries(conn, "number:7 day u [7, \"2026-11-22\"]");
    stamps_run(conn, "reset datestyle; reset timezone; reset bytea_output");
}

static void odd_texts_travel_unharmed(void **state)
{
    (void)state;
    stamps_run(conn,
               "insert into task (id, client_id, title, is_visible) values (e'a:b\\n\\t\"'' é', 'c1', 'x', false)");
    assert_entries(conn, "client:c1 task u a:b\n\t\"' é, team task u a:b\n\t\"' é");
    stamps_refuse(conn, "must not hold the control characters",
                  "insert into task (id, title) values (e'a\\x1eteam\\x1f3u\\x1fz', 'x')");
    stamps_refuse(conn, "must not hold the control characters",
                  "insert into client (id, name) values (e'a\\x1f', 'x')");
    stamps_refuse(conn, "must not hold the control characters", "update task set id = e'a\\x1f'");
}

static void bulk_statements_write_every_row(void **state)
{
    (void)state;
    stamps_run(conn,
               "insert into task (id, client_id, title, is_visible) select 'b' || i, 'c' || (1 + i %% 2), 'x', false "
               "from generate_series(1, 5000) i");
    assert_int_equal(
        stamps_number(conn,
                      "select count(*) from charle.entry where scope = 'team' and tab = 3 and key ~ '^b' and op = 'u'"),
        5000);
    assert_int_equal(
        stamps_number(
            conn,
            "select count(*) from charle.entry where scope = 'client:c1' and tab = 3 and key ~ '^b' and op = 'u'"),
        2500);
    assert_int_equal(
        stamps_number(
            conn, "select count(distinct v) from charle.entry where scope = 'client:c2' and tab = 3 and key ~ '^b'"),
        1);
    stamps_run(conn, "update task set minutes = 1 where id ~ '[05]$'");
    assert_int_equal(stamps_number(conn, "select count(*) from charle.entry e where scope = 'team' and v = "
                                         "(select v from charle.head where scope = 'team')"),
                     1000);
    stamps_run(conn, "copy (select 1) to '/dev/null'");
    stamps_entries(conn);
    stamps_run(conn, "delete from task where id <> 'b1'");
    assert_int_equal(stamps_number(conn,
                                   "select count(*) from charle.entry e where scope = 'team' and op = 'd' and v = "
                                   "(select v from charle.head where scope = 'team')"),
                     4999);
}

static void bulk_of_one_transaction_may_mix_tables_and_sizes(void **state)
{
    (void)state;
    stamps_run(conn, "begin; insert into task (id, client_id, title) values ('t1', 'c1', 'x'); "
                     "insert into task (id, client_id, title, is_visible) select 'b' || i, 'c2', 'x', false from "
                     "generate_series(1, 300) i; "
                     "update client set name = 'Uno' where id = 'c1'; delete from task where id ~ '^b'; commit");
    assert_string_equal(
        stamps_value(
            conn,
            "select string_agg(distinct e.scope || ' ' || e.tab, ', ' order by e.scope || ' ' || e.tab) from "
            "charle.entry e "
            "join charle.head h on h.scope = e.scope and h.v = e.v where h.txn = (select max(txn) from charle.head)"),
        "client:c1 2, client:c1 3, client:c2 3, portal:c1 3, team 2, team 3");
    stamps_run(conn, "update client set name = 'One' where id = 'c1'");
}

static void truncate_is_a_departure_of_every_row(void **state)
{
    (void)state;
    stamps_run(
        conn, "insert into task (id, client_id, title) values ('t1', 'c1', 'x'), ('t2', 'c2', 'x'), ('t3', null, 'x'); "
              "insert into comment (id, task_id, body) values (1, 't1', 'x')");
    stamps_entries(conn);
    stamps_run(conn, "truncate task cascade");
    assert_entries(
        conn,
        "client:c1 comment d [1], client:c1 task d t1, client:c2 task d t2, portal:c1 task d t1, portal:c2 task d t2, "
        "team task d t1, team task d t2, team task d t3");
    stamps_run(conn, "truncate task cascade");
    assert_entries(conn, "");
}

// PostgreSQL refuses TRUNCATE and ALTER TABLE while a table has deferred events of the same transaction; raising at
// once clears them.
static void truncate_after_a_write_needs_the_raise_first(void **state)
{
    (void)state;
    stamps_run(conn, "begin; insert into day values (7, '2026-01-01', 1)");
    stamps_refuse(conn, "pending trigger events", "truncate day");
    stamps_run(conn, "rollback; begin; insert into day values (7, '2026-01-01', 1); set constraints all immediate; "
                     "update day set minutes = 2; alter table day alter minutes set default 0; truncate day; commit");
    assert_entries(conn, "number:7 day d [7, \"2026-01-01\"], number:7 day u [7, \"2026-01-01\"]");
}

static void upserts_and_moving_updates_through_cte(void **state)
{
    (void)state;
    stamps_run(conn, "insert into task (id, client_id, title) values ('t1', 'c1', 'x')");
    stamps_entries(conn);
    stamps_run(conn, "insert into task (id, client_id, title) values ('t1', 'c2', 'y') on conflict (id) do update set "
                     "client_id = excluded.client_id");
    assert_entries(
        conn, "client:c1 task d t1, client:c2 task u t1, portal:c1 task d t1, portal:c2 task u t1, team task u t1");
    stamps_run(conn, "insert into task (id, title) values ('t1', 'z') on conflict do nothing");
    assert_entries(conn, "");
    stamps_run(
        conn,
        "with a as (delete from task where id = 't1' returning client_id) insert into task (id, client_id, title) "
        "select 't2', client_id, 'x' from a");
    assert_entries(conn, "client:c2 task d t1, client:c2 task u t2, portal:c2 task d t1, portal:c2 task u t2, team "
                         "task d t1, team task u t2");
}

static void foreign_writer_needs_no_rights_here(void **state)
{
    (void)state;
    stamps_run(conn, "drop role if exists foreigner; create role foreigner; grant select, insert, update, delete, "
                     "truncate on task, comment, "
                     "quote, item, assignee to foreigner; grant select on client, person to foreigner");
    // A search path that shadows what the triggers use must not matter.
    stamps_run(conn, "create schema if not exists trap; grant usage on schema trap to foreigner; "
                     "create function trap.left(text, int4) returns text language sql as 'select null::text'; "
                     "create function trap.no(text, text) returns bool language sql as 'select false'; "
                     "create function trap.none(text, text) returns text language sql as 'select null::text'; "
                     "create operator trap.= (leftarg = text, rightarg = text, function = trap.no); "
                     "create operator trap.<> (leftarg = text, rightarg = text, function = trap.no); "
                     "create operator trap.|| (leftarg = text, rightarg = text, function = trap.none)");
    stamps_run(conn, "set role foreigner; set search_path = trap, public, pg_catalog");
    assert_string_equal(stamps_value(conn, "select coalesce('a'::text || 'b'::text, 'trapped')"), "trapped");
    stamps_refuse(conn, "permission denied", "select * from charle.head");
    stamps_refuse(conn, "permission denied", "select charle.raise_scope('team', 1)");
    stamps_run(
        conn,
        "insert into task (id, client_id, title) values ('t1', 'c1', 'x'); insert into task (id, title) select 'f' || "
        "i, 'x' "
        "from generate_series(1, 400) i; insert into quote values ('q1', 'x'); insert into item values ('i1', 'q1', "
        "'x'); "
        "insert into assignee values ('i1', 'p1'); delete from quote; update task set title = 'y' where id = 't1'");
    stamps_run(conn, "truncate task, comment");
    stamps_run(conn, "reset role; reset search_path");
    assert_int_equal(
        stamps_number(conn, "select count(distinct key) from charle.entry where scope = 'team' and key ~ '^f'"), 400);
    assert_non_null(strstr(stamps_entries(conn), "user:p1 quote"));
    stamps_run(conn, "drop owned by foreigner; drop role foreigner; drop schema trap cascade");
}

static void replication_role_does_not_hide_writes(void **state)
{
    (void)state;
    stamps_run(conn, "set session_replication_role = replica; insert into task (id, client_id, title, is_visible) "
                     "values ('t1', 'c1', 'x', false)");
    stamps_run(conn, "truncate task, comment; reset session_replication_role");
    assert_entries(conn, "client:c1 task d t1, client:c1 task u t1, team task d t1, team task u t1");
}

static void setting_up_again_changes_nothing(void **state)
{
    (void)state;
    int64_t triggers = stamps_number(conn, "select count(*) from pg_trigger where not tgisinternal");
    int64_t functions = stamps_number(conn, "select count(*) from pg_proc where pronamespace = 'charle'::regnamespace");
    stamps_install(conn);
    assert_int_equal(stamps_number(conn, "select count(*) from pg_trigger where not tgisinternal"), triggers);
    assert_int_equal(stamps_number(conn, "select count(*) from pg_proc where pronamespace = 'charle'::regnamespace"),
                     functions);
    stamps_run(conn, "begin; do $$ begin for i in 1..9 loop perform charle.unstamp(i); end loop; end $$");
    assert_int_equal(stamps_number(conn, "select count(*) from pg_trigger t join pg_class c on c.oid = t.tgrelid where "
                                         "c.relnamespace = 'public'::regnamespace and not tgisinternal"),
                     0);
    stamps_run(conn, "rollback");
}

static void device_is_raised_by_its_sequence_alone(void **state)
{
    (void)state;
    stamps_run(conn, "insert into charle.device (id, principal, principal_id) values ('D1', 'person', 'p1')");
    assert_entries(conn, "device:D1 device u D1");
    stamps_run(conn, "update charle.device set opened_at = now() + interval '1 s'");
    assert_entries(conn, "");
    stamps_run(conn, "update charle.device set last_sequence = 1");
    assert_entries(conn, "device:D1 device u D1");
    stamps_refuse(conn, "device_id_check",
                  "insert into charle.device (id, principal, principal_id) values (e'x\\x1e', 'person', 'p1')");
    stamps_run(conn, "delete from charle.device");
    assert_entries(conn, "device:D1 device d D1");
}

static void updates_stay_hot(void **state)
{
    (void)state;
    stamps_run(conn, "insert into task (id, client_id, title) values ('t1', 'c1', 'x')");
    for (int i = 0; i < 50; i++)
        stamps_run(conn, "update task set minutes = %d", i + 1);
    stamps_run(conn, "select pg_stat_force_next_flush(); select pg_sleep(0.1)");
    int64_t updates = stamps_number(conn, "select n_tup_upd from pg_stat_user_tables where relname = 'task'");
    int64_t hot = stamps_number(conn, "select n_tup_hot_upd from pg_stat_user_tables where relname = 'task'");
    assert_true(updates >= 50);
    (void)hot; // the share is a figure of the benchmark; heads must never touch an index
    assert_int_equal(stamps_number(conn, "select n_tup_upd - n_tup_hot_upd from pg_stat_all_tables where schemaname = "
                                         "'charle' and relname = 'head'"),
                     0);
}

static void compacting_keeps_the_last_entry_of_each_key(void **state)
{
    (void)state;
    stamps_run(conn, "insert into task (id, title) values ('t1', 'x'), ('t2', 'x')");
    for (int i = 0; i < 5; i++)
        stamps_run(conn, "update task set minutes = minutes + 1 where id = 't1'");
    stamps_run(conn, "update task set title = 'many' || i from (select generate_series(1, 2) i) q"); // both rows
    stamps_run(conn, "select charle.compact()");
    assert_int_equal(
        stamps_number(conn, "select count(*) from charle.entry where scope = 'team' and tab = 3 and key = 't1'"), 1);
    assert_int_equal(
        stamps_number(
            conn, "select count(distinct (scope, tab, key, v)) - count(distinct (scope, tab, key)) from charle.entry"),
        0);
    assert_int_equal(stamps_number(conn, "select count(*) from charle.entry e join charle.head h using (scope) where "
                                         "scope = 'team' and key = 't1' and e.v = h.v"),
                     1);
    assert_int_equal(stamps_number(conn, "select floor from charle.head where scope = 'team'"), 0);
}

static void forgetting_lifts_the_floor(void **state)
{
    (void)state;
    stamps_run(conn, "delete from charle.mark"); // of the tests before this one
    stamps_run(conn, "insert into task (id, title) values ('t1', 'x')");
    stamps_run(conn, "insert into task (id, title) select 's' || i, 'x' from generate_series(1, 200) i");
    stamps_run(conn, "select charle.compact(); update charle.mark set taken_at = taken_at - interval '10 days'");
    int64_t old_head = stamps_head(conn, "team");
    stamps_run(conn, "insert into task (id, title) values ('t2', 'x')");
    stamps_run(conn, "select charle.compact(interval '5 days')");
    assert_int_equal(stamps_number(conn, "select floor from charle.head where scope = 'team'"), old_head);
    assert_string_equal(stamps_value(conn, "select string_agg(key, ',') from charle.entry where scope = 'team'"), "t2");
    assert_int_equal(stamps_number(conn, "select count(*) from charle.touched"), 0);
}

// Forgetting locks the heads of its scopes until it commits, so it is done in steps.
static void forgetting_goes_in_steps(void **state)
{
    (void)state;
    stamps_run(conn, "delete from charle.mark"); // of the tests before this one
    stamps_run(conn, "insert into client (id, name) select 'f' || i, 'x' from generate_series(1, 5) i");
    stamps_run(conn, "select charle.note_heads(); update charle.mark set taken_at = taken_at - interval '10 days'");
    int64_t scopes = stamps_number(conn, "select count(distinct scope) from charle.mark"), steps = 0;
    assert_true(scopes > 2);
    for (int64_t n; (n = stamps_number(conn, "select charle.forget(interval '5 days', 2)")) > 0; steps++)
        assert_true(n <= 2);
    assert_int_equal(steps, (scopes + 1) / 2);
    assert_int_equal(stamps_number(conn, "select count(*) from charle.entry"), 0);
    // Nothing moved since: no new mark, however often one looks.
    assert_int_equal(stamps_number(conn, "select charle.note_heads()"), 0);
    stamps_run(conn, "update client set name = 'y' where id = 'f1'");
    assert_true(stamps_number(conn, "select charle.note_heads()") > 0);
    stamps_run(conn, "update client set name = 'z' where id = 'f1'");
    assert_int_equal(stamps_number(conn, "select charle.note_heads()"), 0); // once a day is enough
}

static void operator_is_warned_of_an_unsafe_database(void **state)
{
    (void)state;
    assert_string_equal(stamps_value(conn,
                                     "select case when current_setting('fsync') = 'off' then (select count(*) from "
                                     "charle.warnings() w where w ~ '^fsync is off') "
                                     "else 1 - (select count(*) from charle.warnings() w where w ~ '^fsync') end"),
                        "1");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, clear)
    const struct CMUnitTest tests[] = {
        CASE(insert_enters_every_scope_of_the_row),
        CASE(null_keys_and_false_conditions_give_no_scope),
        CASE(update_that_changes_nothing_leaves_no_entry),
        CASE(update_is_told_to_those_who_see_the_column),
        CASE(move_is_an_entry_in_both_scopes),
        CASE(condition_that_turns_is_entering_and_leaving),
        CASE(delete_leaves_every_scope),
        CASE(changed_key_is_one_row_gone_and_one_new),
        CASE(keys_do_not_depend_on_settings),
        CASE(odd_texts_travel_unharmed),
        CASE(bulk_statements_write_every_row),
        CASE(bulk_of_one_transaction_may_mix_tables_and_sizes),
        CASE(truncate_is_a_departure_of_every_row),
        CASE(truncate_after_a_write_needs_the_raise_first),
        CASE(upserts_and_moving_updates_through_cte),
        CASE(foreign_writer_needs_no_rights_here),
        CASE(replication_role_does_not_hide_writes),
        CASE(setting_up_again_changes_nothing),
        CASE(device_is_raised_by_its_sequence_alone),
        CASE(updates_stay_hot),
        CASE(compacting_keeps_the_last_entry_of_each_key),
        CASE(forgetting_goes_in_steps),
        CASE(forgetting_lifts_the_floor),
        CASE(operator_is_warned_of_an_unsafe_database),
    };
    return cmocka_run_group_tests_name("stamp entries", tests, set_up, tear_down);
}
