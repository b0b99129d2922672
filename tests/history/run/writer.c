// Somebody with psql: transactions past the services, recorded as the clients' are.
#include "base/clock.h"
#include "base/err.h"
#include "history/run/crew.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct writer {
    struct crew *crew;
    struct history_writer *history;
    PGconn *pg;
    uint64_t calls, random;
    uint64_t words[2 * HISTORY_ITEMS_MAX];
};

static uint64_t dice(struct writer *writer, uint64_t below)
{
    struct rig rig = {.random = writer->random};
    uint64_t value = rig_random(&rig, below);
    writer->random = rig.random;
    return value;
}

static void record(struct writer *writer, enum history_kind kind, uint64_t op, size_t words)
{
    struct charle_error err;
    const struct history_record record = {
        .kind = kind, .process = CREW_WRITER, .at_us = ch_clock_mono_us(), .op = op, .words = writer->words, .word_count = words};
    if (history_write(writer->history, &record, &err))
        rig_die("writer: %s", err.text);
}

static bool run(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    return ok;
}

static int find_base(struct writer *writer)
{
    PGresult *result = PQexec(writer->pg, "select coalesce(max(substr(id, 2)::int) + 1, 0) from chain where length(items) > 400");
    int base = PQresultStatus(result) == PGRES_TUPLES_OK ? (int)strtol(PQgetvalue(result, 0, 0), NULL, 10) : -1;
    PQclear(result);
    return base;
}

static bool write_work(struct writer *writer, int base, uint64_t op, int count, const int *chains)
{
    char sql[300];
    int from = (int)dice(writer, BANK_ACCOUNTS), to = (from + 1) % BANK_ACCOUNTS;
    (void)base;
    snprintf(sql, sizeof(sql),
             "update account set balance = balance + case id when 'a%d' then -(select least(balance, 10) from account where id = 'a%d') else "
             "(select least(balance, 10) from account where id = 'a%d') end where id in ('a%d', 'a%d')",
             from, from, from, from, to);
    // Both rows are locked before either is read.
    char lock[120];
    snprintf(lock, sizeof(lock), "select 1 from account where id in ('a%d', 'a%d') order by id for update", from, to);
    bool ok = run(writer->pg, lock) && run(writer->pg, sql);
    for (int i = 0; ok && i < count; i++) {
        snprintf(sql, sizeof(sql),
                 "insert into chain (id, half, items) values ('c%d', '%s', '%" PRIu64 "') on conflict (id) do update set items = chain.items || ' ' || excluded.items",
                 chains[i], chains[i] % 2 ? "odd" : "even", history_item(op, i));
        ok = run(writer->pg, sql);
    }
    return ok;
}

static void work(struct writer *writer, int base)
{
    uint64_t op = history_op(CREW_WRITER, ++writer->calls);
    int chains[3], count = 1 + (int)dice(writer, 3);
    for (int i = 0; i < count; i++) {
        chains[i] = base + (int)dice(writer, CREW_WINDOW);
        writer->words[2 * i] = (uint64_t)chains[i];
        writer->words[2 * i + 1] = history_item(op, i);
    }
    record(writer, HISTORY_INVOKE, op, 2 * (size_t)count);
    if (!run(writer->pg, "begin") || !write_work(writer, base, op, count, chains)) {
        record(writer, HISTORY_FAIL, op, 0); // a transaction that did not get to its commit
        run(writer->pg, "rollback");
    } else if (run(writer->pg, "commit")) {
        record(writer, HISTORY_OK, op, 0);
        writer->crew->foreign++;
    } else {
        record(writer, HISTORY_INFO, op, 0);
    }
}

static void *run_writer(void *ctx)
{
    struct charle_error err;
    struct writer writer = {.crew = ctx, .random = 99};
    if (history_writer_open(writer.crew->writer_file, &writer.history, &err))
        rig_die("writer: %s", err.text);
    while (!atomic_load(&writer.crew->is_over)) {
        if (!writer.pg || PQstatus(writer.pg) != CONNECTION_OK) {
            PQfinish(writer.pg);
            writer.pg = PQconnectdb(writer.crew->rig.url);
        }
        int base = PQstatus(writer.pg) == CONNECTION_OK ? find_base(&writer) : -1;
        if (base >= 0)
            work(&writer, base);
        rig_pause(20 + (int)dice(&writer, 100));
    }
    PQfinish(writer.pg);
    history_writer_close(writer.history);
    return NULL;
}

void writer_start(struct crew *crew)
{
    if (pthread_create(&crew->writer, NULL, run_writer, crew) != 0)
        rig_die("no thread");
}

void writer_stop(struct crew *crew)
{
    atomic_store(&crew->is_over, true);
    pthread_join(crew->writer, NULL);
}
