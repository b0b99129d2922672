// What the core does with the store: it sends files, fetches them, and asks which of them a call has to wait for.
#include "client/files_parts.h"

#include <sodium.h>
#include <stdio.h>

static const int64_t sent_for_us = 86400000000; // then a file that a new call mentions is offered again

enum charle_err ch_files_sent(struct ch_files *files, int64_t id, struct charle_error *err)
{
    enum charle_err rc = ch_files_begin(files, false, err);
    if (rc)
        return rc;
    rc = ch_lite_run(&files->sql, CH_LITE_FILE_SENT, err, "ii", id, ch_files_now_us(files));
    if (!rc)
        rc = ch_files_trim(files, err);
    return ch_files_end(files, rc, err);
}

enum charle_err ch_files_fail(struct ch_files *files, int64_t id, enum charle_err code, const char *text, struct charle_error *err)
{
    enum charle_err rc = ch_files_begin(files, false, err);
    if (rc)
        return rc;
    return ch_files_end(files, ch_lite_run(&files->sql, CH_LITE_FILE_FAIL, err, "iis", id, (int64_t)code, charle_str(text)), err);
}

static enum charle_err check_whole(struct ch_files *files, const struct ch_file *file, bool *out, struct charle_error *err)
{
    crypto_generichash_state state;
    uint8_t hash[CH_FILE_HASH_SIZE];
    char name[CH_FILE_NAME_LEN + 1];
    enum charle_err rc = CHARLE_OK;
    sqlite3_stmt *row;
    crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    for (int64_t at = 0; !rc && at < file->size; at += CH_FILE_PIECE_SIZE) {
        rc = ch_lite_one(&files->sql, CH_LITE_PIECE_GET, &row, err, "i", ch_files_piece_id(file->id, at));
        if (rc)
            return rc == CHARLE_DONE ? charle_fail(err, CHARLE_DATA_LOSS, "a piece of the file %.12s… is missing", file->name) : rc;
        struct charle_bytes data = ch_lite_bytes(row, 0);
        crypto_generichash_update(&state, data.ptr, data.len);
        ch_lite_end(row);
    }
    crypto_generichash_final(&state, hash, sizeof(hash));
    ch_file_name_write(hash, name);
    *out = strcmp(name, file->name) == 0;
    return rc;
}

static enum charle_err begin_again(struct ch_files *files, const struct ch_file *file, struct charle_error *err)
{
    enum charle_err rc = ch_lite_run(&files->sql, CH_LITE_PIECE_DELETE, err, "ii", ch_files_piece_id(file->id, 0), ch_files_piece_id(file->id + 1, 0));
    return rc ? rc : ch_lite_run(&files->sql, CH_LITE_FILE_HAVE, err, "iiisii", file->id, (int64_t)0, (int64_t)0, (struct charle_str){0},
                                 ch_files_now_us(files), (int64_t)CH_FILE_FETCHING);
}

// The last piece is here: it is the file, or everything was for nothing.
static enum charle_err finish_fetch(struct ch_files *files, struct ch_file *file, bool *out_is_true, struct charle_error *err)
{
    enum charle_err rc = check_whole(files, file, out_is_true, err);
    if (!rc && *out_is_true) {
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_HAVE, err, "iiisii", file->id, file->size, file->size, (struct charle_str){0},
                         ch_files_now_us(files), (int64_t)CH_FILE_WHOLE);
        if (!rc)
            rc = ch_lite_run(&files->sql, CH_LITE_FILE_SENT, err, "ii", file->id, (int64_t)1); // long ago: offered again before a call refers to it
        return rc ? rc : ch_files_trim(files, err);
    }
    return rc ? rc : begin_again(files, file, err);
}

static enum charle_err take(struct ch_files *files, struct ch_file *file, const struct charle_file_piece *piece, bool *out_is_true,
                            struct charle_error *err)
{
    int64_t size = piece->size.has ? piece->size.value : -1;
    if (file->have && size != file->size) { // nobody can tell which of the two was the lie
        *out_is_true = false;
        return begin_again(files, file, err);
    }
    const char *wrong = size < 0 || size > CH_FILE_SIZE_LIMIT        ? "it does not say how large the file is"
                        : piece->media_type.has && piece->media_type.value.len > CH_FILE_MEDIA_TYPE_LEN_MAX ? "its media type is too long"
                            : ch_file_piece_check(size, file->have, piece->at, piece->data, piece->data_hash);
    if (wrong)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the piece of %.12s… at %lld is damaged: %s", file->name, (long long)piece->at, wrong);
    enum charle_err rc = ch_files_put_pieces(files, file->id, file->have, piece->data, err);
    file->have += (int64_t)piece->data.len;
    file->size = size;
    if (!rc)
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_HAVE, err, "iiisii", file->id, file->have, size,
                         piece->media_type.has ? piece->media_type.value : (struct charle_str){0}, ch_files_now_us(files), (int64_t)CH_FILE_FETCHING);
    if (!rc && file->have == size)
        rc = finish_fetch(files, file, out_is_true, err);
    return rc;
}

enum charle_err ch_files_take(struct ch_files *files, const char *name, const struct charle_file_piece *piece, struct charle_error *err)
{
    struct ch_file file;
    bool is_true = true;
    enum charle_err rc = ch_files_begin(files, false, err);
    if (rc)
        return rc;
    rc = ch_files_get(files, name, &file, err);
    if (!rc && file.state == CH_FILE_FETCHING)
        rc = take(files, &file, piece, &is_true, err);
    rc = ch_files_end(files, rc, err);
    return rc || is_true ? rc : charle_fail(err, CHARLE_CONFLICT, "what came for the file %.12s… is another file", name);
}

// One name of a request.
static enum charle_err hold_name(struct ch_files *files, struct charle_str text, bool *out, struct charle_error *err)
{
    struct ch_file file;
    char name[CH_FILE_NAME_LEN + 1];
    snprintf(name, sizeof(name), "%.*s", CHARLE_FMT(text));
    enum charle_err rc = ch_files_get(files, name, &file, err);
    if (rc || file.state != CH_FILE_WHOLE || file.code)
        return rc == CHARLE_NOT_FOUND ? CHARLE_OK : rc;
    if (file.sent_at && ch_files_now_us(files) - file.sent_at > sent_for_us) {
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_SENT, err, "ii", file.id, (int64_t)0);
        file.sent_at = 0;
    }
    *out = *out || !file.sent_at;
    return rc;
}

enum charle_err ch_files_doubt(struct ch_files *files, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    pthread_mutex_lock(&files->mutex);
    if (files->db)
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_DOUBT, err, "");
    pthread_mutex_unlock(&files->mutex);
    return rc;
}

enum charle_err ch_files_hold(struct ch_files *files, struct charle_bytes request, bool *out, struct charle_error *err)
{
    struct charle_str name;
    enum charle_err rc = CHARLE_OK;
    *out = false;
    if (!files->db)
        return CHARLE_OK;
    pthread_mutex_lock(&files->mutex);
    for (size_t at = 0; !rc && ch_file_name_find(request, &at, &name);)
        rc = hold_name(files, name, out, err);
    pthread_mutex_unlock(&files->mutex);
    return rc;
}
