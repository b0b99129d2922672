// The waiting calls of a replica that cannot be opened any more: what a person did, read from whatever is left of the file.
//
// The file is opened without a schema and for reading only; nobody else may have it open, because a log that is damaged in the middle is
// read up to there, and that is not a view for anybody who works. The outbox is walked in its own order, without indexes; where
// a page is damaged, SQLite cannot go on from there, so the rest is read from the other end.
#include "base/limits.h"
#include "client/key.h"
#include "client/lock.h"
#include "client/outbox.h"
#include "db/sqlite/sqlite.h"
#include "sync/outbox.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS "position, coalesce(ticket, position), state, at, method, request, local_error from charle_outbox not indexed "

static const char *const walks[] = {
    "select " COLUMNS "where state < 5 and position > ?1 order by position",
    "select " COLUMNS "where state < 5 and position > ?1 order by position desc",
};

struct rescue {
    sqlite3 *db;
    charle_outbox_fn fn;
    void *ctx;
    int64_t last;    // position the first walk came to
    int64_t count;
    bool is_over;    // the callback has had enough
};

static void hand_over(struct rescue *rescue, sqlite3_stmt *row)
{
    const char *method = (const char *)sqlite3_column_text(row, 4);
    const struct charle_outbox_entry entry = {
        .ticket = sqlite3_column_int64(row, 1),
        .state = ch_outbox_shown(sqlite3_column_int(row, 2)),
        .at_us = sqlite3_column_int64(row, 3),
        .method = method ? method : "",
        .request = sqlite3_column_blob(row, 5),
        .request_size = (size_t)sqlite3_column_bytes(row, 5),
        .local_error = (const char *)sqlite3_column_text(row, 6),
    };
    rescue->count++;
    rescue->is_over = !rescue->fn(rescue->ctx, &entry);
}

static enum charle_err walk(struct rescue *rescue, const char *sql, bool is_first, struct charle_error *err)
{
    sqlite3_stmt *row = NULL;
    int64_t after = is_first ? INT64_MIN : rescue->last;
    int code = sqlite3_prepare_v2(rescue->db, sql, -1, &row, NULL);
    if (!code)
        code = sqlite3_bind_int64(row, 1, after);
    while (!code && !rescue->is_over) {
        code = sqlite3_step(row);
        if (code != SQLITE_ROW)
            break;
        code = SQLITE_OK;
        int64_t position = sqlite3_column_int64(row, 0);
        if (is_first)
            rescue->last = position;
        hand_over(rescue, row);
    }
    enum charle_err rc = code == SQLITE_OK || code == SQLITE_DONE ? CHARLE_OK : ch_sqlite_fail(rescue->db, code, "reading the waiting calls", err);
    sqlite3_finalize(row);
    return rc;
}

static enum charle_err open_file(struct rescue *rescue, const char *file, const char *vfs, struct charle_error *err)
{
    int code = sqlite3_open_v2(file, &rescue->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, vfs);
    if (code)
        return ch_sqlite_fail(rescue->db, code, "opening", err);
    sqlite3_extended_result_codes(rescue->db, 1);
    sqlite3_busy_timeout(rescue->db, CH_REPLICA_BUSY_MS);
    return CHARLE_OK;
}

// A damaged log ends where it is damaged; what came behind is lost, and that is told.
static enum charle_err check_log(struct rescue *rescue, const char *file, const struct ch_cipher *cipher, struct charle_error *err)
{
    char where[80] = "the log";
    if (!ch_cipher_was_forgiving(cipher))
        return CHARLE_OK;
    (void)!ch_cipher_damage(rescue->db, where, sizeof(where));
    return charle_fail(err, CHARLE_DATA_LOSS, "%s: %s is damaged; %lld calls could be read, those behind it could not", file, where,
                       (long long)rescue->count);
}

int charle_replica_calls(const char *file, const struct charle_client_key *key, charle_outbox_fn fn, void *ctx, struct charle_error *err)
{
    struct rescue rescue = {.fn = fn, .ctx = ctx, .last = INT64_MIN};
    struct ch_cipher *cipher = NULL;
    if (!file || !*file || !fn)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the path of a replica and a function are needed");
    int presence = -1;
    enum charle_err rc = access(file, F_OK) == 0 ? CHARLE_OK : ch_file_fail(file, "the replica cannot be read", errno, err);
    if (!rc)
        rc = ch_presence_take(file, true, &presence, err);
    if (rc == CHARLE_READ_ONLY) // nobody can have it open for writing here
        rc = CHARLE_OK;
    if (!rc)
        rc = ch_key_open_damaged(file, file, key, &cipher, err);
    if (!rc)
        rc = open_file(&rescue, file, ch_cipher_vfs(cipher), err);
    if (!rc)
        rc = walk(&rescue, walks[0], true, err);
    if (rc == CHARLE_DATA_LOSS && rescue.db && !rescue.is_over)
        (void)!walk(&rescue, walks[1], false, NULL); // the first failure is the one that is told
    if (!rc)
        rc = check_log(&rescue, file, cipher, err);
    sqlite3_close(rescue.db);
    ch_cipher_close(cipher);
    ch_presence_drop(presence);
    return rc;
}
