// One client of a history run: history_client NUMBER FOLDER URL TOKEN FILE.
//
// Makes calls and reads at random until it is killed, or, after SIGTERM, comes to its end by itself. Every call is recorded before it is made and
// after it returned; a kill in between leaves a call of unknown outcome, and a call that returned is a promise.
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "db/db.h"
#include "history.charle.h"
#include "history.schema.charle.h"
#include "history/run/crew.h"
#include "msg/wire.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { TELL_MS = 3000 };

struct player {
    int number;
    struct rig rig; // options and folder only
    struct charle_client *client;
    struct charle_db *db;
    struct history_writer *history;
    uint64_t calls, reads; // counted over all lives
    int base;              // the first chain of the window, as far as this replica knows
    uint64_t words[HISTORY_WORDS_MAX];
};

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

static void record(struct player *player, enum history_kind kind, uint64_t op, size_t words)
{
    struct charle_error err;
    const struct history_record record = {
        .kind = kind, .process = player->number, .at_us = ch_clock_mono_us(), .op = op, .words = player->words, .word_count = words};
    if (history_write(player->history, &record, &err))
        rig_die("p%d: %s", player->number, err.text);
}

// Goes on counting where the last life was killed.
static void find_counts(struct player *player, const char *path)
{
    struct charle_error err;
    struct history_reader *reader;
    struct history_record record;
    if (access(path, R_OK) != 0)
        return;
    if (history_reader_open(path, &reader, &err))
        rig_die("%s", err.text);
    while (!history_read(reader, &record, &err)) {
        if (record.kind == HISTORY_INVOKE)
            player->calls = record.op & (((uint64_t)1 << 40) - 1);
        if (record.kind == HISTORY_READ)
            player->reads = record.op;
    }
    history_reader_close(reader);
}

// --- reading --------------------------------------------------------------------------------------------------------------------

typedef void (*row_fn)(struct player *player, struct charle_rows *rows, size_t *at);

static struct charle_value value_of(struct charle_rows *rows, size_t column, enum charle_type type)
{
    struct charle_error err;
    struct charle_value value;
    if (charle_rows_value(rows, column, type, false, &value, &err))
        rig_die("a value: %s", err.text);
    return value;
}

static void each_row(struct player *player, const char *sql, row_fn fn, size_t *at)
{
    struct charle_error err;
    struct charle_rows *rows;
    const struct charle_value params[] = {charle_int8(player->base - CREW_BACK), charle_int8(player->base + CREW_WINDOW)};
    enum charle_err rc = charle_query(player->db, sql, params, strstr(sql, "$1") ? 2 : 0, &rows, &err);
    if (rc)
        rig_die("p%d: %s in %s", player->number, err.text, sql);
    while (!(rc = charle_rows_next(rows, &err)))
        fn(player, rows, at);
    if (rc != CHARLE_DONE)
        rig_die("p%d: %s in %s", player->number, err.text, sql);
    charle_rows_close(rows);
}

static void take_base(struct player *player, struct charle_rows *rows, size_t *at)
{
    (void)at;
    player->base = (int)value_of(rows, 0, CHARLE_TYPE_INT8).int8;
}

static void take_total(struct player *player, struct charle_rows *rows, size_t *at)
{
    player->words[(*at)++] = (uint64_t)value_of(rows, 0, CHARLE_TYPE_INT8).int8;
}

static uint64_t op_of_request(struct charle_bytes request)
{
    struct charle_arena arena = {0};
    struct charle_error err;
    struct history_work_request work;
    if (charle_message_read(&history_work_request_message, request, &arena, &work, &err) || !work.item.count)
        rig_die("a request in the outbox: %s", err.text);
    uint64_t op = history_op_of((uint64_t)((const int64_t *)work.item.items)[0]);
    charle_arena_deinit(&arena);
    return op;
}

static void take_waiting(struct player *player, struct charle_rows *rows, size_t *at)
{
    bool is_hidden = value_of(rows, 1, CHARLE_TYPE_INT8).int8 != 0;
    player->words[(*at)++] = op_of_request(value_of(rows, 0, CHARLE_TYPE_BYTES).bytes) | (is_hidden ? HISTORY_HIDDEN : 0);
    player->words[1]++;
}

static void take_chain(struct player *player, struct charle_rows *rows, size_t *at)
{
    struct charle_str items = value_of(rows, 1, CHARLE_TYPE_TEXT).text;
    player->words[*at] = (uint64_t)value_of(rows, 0, CHARLE_TYPE_INT8).int8;
    player->words[*at + 1] = crew_read_items(items.ptr, items.len, player->words + *at + 2, HISTORY_WORDS_MAX - *at - 2);
    *at += 2 + (size_t)player->words[*at + 1];
}

// One transaction on the replica: everything in it is of one moment.
static void read_all(struct player *player)
{
    struct charle_error err;
    const struct charle_begin_options options = {.is_read_only = true};
    size_t at = 0;
    if (charle_begin(player->db, &options, &err))
        rig_die("p%d: %s", player->number, err.text);
    each_row(player, "select coalesce(max(cast(substr(id, 2) as integer)) + 1, 0) from chain where length(items) > 400", take_base, &at);
    each_row(player, "select sum(balance) from account", take_total, &at);
    player->words[at++] = 0;
    each_row(player, "select request, local_error is not null from charle_outbox where state < 4 order by position", take_waiting, &at);
    // A chain that is not there is read, too: as an empty one.
    each_row(player,
             "with recursive n (i) as (select max($1, 0) union all select i + 1 from n where i + 1 < $2) "
             "select i, coalesce(c.items, '') from n left join chain c on c.id = 'c' || i order by i",
             take_chain, &at);
    if (charle_rollback(player->db, &err))
        rig_die("p%d: %s", player->number, err.text);
    record(player, HISTORY_READ, ++player->reads, at);
}

// --- calling --------------------------------------------------------------------------------------------------------------------

static void call(struct player *player)
{
    struct charle_error err = {0};
    struct bank_work work = {.from = (int)rig_random(&player->rig, BANK_ACCOUNTS), .amount = (int64_t)rig_random(&player->rig, 120), .count = 1 + (int)rig_random(&player->rig, 3)};
    uint64_t op = history_op(player->number, ++player->calls);
    work.to = (work.from + 1 + (int)rig_random(&player->rig, BANK_ACCOUNTS - 1)) % BANK_ACCOUNTS;
    for (int i = 0; i < work.count; i++) {
        work.item[i] = (int64_t)history_item(op, i);
        work.chain[i] = player->base + (int)rig_random(&player->rig, CREW_WINDOW);
        player->words[2 * i] = (uint64_t)work.chain[i];
        player->words[2 * i + 1] = (uint64_t)work.item[i];
    }
    record(player, HISTORY_INVOKE, op, 2 * (size_t)work.count);
    int rc = bank_work(player->client, &work, NULL, &err);
    if (rc && rc != CHARLE_FAILED_PRECONDITION)
        rig_die("p%d: a call: %s", player->number, err.text);
    record(player, rc ? HISTORY_FAIL : HISTORY_OK, op, 0);
}

// --- the server's refusals --------------------------------------------------------------------------------------------------------

struct refusals {
    struct player *player;
    int64_t ids[64];
    size_t count;
};

static bool take_refusal(void *ctx, const struct charle_inbox_entry *entry)
{
    struct refusals *refusals = ctx;
    if (entry->verdict == CHARLE_VERDICT_REJECTED)
        record(refusals->player, HISTORY_FAIL, op_of_request(charle_bytes(entry->request, entry->request_size)), 0);
    if (entry->verdict != CHARLE_VERDICT_PARKED)
        refusals->ids[refusals->count++] = entry->id;
    return refusals->count < sizeof(refusals->ids) / sizeof(refusals->ids[0]);
}

static void note_refusals(struct player *player)
{
    struct charle_error err;
    struct refusals refusals = {.player = player};
    if (charle_client_inbox(player->client, take_refusal, &refusals, &err))
        rig_die("p%d: inbox: %s", player->number, err.text);
    for (size_t i = 0; i < refusals.count; i++)
        if (charle_client_inbox_dismiss(player->client, refusals.ids[i], &err))
            rig_die("p%d: dismiss: %s", player->number, err.text);
}

static void tell_where(struct player *player, int64_t since_us, const struct charle_error *err)
{
    struct charle_client_status status;
    charle_client_status(player->client, &status);
    fprintf(stderr, "p%d is not at rest after %.1f s: %s; %lld calls wait; %s\n", player->number, (double)(ch_clock_mono_us() - since_us) / 1e6,
            charle_client_state_name(status.state), (long long)status.pending_calls, err->text);
}

// A parent that ends takes us along; SIGTERM was blocked until now.
static void listen_to_parent(void)
{
    sigset_t unblocked;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGTERM, on_signal);
    sigemptyset(&unblocked);
    sigaddset(&unblocked, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &unblocked, NULL);
}

int main(int argc, char **argv)
{
    static struct player player;
    struct charle_error err = {0};
    char name[16];
    if (argc != 6) {
        fprintf(stderr, "usage: history_client NUMBER FOLDER URL TOKEN FILE\n");
        return 2;
    }
    player.number = (int)strtol(argv[1], NULL, 10);
    player.rig.options.schema = &history_schema;
    player.rig.random = (uint64_t)getpid() << 20 ^ (uint64_t)ch_clock_mono_us();
    snprintf(player.rig.folder, sizeof(player.rig.folder), "%s", argv[2]);
    snprintf(name, sizeof(name), "laptop%d", player.number);
    listen_to_parent();
    find_counts(&player, argv[5]);
    player.client = rig_client_at(&player.rig, argv[3], name, argv[4]);
    player.db = charle_client_db(player.client);
    if (!player.db || history_writer_open(argv[5], &player.history, &err) || charle_client_start(player.client, &err))
        rig_die("p%d: %s", player.number, err.text);
    read_all(&player);
    while (!is_over) {
        if (rig_random(&player.rig, 5) < 2)
            call(&player);
        else
            read_all(&player);
        if (rig_random(&player.rig, 20) == 0)
            note_refusals(&player);
        rig_pause((int)rig_random(&player.rig, 80));
    }
    // What waits is sent. How long that may take is for run.c to say; what holds it up is said here.
    int64_t since_us = ch_clock_mono_us();
    while (charle_client_sync(player.client, TELL_MS, &err))
        tell_where(&player, since_us, &err);
    note_refusals(&player);
    read_all(&player);
    history_writer_close(player.history);
    charle_client_close(player.client);
    return 0;
}
