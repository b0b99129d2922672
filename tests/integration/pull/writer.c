// Writers: transactions of one to six random changes, of every kind that an application or a person at psql could make.
//
// Ids come from small ranges, so that writers meet: they wait for each other, fail on keys and foreign keys, deadlock.
// A failed transaction is rolled back and forgotten.
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TASKS = 150, COMMENTS = 200, QUOTES = 12, ITEMS = 30, SCORES = 30, CLIENTS = 6, PERSONS = 4 };

// "%1".."%9" in the texts below stand for random ids of: t task, c client, p person, q quote, i item; n a comment, s a
// score.
static const char *const changes[] = {
    "update task set minutes = minutes + 1 where id = 't%t'",
    "update task set minutes = minutes + 1, title = 'title ' || minutes where id in ('t%t', 't%t', 't%t')",
    "update task set client_id = 'c%c' where id = 't%t'",
    "update task set client_id = case when client_id is null then 'c%c' end where id = 't%t'",
    "update task set is_visible = not is_visible where id = 't%t'",
    "update task set state = case state when 'draft' then 'open' else 'draft' end where id = 't%t'",
    "update task set price = minutes + 0.5 where id = 't%t'",
    "update task set title = title where id = 't%t'",
    "insert into task (id, client_id, title) values ('t%t', 'c%c', 'new') on conflict (id) do update set client_id = "
    "excluded.client_id",
    "delete from task where id = 't%t'",
    "update task set minutes = minutes + 1 where client_id = 'c%c'",
    "update task set client_id = 'c%c' where client_id = 'c%c' and id < 't2'",
    "insert into comment (id, task_id, body) values (%n, 't%t', 'body') on conflict (id) do update set task_id = "
    "excluded.task_id",
    "update comment set body = body || '.' where id = %n",
    "update comment set body = case when body like 'public%%' then 'x' else 'public' end where id = %n",
    "update comment set is_internal = not is_internal where id = %n",
    "update comment set task_id = 't%t' where id = %n",
    "delete from comment where id = %n",
    "insert into quote (id, title) values ('q%q', 'quote') on conflict (id) do update set title = quote.title || '.'",
    "delete from quote where id = 'q%q'",
    "insert into item (id, quote_id, title) values ('i%i', 'q%q', 'item') on conflict (id) do update set quote_id = "
    "excluded.quote_id",
    "update item set title = title || '.' where id = 'i%i'",
    "update item set quote_id = 'q%q' where id = 'i%i'",
    "delete from item where id = 'i%i'",
    "insert into assignee values ('i%i', 'p%p') on conflict do nothing",
    "insert into assignee select id, 'p%p' from item where quote_id = 'q%q' on conflict do nothing",
    "delete from assignee where item_id = 'i%i' and user_id = 'p%p'",
    "update assignee set user_id = 'p%p' where item_id = 'i%i' and user_id = 'p%p'",
    "insert into score values (%s, 'i%i', 1) on conflict (id) do update set points = score.points + 1",
    "update score set item_id = 'i%i' where id = %s",
    "delete from score where id = %s",
    "update client set note = coalesce(note, '') || '.' where id = 'c%c'",
    "update client set owner_id = 'p%p' where id = 'c%c'",
    "update client set name = name || '.' where id = 'c%c'",
    "update person set name = name || '.', secret = 'x' where id = 'p%p'",
    "update person set is_staff = not is_staff where id = 'p%p'",
    "with a as (update item set quote_id = 'q%q' where id = 'i%i' returning id) insert into assignee select id, 'p%p' "
    "from a on conflict do nothing",
    "with a as (delete from task where id = 't%t' returning client_id) insert into task (id, client_id, title) select "
    "'t%t', client_id, 'moved' "
    "from a on conflict do nothing",
};

static unsigned pick(struct writer *writer, unsigned below)
{
    return (unsigned)rand_r(&writer->seed) % below;
}

static void fill(struct writer *writer, const char *text, char out[1024])
{
    static const struct {
        char letter;
        unsigned count;
    } ranges[] = {{'t', TASKS}, {'c', CLIENTS},  {'p', PERSONS}, {'q', QUOTES},
                  {'i', ITEMS}, {'n', COMMENTS}, {'s', SCORES}};
    size_t used = 0;
    for (; *text && used < 1000; text++) {
        if (*text != '%') {
            out[used++] = *text;
            continue;
        }
        text++;
        if (*text == '%')
            out[used++] = '%';
        for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
            if (ranges[i].letter == *text)
                used += (size_t)snprintf(out + used, 1024 - used, "%u", 1 + pick(writer, ranges[i].count));
        }
    }
    out[used] = 0;
}

static bool run(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static bool change(struct writer *writer, PGconn *conn)
{
    char sql[1024];
    fill(writer, changes[pick(writer, sizeof(changes) / sizeof(changes[0]))], sql);
    if (pick(writer, 8))
        return run(conn, sql);
    // In a savepoint, kept or taken back.
    bool ok = run(conn, "savepoint a");
    bool done = ok && run(conn, sql);
    return ok && run(conn, done && pick(writer, 2) ? "release a" : "rollback to a");
}

static void transaction(struct writer *writer, PGconn *conn)
{
    static const char *const levels[] = {"begin",
                                         "begin",
                                         "begin",
                                         "begin",
                                         "begin",
                                         "begin",
                                         "begin isolation level repeatable read",
                                         "begin; set local synchronous_commit = off"};
    bool ok = run(conn, levels[pick(writer, sizeof(levels) / sizeof(levels[0]))]);
    for (unsigned i = 1 + pick(writer, 6); ok && i; i--) {
        ok = change(writer, conn);
        if (ok && !pick(writer, 20))
            ok = run(conn, "set constraints all immediate");
    }
    if (!pick(writer, 10))
        usleep(1000 * pick(writer, 60)); // held open while others commit
    if (ok && pick(writer, 10)) {
        ok = run(conn, "commit");
        atomic_fetch_add(ok ? &writer->oracle->committed : &writer->oracle->failed, 1);
        if (ok)
            return;
    } else {
        atomic_fetch_add(ok ? &writer->oracle->rolled_back : &writer->oracle->failed, 1);
    }
    (void)run(conn, "rollback");
}

// PostgreSQL shows a table that was emptied so to older snapshots too.
static void empty(struct writer *writer, PGconn *conn)
{
    static const char *const statements[] = {"truncate score", "truncate comment", "truncate assignee", "truncate item cascade",
                                             "truncate task cascade"};
    bool ok = run(conn, statements[pick(writer, sizeof(statements) / sizeof(statements[0]))]);
    atomic_fetch_add(ok ? &writer->oracle->emptied : &writer->oracle->failed, 1);
}

// Statements that touch much, each by itself.
static void bulk(struct writer *writer, PGconn *conn)
{
    static const char *const statements[] = {
        "insert into task (id, client_id, title) select 't' || i, 'c%c', 'bulk' from generate_series(1, 150) i on "
        "conflict do nothing",
        "update task set minutes = minutes + 1",
        "delete from task where id like 't%t%'",
        "delete from score",
        "insert into score select i, 'i%i', 0 from generate_series(1, 30) i on conflict do nothing",
        // Some of these are more than the server reads at once.
        "insert into comment (id, task_id, body) select i, 't%t', 'bulk' from generate_series(1, 1200) i on conflict do "
        "nothing",
        "update comment set is_internal = not is_internal where id %% 2 = 0",
        "delete from comment where id %% 3 = 0",
        "insert into task (id, client_id, title) select 'x' || i, 'c%c', 'bulk' from generate_series(1, 600) i on "
        "conflict do nothing",
        "delete from task where id like 'x%t%%'",
        "delete from assignee",
    };
    char sql[1024];
    fill(writer, statements[pick(writer, sizeof(statements) / sizeof(statements[0]))], sql);
    atomic_fetch_add(run(conn, sql) ? &writer->oracle->committed : &writer->oracle->failed, 1);
}

void *writer_run(void *ctx)
{
    struct writer *writer = ctx;
    struct charle_db *db = oracle_connect(writer->oracle);
    PGconn *conn = ch_pg_connection(db);
    (void)run(conn, "set deadlock_timeout = '20ms'"); // they are many here, and each costs its waiting
    while (!atomic_load(&writer->oracle->is_over)) {
        if (pick(writer, 40))
            transaction(writer, conn);
        else if (!pick(writer, 4))
            empty(writer, conn);
        else
            bulk(writer, conn);
        usleep(1000 * pick(writer, 8));
    }
    charle_db_close(db);
    return NULL;
}
