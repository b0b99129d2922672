// Files that are added to the store, piece by piece.
#include "client/files_parts.h"

static const int64_t given_up_us = 3600000000; // a file that nobody goes on adding

static enum charle_err drop_stale(struct ch_files *files, struct charle_error *err)
{
    int64_t id = 0;
    enum charle_err rc = ch_lite_number(&files->sql, CH_LITE_FILE_STALE, 0, &id, err, "i", ch_files_now_us(files) - given_up_us);
    return rc || !id ? rc : ch_files_delete(files, id, err);
}

enum charle_err ch_files_add(struct ch_files *files, const char *media_type, struct ch_file_adding *out, struct charle_error *err)
{
    int64_t count = 0;
    *out = (struct ch_file_adding){.files = files};
    enum charle_err rc = ch_files_begin(files, true, err);
    if (rc)
        return rc;
    rc = drop_stale(files, err);
    if (!rc)
        rc = ch_lite_number(&files->sql, CH_LITE_FILE_COUNT, 0, &count, err, "");
    if (!rc && count >= CH_FILE_LIST_MAX)
        rc = charle_fail(err, CHARLE_RESOURCE_EXHAUSTED, "there are %d files on this replica: drop some first", CH_FILE_LIST_MAX);
    if (!rc)
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_ADD, err, "sisiii", (struct charle_str){0}, (int64_t)0,
                         media_type ? charle_str(media_type) : (struct charle_str){0}, (int64_t)CH_FILE_STORING, (int64_t)0, ch_files_now_us(files));
    if (!rc)
        out->id = sqlite3_last_insert_rowid(files->sql.db);
    return ch_files_end(files, rc, err);
}

enum charle_err ch_files_append(struct ch_file_adding *adding, struct charle_bytes bytes, struct charle_error *err)
{
    struct ch_files *files = adding->files;
    if (adding->size % CH_FILE_PIECE_SIZE || adding->size + (int64_t)bytes.len > CH_FILE_SIZE_LIMIT)
        return charle_fail(err, CHARLE_TOO_LARGE, "a file has at most %lld bytes", (long long)CH_FILE_SIZE_LIMIT);
    enum charle_err rc = ch_files_begin(files, true, err);
    if (rc)
        return rc;
    rc = ch_files_put_pieces(files, adding->id, adding->size, bytes, err);
    if (!rc)
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_HAVE, err, "iiisii", adding->id, adding->size + (int64_t)bytes.len, (int64_t)0,
                         (struct charle_str){0}, ch_files_now_us(files), (int64_t)CH_FILE_STORING);
    rc = ch_files_end(files, rc, err);
    if (!rc)
        adding->size += (int64_t)bytes.len;
    return rc;
}

// Whole here already: that copy stays, and is to be sent again if the server would not have it. On its way here: it need not come.
static enum charle_err replace(struct ch_file_adding *adding, const char *name, struct charle_error *err)
{
    struct ch_files *files = adding->files;
    struct ch_file known;
    enum charle_err rc = ch_files_get(files, name, &known, err);
    if (rc == CHARLE_OK && known.state == CH_FILE_WHOLE) {
        rc = ch_files_delete(files, adding->id, err);
        if (!rc && known.code)
            rc = ch_lite_run(&files->sql, CH_LITE_FILE_SENT, err, "ii", known.id, (int64_t)0);
        return rc ? rc : ch_lite_run(&files->sql, CH_LITE_FILE_USE, err, "ii", known.id, ch_files_now_us(files));
    }
    if (rc == CHARLE_OK)
        rc = ch_files_delete(files, known.id, err);
    if (rc == CHARLE_NOT_FOUND)
        rc = CHARLE_OK;
    return rc ? rc : ch_lite_run(&files->sql, CH_LITE_FILE_NAME, err, "isii", adding->id, charle_str(name), adding->size, ch_files_now_us(files));
}

enum charle_err ch_files_finish(struct ch_file_adding *adding, const char *name, struct ch_file *out, struct charle_error *err)
{
    struct ch_files *files = adding->files;
    enum charle_err rc = ch_files_begin(files, true, err);
    if (rc)
        return rc;
    rc = replace(adding, name, err);
    if (!rc)
        rc = ch_files_get(files, name, out, err);
    rc = ch_files_end(files, rc, err);
    if (!rc)
        adding->id = 0;
    return rc;
}

void ch_files_give_up(struct ch_file_adding *adding)
{
    if (!adding->id || ch_files_begin(adding->files, false, NULL))
        return;
    (void)!ch_files_end(adding->files, ch_files_delete(adding->files, adding->id, NULL), NULL);
    adding->id = 0;
}
