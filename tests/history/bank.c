#include "history/bank.h"

#include "base/arena.h"
#include "base/err.h"
#include "call/method.h"
#include "db/db.h"
#include "history.charle.h"
#include "history.schema.charle.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *bank_email(int person, char out[32])
{
    snprintf(out, 32, "p%d@history.test", person);
    return out;
}

static void seed(struct rig *rig, PGconn *pg)
{
    char sql[200], id[16];
    (void)rig;
    for (int i = 0; i < BANK_PEOPLE; i++) {
        snprintf(id, sizeof(id), "p%d", i);
        snprintf(sql, sizeof(sql), "insert into person (id, email, name, is_active) values ('%s', '%s@history.test', 'Person %d', true)", id, id, i);
        rig_sql(pg, sql);
        rig_allow(pg, "person", id);
    }
    snprintf(sql, sizeof(sql), "insert into account (id, balance) select 'a' || i, %d from generate_series(0, %d) i", BANK_EACH, BANK_ACCOUNTS - 1);
    rig_sql(pg, sql);
}

void bank_open(struct rig *rig, uint64_t random, bool is_durable)
{
    bank_open_at(rig, random, is_durable, NULL);
}

void bank_open_at(struct rig *rig, uint64_t random, bool is_durable, const char *host)
{
    const struct rig_options options = {
        .program = HISTORY_CHARLED, .schema = &history_schema, .seed = seed, .random = random, .is_durable = is_durable, .host = host};
    rig_open(rig, &options);
}

int bank_work(struct charle_client *client, const struct bank_work *work, int64_t *out_ticket, struct charle_error *err)
{
    char names[BANK_ITEMS_MAX + 2][16];
    struct charle_str chains[BANK_ITEMS_MAX];
    struct charle_arena arena = {0};
    struct history_work_reply reply;
    struct charle_client_outcome outcome = {0};
    const struct charle_client_call_options options = {.outcome = &outcome};
    const struct charle_method *method = charle_client_method(client, "history.Ledger/Work");
    if (!method)
        rig_die("the schema has no Ledger");
    for (int i = 0; i < work->count; i++) {
        snprintf(names[i], sizeof(names[i]), "c%d", work->chain[i]);
        chains[i] = charle_str(names[i]);
    }
    snprintf(names[BANK_ITEMS_MAX], sizeof(names[0]), "a%d", work->from);
    snprintf(names[BANK_ITEMS_MAX + 1], sizeof(names[0]), "a%d", work->to);
    const struct history_work_request request = {.chain = {chains, (size_t)work->count},
                                                 .item = {work->item, (size_t)work->count},
                                                 .from_id = charle_str(names[BANK_ITEMS_MAX]),
                                                 .to_id = charle_str(names[BANK_ITEMS_MAX + 1]),
                                                 .amount = work->amount};
    int rc = charle_client_call(client, method, &request, &arena, &reply, &options, err);
    if (out_ticket)
        *out_ticket = outcome.ticket;
    charle_arena_deinit(&arena);
    return rc;
}

// All rows of the replica as text.
static void dump(struct charle_client *client, const char *path)
{
    static const char sql[] = "select 'person ' || id || ' ' || name from person union all select 'account ' || id || ' ' || balance from account "
                              "union all select 'chain ' || id || ' ' || items from chain "
                              "union all select 'cursor ' || scope || ' ' || hex(stamp) || ' ' || state from charle_cursor order by 1";
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    struct charle_value value;
    FILE *to = fopen(path, "w");
    if (!to || charle_query(charle_client_db(client), sql, NULL, 0, &rows, &err))
        rig_die("%s: %s", path, err.text);
    while (!charle_rows_next(rows, &err))
        if (!charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &value, &err))
            fprintf(to, "%.*s\n", CHARLE_FMT(value.text));
    charle_rows_close(rows);
    fclose(to);
}

void bank_expect_equal(struct charle_client *client, const char *when)
{
    enum { WAIT_MS = 60000 };
    char before[] = "/tmp/charle-before-XXXXXX", after[] = "/tmp/charle-after-XXXXXX", command[128];
    struct charle_error err = {0};
    struct charle_verify_report report;
    close(mkstemp(before));
    close(mkstemp(after));
    dump(client, before);
    if (charle_client_verify(client, WAIT_MS, &report, &err))
        rig_die("verify %s: %s", when, err.text);
    if (report.rows_different) {
        dump(client, after);
        snprintf(command, sizeof(command), "diff %s %s >&2", before, after);
        if (system(command) == 0)
            fprintf(stderr, "(no row looks different)\n");
    }
    unlink(before);
    unlink(after);
    if (report.rows_different || !report.rows)
        rig_die("%s: %lld of %lld rows differ from the server", when, (long long)report.rows_different, (long long)report.rows);
}
