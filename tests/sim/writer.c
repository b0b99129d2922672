// People with psql, and other programs: they write to the tables past all services, in transactions of their own
// making.
#include "db/pg/pg.h"
#include "sim/versions.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdio.h>

// A row at random: by the order of a salted hash, so that the same seed takes the same row.
#define SOME(column, table) "(select " column " from " table " order by md5(" column "::text || '%" PRId64 "') limit 1)"

// What a statement may use: %1 … is not printf's, so each gets the same numbers: salt, salt, number, small.
static void write_statement(struct world *world, bool is_slow, char *out, size_t size)
{
    int64_t salt = world_below(world, 1000000), other = world_below(world, 1000000), number = world_below(world, 1000),
            day = 1 + world_below(world, 27);
    if (world->server_version == VERSION_LATER && world_chance(world, 25)) {
        version_write_statement(world, out, size);
        return;
    }
    switch (world_below(world, 24)) {
    case 0:
        snprintf(out, size,
                 "insert into job (id, title, area_id, owner_id, state, price, labels, updated_at) values ('w%" PRId64
                 "', 'written %" PRId64
                 "', " SOME("id", "area") ", " SOME("id", "person") ", 'open', %" PRId64
                                                                    ", array['x', 'l1'], '2026-01-%02" PRId64
                                                                    "') on conflict do nothing",
                 salt, number, salt, other, number, day);
        break;
    case 1:
    case 2:
        snprintf(out, size,
                 "update job set title = 'psql %" PRId64 "', hits = hits + 1, updated_at = '2026-02-%02" PRId64
                 "' where id = " SOME("id", "job"),
                 number, day, salt);
        break;
    case 3:
    case 4:
        snprintf(out, size, "update job set area_id = " SOME("id", "area") " where id = " SOME("id", "job"), other,
                 salt);
        break;
    case 5:
        snprintf(out, size, "update job set owner_id = " SOME("id", "person") " where id = " SOME("id", "job"), other,
                 salt);
        break;
    case 6:
        snprintf(out, size,
                 "update job set state = (array['draft', 'open', 'done', 'dropped'])[%" PRId64
                 "] where id = " SOME("id", "job"),
                 1 + number % 4, salt);
        break;
    case 7:
        snprintf(out, size,
                 "update job set price = coalesce(price, 0) + 1, note = note || chr(10) || chr(10) || 'bulk' where "
                 "number %% 5 = %" PRId64 " and length(coalesce(note, '')) < 300",
                 number % 5);
        break;
    case 8:
        snprintf(out, size, "delete from job where id = " SOME("id", "job"), salt);
        break;
    case 9:
    case 10:
        snprintf(out, size,
                 "insert into assignee values (" SOME("id", "job") ", " SOME("id", "person") ") on conflict do nothing",
                 salt, other);
        break;
    case 11:
        snprintf(out, size, "delete from assignee where job_id = " SOME("job_id", "assignee"), salt);
        break;
    case 12:
        snprintf(out, size,
                 "insert into remark values ('r%" PRId64
                 "', " SOME("id", "job") ", " SOME("id", "person") ", 'psql says %" PRId64 "') on conflict do nothing",
                 number, salt, other, number);
        break;
    case 13:
        snprintf(out, size, "delete from remark where id = " SOME("id", "remark"), salt);
        break;
    case 14: // rights come and go
        snprintf(out, size, "update person set is_lead = not is_lead where id = " SOME("id", "person"), salt);
        break;
    case 15:
        snprintf(out, size, "update person set is_active = %s where id = (array['B', 'C', 'D'])[%" PRId64 "]",
                 number % 3 ? "true" : "false", 1 + salt % 3);
        break;
    case 16:
    case 17:
        snprintf(out, size,
                 "update area set keeper_id = case when %" PRId64
                 " %% 4 = 0 then null else " SOME("id", "person") " end where id = " SOME("id", "area"),
                 number, other, salt);
        break;
    case 18: // money moves
        snprintf(out, size,
                 "update account set balance = balance + case id when 'accA' then %" PRId64 " else -%" PRId64
                 " end where id in ('accA', 'acc%c')",
                 number % 50, number % 50, (char)('B' + salt % 3));
        break;
    case 19: // changes nothing
        snprintf(out, size, "update job set title = title, price = price where number %% 3 = %" PRId64, number % 3);
        break;
    case 20: // comes and goes at once
        snprintf(out, size,
                 "insert into remark values ('gone', " SOME(
                     "id", "job") ", 'A', 'for a moment'); delete from remark where id = 'gone'",
                 salt);
        break;
    case 21: // a key changes
        snprintf(
            out, size,
            "update assignee set person_id = " SOME("id", "person") " where job_id = " SOME(
                "job_id", "assignee") " and (select count(*) from assignee a where a.job_id = assignee.job_id) = 1",
            other, salt);
        break;
    case 22:
        snprintf(out, size,
                 "update remark set job_id = " SOME("id", "job") ", author_id = " SOME(
                     "id", "person") " where id = " SOME("id", "remark"),
                 salt, other, number);
        break;
    default:
        if (number % 3 == 0 && !is_slow) // it keeps even readers out
            snprintf(out, size, "truncate remark");
        else
            snprintf(out, size, "update area set %s = 'area %" PRId64 "' where id = " SOME("id", "area"),
                     world->server_version == VERSION_LATER ? "title" : "name", number, salt);
        break;
    }
}

static bool run(struct world *world, PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    bool is_done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    world_trace(world, "psql: %s%s", sql, is_done ? "" : ": refused");
    if (world->options.is_traced && !is_done)
        printf("                          %s", PQresultErrorMessage(result));
    PQclear(result);
    return is_done;
}

static bool write_some(struct world *world, PGconn *connection, bool is_slow)
{
    char sql[700];
    write_statement(world, is_slow, sql, sizeof(sql));
    return run(world, connection, sql);
}

static bool count_up(struct world *world, PGconn *connection, char id[8], int64_t *out_delta)
{
    char sql[120];
    snprintf(id, 8, "t%d", 1 + (int)world_below(world, 3));
    *out_delta = 1 + world_below(world, 20);
    snprintf(sql, sizeof(sql), "update tally set n = n + %" PRId64 " where id = '%s'", *out_delta, id);
    return run(world, connection, sql);
}

// Savepoints whose work is undone, in between.
static bool write_in_vain(struct world *world, PGconn *connection)
{
    return run(world, connection, "savepoint s") && (write_some(world, connection, false) || true) &&
           (write_some(world, connection, false) || true) && run(world, connection, "rollback to savepoint s");
}

static bool end_transaction(struct world *world, PGconn *connection, bool is_good, const char *by)
{
    bool is_committed = false;
    if (is_good && world_chance(world, 88))
        is_committed = run(world, connection, "commit");
    else
        (void)run(world, connection, "rollback");
    if (is_committed)
        world_schedule(world, 200 + world_below(world, 20000), EVENT_PUMP);
    (void)by;
    return is_committed;
}

static void write_transaction(struct world *world, PGconn *connection, bool is_unsafe)
{
    char tally[8] = "";
    int64_t delta = 0;
    bool is_good = run(world, connection, world_chance(world, 80) ? "begin" : "begin isolation level repeatable read");
    if (is_good && (is_unsafe || world_chance(world, 15)))
        is_good = run(world, connection, "set local synchronous_commit = off");
    if (is_good && world_chance(world, 30))
        is_good = count_up(world, connection, tally, &delta);
    for (int64_t n = 1 + world_below(world, 4); is_good && n; n--) {
        is_good = write_some(world, connection, false);
        if (is_good && world_chance(world, 15))
            is_good = write_in_vain(world, connection);
        if (is_good && world_chance(world, 5))
            is_good = run(world, connection, "set constraints all immediate; set local sim.again = 'on'") &&
                      run(world, connection, "set constraints all deferred");
    }
    if (!end_transaction(world, connection, is_good, "psql"))
        return;
    if (tally[0])
        oracle_told_foreign_tally(world->oracle, tally, delta);
    oracle_commit(world->oracle, "psql");
}

// A second writer who takes his time: his transaction is open while others go on, and they meet his locks.
static void write_slowly(struct world *world, PGconn *connection)
{
    if (PQtransactionStatus(connection) == PQTRANS_IDLE) {
        (void)!(run(world, connection, "begin") && write_some(world, connection, true));
        return;
    }
    bool is_good = PQtransactionStatus(connection) == PQTRANS_INTRANS;
    if (is_good && world_chance(world, 40)) {
        (void)write_some(world, connection, true);
        return;
    }
    if (end_transaction(world, connection, is_good, "slow psql"))
        oracle_commit(world->oracle, "slow psql");
}

// Planted: a change that no trigger sees.
static void write_unseen(struct world *world, PGconn *connection)
{
    (void)!(run(world, connection, "alter table job disable trigger user") &&
            run(world, connection, "update job set title = 'unseen ' || title"));
    (void)!run(world, connection, "alter table job enable always trigger user");
    oracle_commit(world->oracle, "a silent writer");
}

void writer_stop(struct world *world)
{
    PGconn *connection = ch_pg_connection(server_writer(world->server, 1));
    if (PQtransactionStatus(connection) != PQTRANS_IDLE)
        (void)run(world, connection, "rollback");
}

void writer_act(struct world *world)
{
    bool is_slow = world_chance(world, 15);
    PGconn *connection = ch_pg_connection(server_writer(world->server, is_slow));
    if (world->options.plant == PLANT_SILENT_WRITER && world_chance(world, 10))
        write_unseen(world, connection);
    else if (is_slow)
        write_slowly(world, connection);
    else
        write_transaction(world, connection, false);
}

void writer_act_unsafely(struct world *world)
{
    write_transaction(world, ch_pg_connection(server_writer(world->server, 0)), true);
}
