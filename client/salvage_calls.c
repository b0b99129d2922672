// What was not sent, and what is known of it: rows of a damaged file, read one by one, into a new replica.
//
// A row that cannot be read is skipped, one number after the other, until one can be read again. Nothing here needs the damaged file to be one on
// the disk: only a connection that reads what can be read.
#include "client/salvage.h"

#include "base/plant.h"
#include "client/lite.h"
#include "db/sqlite/sqlite.h"

enum { SKIP_MAX = 200000 }; // numbers tried behind the last good one when nobody says which was the last

struct salvage {
    const char *file;
    sqlite3 *from;
    sqlite3 *to; // the new replica's writing connection, in a transaction
    struct charle_rescue_report report;
};

// The highest number there ever was; 0: that cannot be read either.
static int64_t last_number(struct salvage *r, const char *table)
{
    sqlite3_stmt *stmt = NULL;
    int64_t last = 0;
    if (sqlite3_prepare_v2(r->from, "select seq from sqlite_sequence where name = ?1", -1, &stmt, NULL) == SQLITE_OK) {
        sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
        if (sqlite3_step(stmt) == SQLITE_ROW)
            last = sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return last;
}

static enum charle_err put_row(struct salvage *r, sqlite3_stmt *row, sqlite3_stmt *put, struct charle_error *err)
{
    sqlite3_reset(put);
    for (int i = 0; i < sqlite3_column_count(row); i++)
        sqlite3_bind_value(put, i + 1, sqlite3_column_value(row, i));
    int code = sqlite3_step(put);
    sqlite3_reset(put);
    return code == SQLITE_DONE ? CHARLE_OK : ch_sqlite_fail(r->to, code, "keeping a call", err);
}

struct walk {
    const char *table;
    const char *get; // "… where <number> > ?1 order by <number> limit 1"; the number is the first column
    const char *put;
    int64_t kept, skipped;
};

static enum charle_err walk_rows(struct salvage *r, struct walk *walk, struct charle_error *err)
{
    sqlite3_stmt *get = NULL, *put = NULL;
    int64_t after = 0, last = last_number(r, walk->table), good = 0;
    enum charle_err rc = CHARLE_OK;
    int code = sqlite3_prepare_v2(r->from, walk->get, -1, &get, NULL);
    if (code) {
        rc = charle_fail(err, CHARLE_DATA_LOSS, "%s: nothing of %s can be read any more (%s)", r->file, walk->table, sqlite3_errmsg(r->from));
        goto done;
    }
    code = sqlite3_prepare_v2(r->to, walk->put, -1, &put, NULL);
    if (code)
        rc = ch_sqlite_fail(r->to, code, "keeping a call", err);
    while (!rc && (last ? after < last : after < good + SKIP_MAX)) {
        sqlite3_reset(get);
        sqlite3_bind_int64(get, 1, after);
        code = sqlite3_step(get);
        if (code == SQLITE_DONE)
            break;
        if (code == SQLITE_ROW) {
            after = good = sqlite3_column_int64(get, 0);
            rc = put_row(r, get, put, err);
            walk->kept++;
        } else if (code == SQLITE_NOMEM) {
            rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory to read the damaged replica");
        } else {
            after++;
            walk->skipped++;
        }
    }
done:
    sqlite3_finalize(get);
    sqlite3_finalize(put);
    return rc;
}

// --- what is kept ---------------------------------------------------------------------------------------------------------

#define CALL_COLUMNS "position, ticket, sequence, hash, method, request, at, seed, state, attempts, due_at, reads_all, local_error, kind, code, text"
#define VERDICT_COLUMNS "id, ticket, kind, code, at, call_at, text, method, request, tab, key, row"

// Files that an older release made do not say under whose name calls were made.
static bool has_origins(struct salvage *r)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(r->from, "select origin, origin_after from charle_outbox", -1, &stmt, NULL);
    sqlite3_finalize(stmt);
    return code == SQLITE_OK;
}

static enum charle_err keep_calls(struct salvage *r, struct charle_error *err)
{
    struct walk calls = {.table = "charle_outbox",
                         .get = has_origins(r) ? "select " CALL_COLUMNS ", origin, origin_after from charle_outbox where position > ?1 order by position limit 1"
                                               : "select " CALL_COLUMNS " from charle_outbox where position > ?1 order by position limit 1",
                         .put = "insert or ignore into charle_outbox(" CALL_COLUMNS ", origin, origin_after) "
                                "values(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)"};
    enum charle_err rc = walk_rows(r, &calls, err);
    r->report.calls_skipped = calls.skipped;
    return rc;
}

// Verdicts are told again when they cannot be read: they are no reason to give up.
static enum charle_err keep_verdicts(struct salvage *r, struct charle_error *err)
{
    struct charle_error ignored;
    struct walk verdicts = {.table = "charle_inbox",
                            .get = "select " VERDICT_COLUMNS " from charle_inbox where id > ?1 order by id limit 1",
                            .put = "insert or ignore into charle_inbox(" VERDICT_COLUMNS ") values(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)"};
    enum charle_err rc = walk_rows(r, &verdicts, &ignored);
    r->report.verdicts = verdicts.kept;
    if (rc && rc != CHARLE_DATA_LOSS && err)
        *err = ignored;
    return rc == CHARLE_DATA_LOSS ? CHARLE_OK : rc;
}

// Who this replica was. Without a name and its numbers the calls cannot be told from others: they get new numbers. With them, too, a call may look as if
// it had never gone out although it has, because pages of different ages can be read of a damaged file: so each says where it was made, and the
// server takes it once, whatever its number.
static enum charle_err keep_identity(struct salvage *r, struct ch_lite *sql, struct charle_error *err)
{
    char id[CH_ID_LEN + 1];
    static const char *const keys[] = {"device_id", "last_sequence", "last_hash", "device_name", "server_id", "principal", "principal_id"};
    sqlite3_stmt *get = NULL, *put = NULL;
    enum charle_err rc = CHARLE_OK;
    int found = 0;
    if (sqlite3_prepare_v2(r->from, "select key, value from charle_meta where key = ?1", -1, &get, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(r->to, "insert into charle_meta(key, value) values(?1, ?2) on conflict(key) do update set value = excluded.value", -1, &put,
                           NULL) == SQLITE_OK) {
        for (size_t i = 0; !rc && i < sizeof(keys) / sizeof(keys[0]); i++) {
            sqlite3_reset(get);
            sqlite3_bind_text(get, 1, keys[i], -1, SQLITE_STATIC);
            if (sqlite3_step(get) != SQLITE_ROW)
                continue;
            rc = put_row(r, get, put, err);
            found += i < 3;
        }
    }
    sqlite3_finalize(get);
    sqlite3_finalize(put);
    r->report.has_identity = found == 3;
    if (!rc && !r->report.has_identity)
        rc = ch_lite_run(sql, CH_LITE_OUTBOX_RECALL_UNJUDGED, err, "");
    if (!rc && !r->report.has_identity)
        rc = ch_lite_run(sql, CH_LITE_OUTBOX_UNNUMBER, err, "");
    if (!rc && r->report.has_identity)
        rc = ch_meta_text(sql, "device_id", id, sizeof(id), err);
    if (!rc && r->report.has_identity)
        rc = ch_lite_run(sql, CH_LITE_OUTBOX_DOUBT, err, "s", charle_str(id));
    return rc ? rc : ch_meta_set_number(sql, "is_copy", r->report.has_identity, err);
}

static enum charle_err count_calls(struct salvage *r, struct ch_lite *sql, struct charle_error *err)
{
    enum charle_err rc = ch_lite_number(sql, CH_LITE_OUTBOX_COUNT, 0, &r->report.calls, err, "");
    (void)r;
    return rc;
}

enum charle_err ch_salvage_calls(const char *name, sqlite3 *from, struct ch_replica *replica, struct charle_rescue_report *out, struct charle_error *err)
{
    struct salvage salvage = {.file = name, .from = from, .to = replica->sql.db}, *r = &salvage;
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    if (rc)
        return rc;
    rc = keep_calls(r, err);
    if (!rc)
        rc = keep_verdicts(r, err);
    if (!rc)
        rc = keep_identity(r, &replica->sql, err);
    if (!rc && CH_PLANTED(RESCUE_DROPS_UNSENT))
        sqlite3_exec(r->to, "delete from charle_outbox where state < 5", NULL, NULL, NULL);
    if (!rc)
        rc = count_calls(r, &replica->sql, err);
    *out = r->report;
    return ch_replica_end(replica, rc, err);
}
