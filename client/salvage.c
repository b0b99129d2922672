// What was not sent, out of a damaged replica into a new one.
//
// Rows can be fetched again; unsent calls exist nowhere else. So a new replica is made that takes over the damaged one's identity, its calls with
// their numbers and hashes, and its verdicts. It begins with a first copy, and its calls run again on top of that. Like an imported
// replica it first finds out which of its calls the server has had (meta "is_copy"), so that none is run twice.
//
// The damaged file is opened for reading only. A row that cannot be read is skipped, one number after the other, until one can be read again.
// Files that were never sent are taken out of its store likewise; one whose bytes do not have its name any more is skipped.
#include "client/edge.h"

#include "db/sqlite/cipher.h"
#include "db/sqlite/sqlite.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SKIP_MAX = 200000 }; // numbers tried behind the last good one when nobody says which was the last

struct rescue {
    const char *file;
    struct ch_cipher *cipher;
    sqlite3 *from;
    sqlite3 *to; // the new replica's writing connection, in a transaction
    struct charle_rescue_report report;
};

// --- the damaged file -----------------------------------------------------------------------------------------------------

// `path` is the replica's or that of its store of files.
static enum charle_err open_damaged(const struct rescue *r, const char *path, const struct charle_client_key *key, struct ch_cipher **out_cipher,
                                    sqlite3 **out, struct charle_error *err)
{
    if (access(path, R_OK))
        return charle_fail(err, CHARLE_NOT_FOUND, "%s is not there, or may not be read", path);
    enum charle_err rc = ch_key_open_damaged(r->file, path, key, out_cipher, err);
    if (rc)
        return rc;
    int code = sqlite3_open_v2(path, out, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, *out_cipher ? ch_cipher_vfs(*out_cipher) : NULL);
    return code ? ch_sqlite_fail(*out, code, "opening the damaged replica", err) : CHARLE_OK;
}

// The highest number there ever was; 0: that cannot be read either.
static int64_t last_number(struct rescue *r, const char *table)
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

static enum charle_err put_row(struct rescue *r, sqlite3_stmt *row, sqlite3_stmt *put, struct charle_error *err)
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

static enum charle_err walk_rows(struct rescue *r, struct walk *walk, struct charle_error *err)
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
static bool has_origins(struct rescue *r)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(r->from, "select origin, origin_after from charle_outbox", -1, &stmt, NULL);
    sqlite3_finalize(stmt);
    return code == SQLITE_OK;
}

static enum charle_err keep_calls(struct rescue *r, struct charle_error *err)
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
static enum charle_err keep_verdicts(struct rescue *r, struct charle_error *err)
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

// Who this replica was. Without a name and its numbers the calls cannot be told from others: they get new numbers.
static enum charle_err keep_identity(struct rescue *r, struct ch_lite *sql, struct charle_error *err)
{
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
    return rc ? rc : ch_meta_set_number(sql, "is_copy", r->report.has_identity, err);
}

static enum charle_err count_calls(struct rescue *r, struct ch_lite *sql, struct charle_error *err)
{
    enum charle_err rc = ch_lite_number(sql, CH_LITE_OUTBOX_COUNT, 0, &r->report.calls, err, "");
    (void)r;
    return rc;
}

static enum charle_err fill(struct rescue *r, struct ch_replica *replica, struct charle_error *err)
{
    r->to = replica->sql.db;
    enum charle_err rc = ch_replica_begin(replica, CH_DURABLE, err);
    if (rc)
        return rc;
    rc = keep_calls(r, err);
    if (!rc)
        rc = keep_verdicts(r, err);
    if (!rc)
        rc = keep_identity(r, &replica->sql, err);
    if (!rc)
        rc = count_calls(r, &replica->sql, err);
    return ch_replica_end(replica, rc, err);
}

// --- files ----------------------------------------------------------------------------------------------------------------

// CONFLICT: not all of its bytes can be read.
static enum charle_err keep_pieces(sqlite3 *from, int64_t id, const char *name, struct ch_file_adding *adding, struct charle_error *err)
{
    static const char sql[] = "select data from charle_piece where id >= ?1 and id < ?2 order by id";
    crypto_generichash_state hash;
    uint8_t digest[CH_FILE_HASH_SIZE];
    char found[CH_FILE_NAME_LEN + 1];
    struct ch_file added;
    sqlite3_stmt *row = NULL;
    enum charle_err rc = CHARLE_OK;
    crypto_generichash_init(&hash, NULL, 0, sizeof(digest));
    int code = sqlite3_prepare_v2(from, sql, -1, &row, NULL);
    if (!code) {
        sqlite3_bind_int64(row, 1, id << CH_FILES_PIECE_BITS);
        sqlite3_bind_int64(row, 2, (id + 1) << CH_FILES_PIECE_BITS);
        while (!rc && (code = sqlite3_step(row)) == SQLITE_ROW) {
            struct charle_bytes piece = charle_bytes(sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0));
            crypto_generichash_update(&hash, piece.ptr, piece.len);
            if (adding->size % CH_FILE_PIECE_SIZE || piece.len > CH_FILE_PIECE_SIZE) // a whole store has no such pieces
                break;
            rc = ch_files_append(adding, piece, err);
        }
    }
    sqlite3_finalize(row);
    crypto_generichash_final(&hash, digest, sizeof(digest));
    ch_file_name_write(digest, found);
    if (!rc && strcmp(found, name) != 0)
        return charle_fail(err, CHARLE_CONFLICT, "the file %.12s… cannot be read whole", name);
    return rc ? rc : ch_files_finish(adding, name, &added, err);
}

static enum charle_err keep_file(struct rescue *r, sqlite3 *from, sqlite3_stmt *row, struct ch_files *to, struct charle_error *err)
{
    struct ch_file_adding adding;
    enum charle_err rc = ch_files_add(to, (const char *)sqlite3_column_text(row, 2), &adding, err);
    if (rc)
        return rc;
    rc = keep_pieces(from, sqlite3_column_int64(row, 0), (const char *)sqlite3_column_text(row, 1), &adding, err);
    if (rc)
        ch_files_give_up(&adding);
    r->report.files += rc == CHARLE_OK;
    r->report.files_skipped += rc == CHARLE_CONFLICT;
    return rc == CHARLE_CONFLICT ? CHARLE_OK : rc;
}

// What cannot be opened, or listed any further, is lost: calls that need those files say so when they are sent.
static enum charle_err keep_files(struct rescue *r, const struct charle_client_key *key, struct ch_files *to, struct charle_error *err)
{
    static const char sql[] = "select id, hash, media_type from charle_file not indexed where state = 2 and sent_at = 0 and hash is not null";
    char path[PATH_MAX];
    struct ch_cipher *cipher = NULL;
    sqlite3 *from = NULL;
    sqlite3_stmt *row = NULL;
    enum charle_err rc = CHARLE_OK;
    if (!ch_path_beside(r->file, ".files", path, sizeof(path)) || access(path, F_OK))
        return CHARLE_OK;
    if (open_damaged(r, path, key, &cipher, &from, NULL) || sqlite3_prepare_v2(from, sql, -1, &row, NULL)) {
        r->report.files_skipped = -1;
    } else {
        int code = SQLITE_ROW;
        while (!rc && (code = sqlite3_step(row)) == SQLITE_ROW)
            rc = keep_file(r, from, row, to, err);
        if (!rc && code != SQLITE_DONE)
            r->report.files_skipped = -1;
    }
    sqlite3_finalize(row);
    sqlite3_close(from);
    ch_cipher_close(cipher);
    return rc;
}

int charle_replica_rescue(const char *damaged, const struct charle_client_options *options, struct charle_rescue_report *out,
                          struct charle_error *err)
{
    struct rescue r = {.file = damaged};
    struct charle_client *client = NULL;
    *out = (struct charle_rescue_report){0};
    if (!damaged || !options || !options->file || !options->schema || options->is_read_only)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a rescue needs the damaged replica, and options with the new replica's path and schema");
    if (access(options->file, F_OK) == 0)
        return charle_fail(err, CHARLE_ALREADY_EXISTS, "%s exists; rescue under another name", options->file);
    int rc = (int)open_damaged(&r, damaged, options->key, &r.cipher, &r.from, err);
    if (!rc)
        rc = charle_client_open(options, &client, err);
    if (!rc)
        rc = (int)fill(&r, &client->replica, err);
    if (!rc)
        rc = (int)keep_files(&r, options->key, client->replica.files, err);
    charle_client_close(client);
    sqlite3_close(r.from);
    ch_cipher_close(r.cipher);
    if (rc && client)
        (void)!charle_replica_wipe(options->file, NULL); // there is nothing in it
    else if (!rc)
        *out = r.report;
    return rc;
}
