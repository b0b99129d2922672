// What was not sent, out of a damaged replica into a new one.
//
// Rows can be fetched again; unsent calls exist nowhere else. So a new replica is made that takes over the damaged one's identity, its calls with
// their numbers and hashes, and its verdicts. It begins with a first copy, and its calls run again on top of that. Like an imported
// replica it first finds out which of its calls the server has had (meta "is_copy"), so that none is run twice.
//
// The damaged file is opened for reading only (salvage_calls.c takes its rows). Files that were never sent are taken out of its store likewise; one whose bytes do not have its name any more is skipped.
#include "client/edge.h"
#include "client/salvage.h"

#include "db/sqlite/cipher.h"
#include "db/sqlite/sqlite.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct rescue {
    const char *file;
    struct ch_cipher *cipher;
    sqlite3 *from;
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
    if (code)
        return ch_sqlite_fail(*out, code, "opening the damaged replica", err);
    sqlite3_db_config(*out, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL); // a table whose definition is damaged is not in the way of the others
    return CHARLE_OK;
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
        rc = (int)ch_salvage_calls(damaged, r.from, &client->replica, &r.report, err);
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
