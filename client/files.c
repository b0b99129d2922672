#include "client/files.h"

#include "base/alloc.h"
#include "client/replica.h"

#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

enum { PIECES_BETWEEN_CHECKPOINTS = 16, PIECE_BITS = 20 };
static const int64_t given_up_us = 3600000000;  // a file that nobody goes on adding
static const int64_t sent_for_us = 86400000000; // then a file that a new call mentions is offered again

static const char tables[] =
    "pragma page_size = 8192; pragma auto_vacuum = incremental; pragma journal_mode = wal; begin immediate;" // the size of sealed pages, first
    "create table if not exists charle_file (id integer primary key autoincrement, hash text, size integer not null, media_type text,"
    "  state integer not null, have integer not null, sent_at integer not null default 0, is_pinned integer not null,"
    "  used_at integer not null, code integer not null default 0, text text) strict;"
    "create unique index if not exists charle_file_hash on charle_file (hash) where hash is not null;"
    "create table if not exists charle_piece (id integer primary key, data blob not null) strict;"
    "create table if not exists charle_meta (key text primary key, value any) strict, without rowid; commit";

static int64_t now_us(const struct ch_files *files)
{
    const struct ch_client_env *env = files->replica->env;
    return env->now_wall_us(env->ctx);
}

static int64_t piece_id(int64_t file, int64_t at)
{
    return (file << PIECE_BITS) + at / CH_FILE_PIECE_SIZE;
}

// --- the store ----------------------------------------------------------------------------------------------------------

// It may lie under an older key than the replica, when writing it anew was cut off, or in clear.
static enum charle_err find_vfs(struct ch_files *files, const struct charle_client_key *key, const char **out, struct charle_error *err)
{
    struct ch_replica *replica = files->replica;
    struct ch_file_look look;
    uint8_t data_key[CH_CIPHER_KEY_SIZE];
    *out = replica->vfs;
    if (!replica->cipher)
        return CHARLE_OK;
    enum charle_err rc = ch_file_look(files->path, replica->env->vfs, &look, err);
    if (rc || look.kind == CH_FILE_BLANK || ch_cipher_has_mark(replica->cipher, look.mark))
        return rc;
    *out = replica->env->vfs;
    if (look.kind != CH_FILE_ENCRYPTED || !key)
        return CHARLE_OK;
    rc = ch_key_open(replica->file, key, look.mark, data_key, err);
    if (!rc)
        rc = ch_cipher_open(data_key, replica->env->vfs, CH_REPLICA_PAGE_SIZE, &files->cipher, err);
    explicit_bzero(data_key, sizeof(data_key));
    *out = ch_cipher_vfs(files->cipher);
    return rc;
}

static enum charle_err connect_store(struct ch_files *files, const char *vfs, bool is_new, struct charle_error *err)
{
    const struct ch_sqlite_options options = {.must_exist = true, .is_read_only = files->replica->is_read_only, .is_secondary = true,
                                              .busy_timeout_ms = CH_REPLICA_BUSY_MS, .vfs = vfs};
    struct ch_lite sql = {0};
    enum charle_err rc = CHARLE_OK;
    if (is_new) {
        int code = sqlite3_open_v2(files->path, &sql.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);
        if (!code)
            code = ch_cipher_prepare(sql.db);
        rc = code ? ch_lite_fail(&sql, code, "making the store of files", err) : ch_lite_script(&sql, tables, "making the store of files", err);
        sqlite3_close(sql.db);
    }
    if (!rc)
        rc = ch_sqlite_open(files->path, &options, &files->db, err);
    if (rc)
        return rc;
    files->sql.db = ch_sqlite_handle(files->db);
    sqlite3_db_config(files->sql.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return CHARLE_OK;
}

static bool exists(const struct ch_files *files)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(files->replica->env->vfs);
    int is_there = 0;
    return vfs && vfs->xAccess(vfs, files->path, SQLITE_ACCESS_EXISTS, &is_there) == SQLITE_OK && is_there;
}

// Opens or makes the store, with the lock held when it is made.
static enum charle_err need(struct ch_files *files, bool may_make, struct charle_error *err)
{
    if (files->db)
        return CHARLE_OK;
    bool is_there = exists(files);
    if (!is_there && (!may_make || files->replica->is_read_only))
        return charle_fail(err, CHARLE_NOT_FOUND, "there are no files on this replica");
    if (!is_there && !files->replica->env->vfs) {
        FILE *file = fopen(files->path, "wxe"); // before SQLite would make one by the umask
        if (file)
            fclose(file);
        if (chmod(files->path, 0600) != 0)
            return charle_fail(err, CHARLE_IO, "%s: the store of files cannot be made", files->path);
    }
    return connect_store(files, files->cipher ? ch_cipher_vfs(files->cipher) : files->replica->vfs, may_make, err);
}

enum charle_err ch_files_open(struct ch_replica *replica, const struct charle_client_key *key, struct ch_files **out, struct charle_error *err)
{
    const char *vfs;
    struct ch_files *files = ch_alloc_zeroed(1, sizeof(*files));
    size_t size = strlen(replica->file) + sizeof(".files");
    *out = files;
    if (files)
        files->path = ch_alloc(size);
    if (!files || !files->path)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the store of files");
    snprintf(files->path, size, "%s.files", replica->file);
    files->replica = replica;
    pthread_mutex_init(&files->mutex, NULL);
    if (!exists(files))
        return CHARLE_OK;
    enum charle_err rc = find_vfs(files, key, &vfs, err);
    if (!rc && !replica->is_read_only)
        rc = ch_cipher_drop_unfinished(vfs, files->path, err);
    return rc ? rc : connect_store(files, vfs, !replica->is_read_only, err);
}

void ch_files_close(struct ch_files *files)
{
    if (!files)
        return;
    if (files->db && !files->replica->is_read_only && !ch_lock_take(&files->replica->lock, NULL)) {
        sqlite3_busy_timeout(files->sql.db, 0);
        sqlite3_wal_checkpoint_v2(files->sql.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        ch_lock_drop(&files->replica->lock);
    }
    ch_lite_close_statements(&files->sql);
    charle_db_close(files->db);
    ch_cipher_close(files->cipher);
    if (files->path)
        pthread_mutex_destroy(&files->mutex);
    ch_free(files->path);
    ch_free(files);
}

// A write: lock, mutex, transaction. Ends with finish_write in every case when it returned OK.
static enum charle_err begin_write(struct ch_files *files, bool may_make, struct charle_error *err)
{
    if (files->replica->is_read_only)
        return charle_fail(err, CHARLE_READ_ONLY, "the replica was opened for reading only");
    enum charle_err rc = ch_lock_take(&files->replica->lock, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&files->mutex);
    rc = need(files, may_make, err);
    if (!rc)
        rc = ch_lite_script(&files->sql, "begin immediate", "writing files", err);
    if (rc) {
        pthread_mutex_unlock(&files->mutex);
        ch_lock_drop(&files->replica->lock);
    }
    return rc;
}

static enum charle_err finish_write(struct ch_files *files, enum charle_err rc, struct charle_error *err)
{
    if (!rc)
        rc = ch_lite_script(&files->sql, "commit", "writing files", err);
    if (rc)
        (void)!ch_lite_script(&files->sql, "rollback", "writing files", NULL);
    if (!rc && files->pieces_in_log >= PIECES_BETWEEN_CHECKPOINTS) {
        sqlite3_wal_checkpoint_v2(files->sql.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        files->pieces_in_log = 0;
    }
    pthread_mutex_unlock(&files->mutex);
    ch_lock_drop(&files->replica->lock);
    return rc;
}

static void copy_text(char *out, size_t size, struct charle_str text)
{
    snprintf(out, size, "%.*s", CHARLE_FMT(text));
}

static void read_row(sqlite3_stmt *row, struct ch_file *out)
{
    *out = (struct ch_file){.id = sqlite3_column_int64(row, 0), .size = sqlite3_column_int64(row, 2),
                            .state = (enum ch_file_state)sqlite3_column_int(row, 4), .have = sqlite3_column_int64(row, 5),
                            .sent_at = sqlite3_column_int64(row, 6), .is_pinned = sqlite3_column_int(row, 7),
                            .code = (enum charle_err)sqlite3_column_int(row, 8)};
    copy_text(out->name, sizeof(out->name), ch_lite_text(row, 1));
    copy_text(out->media_type, sizeof(out->media_type), ch_lite_text(row, 3));
    copy_text(out->text, sizeof(out->text), ch_lite_text(row, 9));
}

static enum charle_err get(struct ch_files *files, const char *name, struct ch_file *out, struct charle_error *err)
{
    sqlite3_stmt *row;
    enum charle_err rc = ch_lite_one(&files->sql, CH_LITE_FILE_GET, &row, err, "s", charle_str(name));
    if (rc == CHARLE_DONE)
        return charle_fail(err, CHARLE_NOT_FOUND, "there is no file %.12s… on this replica", name);
    if (rc)
        return rc;
    read_row(row, out);
    ch_lite_end(row);
    return CHARLE_OK;
}

static enum charle_err delete_file(struct ch_files *files, int64_t id, struct charle_error *err)
{
    enum charle_err rc = ch_lite_run(&files->sql, CH_LITE_PIECE_DELETE, err, "ii", piece_id(id, 0), piece_id(id + 1, 0));
    return rc ? rc : ch_lite_run(&files->sql, CH_LITE_FILE_DELETE, err, "i", id);
}

// --- adding -------------------------------------------------------------------------------------------------------------

static enum charle_err drop_stale(struct ch_files *files, struct charle_error *err)
{
    int64_t id = 0;
    enum charle_err rc = ch_lite_number(&files->sql, CH_LITE_FILE_STALE, 0, &id, err, "i", now_us(files) - given_up_us);
    return rc || !id ? rc : delete_file(files, id, err);
}

enum charle_err ch_files_add(struct ch_files *files, const char *media_type, struct ch_file_adding *out, struct charle_error *err)
{
    int64_t count = 0;
    *out = (struct ch_file_adding){.files = files};
    enum charle_err rc = begin_write(files, true, err);
    if (rc)
        return rc;
    rc = drop_stale(files, err);
    if (!rc)
        rc = ch_lite_number(&files->sql, CH_LITE_FILE_COUNT, 0, &count, err, "");
    if (!rc && count >= CH_FILE_LIST_MAX)
        rc = charle_fail(err, CHARLE_RESOURCE_EXHAUSTED, "there are %d files on this replica: drop some first", CH_FILE_LIST_MAX);
    if (!rc)
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_ADD, err, "sisiii", (struct charle_str){0}, (int64_t)0,
                         media_type ? charle_str(media_type) : (struct charle_str){0}, (int64_t)CH_FILE_STORING, (int64_t)0, now_us(files));
    if (!rc)
        out->id = sqlite3_last_insert_rowid(files->sql.db);
    return finish_write(files, rc, err);
}

static enum charle_err put_pieces(struct ch_files *files, int64_t id, int64_t at, struct charle_bytes bytes, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t done = 0; !rc && done < bytes.len; done += CH_FILE_PIECE_SIZE) {
        size_t size = bytes.len - done < CH_FILE_PIECE_SIZE ? bytes.len - done : CH_FILE_PIECE_SIZE;
        rc = ch_lite_run(&files->sql, CH_LITE_PIECE_ADD, err, "ib", piece_id(id, at + (int64_t)done), charle_bytes(bytes.ptr + done, size));
        files->pieces_in_log++;
    }
    return rc;
}

enum charle_err ch_files_append(struct ch_file_adding *adding, struct charle_bytes bytes, struct charle_error *err)
{
    struct ch_files *files = adding->files;
    if (adding->size % CH_FILE_PIECE_SIZE || adding->size + (int64_t)bytes.len > CH_FILE_SIZE_LIMIT)
        return charle_fail(err, CHARLE_TOO_LARGE, "a file has at most %lld bytes", (long long)CH_FILE_SIZE_LIMIT);
    enum charle_err rc = begin_write(files, true, err);
    if (rc)
        return rc;
    rc = put_pieces(files, adding->id, adding->size, bytes, err);
    if (!rc)
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_HAVE, err, "iiisii", adding->id, adding->size + (int64_t)bytes.len, (int64_t)0,
                         (struct charle_str){0}, now_us(files), (int64_t)CH_FILE_STORING);
    rc = finish_write(files, rc, err);
    if (!rc)
        adding->size += (int64_t)bytes.len;
    return rc;
}

// Whole here already: that copy stays, and is to be sent again if the server would not have it. On its way here: it need not come.
static enum charle_err replace(struct ch_file_adding *adding, const char *name, struct charle_error *err)
{
    struct ch_files *files = adding->files;
    struct ch_file known;
    enum charle_err rc = get(files, name, &known, NULL);
    if (rc == CHARLE_OK && known.state == CH_FILE_WHOLE) {
        rc = delete_file(files, adding->id, err);
        if (!rc && known.code)
            rc = ch_lite_run(&files->sql, CH_LITE_FILE_SENT, err, "ii", known.id, (int64_t)0);
        return rc ? rc : ch_lite_run(&files->sql, CH_LITE_FILE_USE, err, "ii", known.id, now_us(files));
    }
    if (rc == CHARLE_OK)
        rc = delete_file(files, known.id, err);
    if (rc == CHARLE_NOT_FOUND)
        rc = CHARLE_OK;
    return rc ? rc : ch_lite_run(&files->sql, CH_LITE_FILE_NAME, err, "isii", adding->id, charle_str(name), adding->size, now_us(files));
}

enum charle_err ch_files_finish(struct ch_file_adding *adding, const char *name, struct ch_file *out, struct charle_error *err)
{
    struct ch_files *files = adding->files;
    enum charle_err rc = begin_write(files, true, err);
    if (rc)
        return rc;
    rc = replace(adding, name, err);
    if (!rc)
        rc = get(files, name, out, err);
    rc = finish_write(files, rc, err);
    if (!rc)
        adding->id = 0;
    return rc;
}

void ch_files_give_up(struct ch_file_adding *adding)
{
    if (!adding->id || begin_write(adding->files, false, NULL))
        return;
    (void)!finish_write(adding->files, delete_file(adding->files, adding->id, NULL), NULL);
    adding->id = 0;
}

// --- looking ------------------------------------------------------------------------------------------------------------

enum charle_err ch_files_find(struct ch_files *files, const char *name, struct ch_file *out, struct charle_error *err)
{
    pthread_mutex_lock(&files->mutex);
    enum charle_err rc = need(files, false, err);
    if (!rc)
        rc = get(files, name, out, err);
    pthread_mutex_unlock(&files->mutex);
    return rc;
}

// One row of a list; DONE without one, and without a store.
static enum charle_err find_row(struct ch_files *files, enum ch_statement_id id, int64_t after, struct ch_file *out, struct charle_error *err)
{
    sqlite3_stmt *row = NULL;
    pthread_mutex_lock(&files->mutex);
    enum charle_err rc = need(files, false, err);
    if (rc == CHARLE_NOT_FOUND)
        rc = CHARLE_DONE;
    if (!rc)
        rc = id == CH_LITE_FILE_LIST ? ch_lite_one(&files->sql, id, &row, err, "i", after) : ch_lite_one(&files->sql, id, &row, err, "");
    if (!rc) {
        read_row(row, out);
        ch_lite_end(row);
    }
    pthread_mutex_unlock(&files->mutex);
    return rc;
}

enum charle_err ch_files_next(struct ch_files *files, int64_t id, struct ch_file *out, struct charle_error *err)
{
    return find_row(files, CH_LITE_FILE_LIST, id, out, err);
}

enum charle_err ch_files_unsent(struct ch_files *files, struct ch_file *out, struct charle_error *err)
{
    return find_row(files, CH_LITE_FILE_UNSENT, 0, out, err);
}

enum charle_err ch_files_missing(struct ch_files *files, struct ch_file *out, struct charle_error *err)
{
    return find_row(files, CH_LITE_FILE_MISSING, 0, out, err);
}

// Bytes of one piece; fewer at its end.
static enum charle_err read_piece(struct ch_files *files, const struct ch_file *file, int64_t at, void *out, size_t size, size_t *out_size,
                                  struct charle_error *err)
{
    sqlite3_stmt *row;
    size_t skip = (size_t)(at % CH_FILE_PIECE_SIZE);
    enum charle_err rc = ch_lite_one(&files->sql, CH_LITE_PIECE_GET, &row, err, "i", piece_id(file->id, at));
    if (rc == CHARLE_DONE)
        return charle_fail(err, CHARLE_NOT_FOUND, "the file %.12s… was evicted meanwhile", file->name);
    if (rc)
        return rc;
    struct charle_bytes data = ch_lite_bytes(row, 0);
    *out_size = data.len > skip ? data.len - skip : 0;
    *out_size = *out_size < size ? *out_size : size;
    if (*out_size)
        memcpy(out, data.ptr + skip, *out_size);
    ch_lite_end(row);
    return CHARLE_OK;
}

enum charle_err ch_files_read(struct ch_files *files, const struct ch_file *file, int64_t at, void *out, size_t size, size_t *out_size,
                              struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    *out_size = 0;
    pthread_mutex_lock(&files->mutex);
    rc = need(files, false, err);
    while (!rc && size && at < file->have) {
        size_t got = 0;
        rc = read_piece(files, file, at, out, size, &got, err);
        if (!got)
            break;
        out = (uint8_t *)out + got;
        at += (int64_t)got;
        size -= got;
        *out_size += got;
    }
    pthread_mutex_unlock(&files->mutex);
    return rc;
}

bool ch_files_were_changed(struct ch_files *files)
{
    int64_t version = 0;
    struct charle_error err;
    bool was_open = files->db;
    pthread_mutex_lock(&files->mutex);
    if (need(files, false, &err) == CHARLE_OK)
        (void)!ch_lite_number(&files->sql, CH_LITE_DATA_VERSION, 0, &version, &err, "");
    bool is_so = version != files->seen_version || (!was_open && files->db);
    files->seen_version = version;
    pthread_mutex_unlock(&files->mutex);
    return is_so;
}

// --- wishes -------------------------------------------------------------------------------------------------------------

enum charle_err ch_files_want(struct ch_files *files, const char *name, struct ch_file *out, struct charle_error *err)
{
    enum charle_err rc = begin_write(files, true, err);
    if (rc)
        return rc;
    rc = get(files, name, out, err);
    if (rc == CHARLE_NOT_FOUND) {
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_ADD, err, "sisiii", charle_str(name), (int64_t)0, (struct charle_str){0},
                         (int64_t)CH_FILE_FETCHING, (int64_t)0, now_us(files));
    } else if (!rc) {
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_USE, err, "ii", out->id, now_us(files));
        if (!rc && out->code && out->state == CH_FILE_FETCHING)
            rc = ch_lite_run(&files->sql, CH_LITE_FILE_FAIL, err, "iis", out->id, (int64_t)0, (struct charle_str){0});
    }
    if (!rc)
        rc = get(files, name, out, err);
    return finish_write(files, rc, err);
}

enum charle_err ch_files_pin(struct ch_files *files, const char *name, bool is_pinned, struct charle_error *err)
{
    struct ch_file file;
    enum charle_err rc = begin_write(files, false, err);
    if (rc)
        return rc;
    rc = get(files, name, &file, err);
    if (!rc)
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_PIN, err, "ii", file.id, (int64_t)is_pinned);
    return finish_write(files, rc, err);
}

enum charle_err ch_files_drop(struct ch_files *files, const char *name, struct charle_error *err)
{
    struct ch_file file;
    enum charle_err rc = begin_write(files, false, err);
    if (rc)
        return rc == CHARLE_NOT_FOUND ? CHARLE_OK : rc;
    rc = get(files, name, &file, err);
    if (rc == CHARLE_NOT_FOUND)
        return finish_write(files, CHARLE_OK, err);
    if (!rc && file.is_pinned)
        rc = charle_fail(err, CHARLE_FAILED_PRECONDITION, "the file %.12s… is pinned", name);
    else if (!rc && file.state == CH_FILE_WHOLE && !file.sent_at && !file.code)
        rc = charle_fail(err, CHARLE_FAILED_PRECONDITION, "the file %.12s… was not sent yet, and is nowhere else", name);
    if (!rc)
        rc = delete_file(files, file.id, err);
    return finish_write(files, rc, err);
}

static enum charle_err trim(struct ch_files *files, struct charle_error *err)
{
    int64_t used = 0, id = 1, budget = 0;
    bool any = false;
    enum charle_err rc = ch_meta_number(&files->sql, "budget", CH_FILE_CACHE_SIZE, &budget, err);
    while (!rc && id) {
        rc = ch_lite_number(&files->sql, CH_LITE_FILE_SUM, 0, &used, err, "");
        if (rc || used <= budget)
            break;
        rc = ch_lite_number(&files->sql, CH_LITE_FILE_OLDEST, 0, &id, err, "");
        if (!rc && id)
            rc = delete_file(files, id, err);
        any = any || id;
    }
    return rc || !any ? rc : ch_lite_script(&files->sql, "pragma incremental_vacuum", "giving back space", err);
}

enum charle_err ch_files_set_budget(struct ch_files *files, int64_t bytes, struct charle_error *err)
{
    enum charle_err rc = begin_write(files, true, err);
    if (rc)
        return rc;
    rc = ch_meta_set_number(&files->sql, "budget", bytes, err);
    return finish_write(files, rc ? rc : trim(files, err), err);
}

// --- for the core -------------------------------------------------------------------------------------------------------

enum charle_err ch_files_sent(struct ch_files *files, int64_t id, struct charle_error *err)
{
    enum charle_err rc = begin_write(files, false, err);
    if (rc)
        return rc;
    rc = ch_lite_run(&files->sql, CH_LITE_FILE_SENT, err, "ii", id, now_us(files));
    if (!rc)
        rc = trim(files, err);
    return finish_write(files, rc, err);
}

enum charle_err ch_files_fail(struct ch_files *files, int64_t id, enum charle_err code, const char *text, struct charle_error *err)
{
    enum charle_err rc = begin_write(files, false, err);
    if (rc)
        return rc;
    return finish_write(files, ch_lite_run(&files->sql, CH_LITE_FILE_FAIL, err, "iis", id, (int64_t)code, charle_str(text)), err);
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
        rc = ch_lite_one(&files->sql, CH_LITE_PIECE_GET, &row, err, "i", piece_id(file->id, at));
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
    enum charle_err rc = ch_lite_run(&files->sql, CH_LITE_PIECE_DELETE, err, "ii", piece_id(file->id, 0), piece_id(file->id + 1, 0));
    return rc ? rc : ch_lite_run(&files->sql, CH_LITE_FILE_HAVE, err, "iiisii", file->id, (int64_t)0, (int64_t)0, (struct charle_str){0}, now_us(files),
                                 (int64_t)CH_FILE_FETCHING);
}

// The last piece is here: it is the file, or everything was for nothing.
static enum charle_err finish_fetch(struct ch_files *files, struct ch_file *file, bool *out_is_true, struct charle_error *err)
{
    enum charle_err rc = check_whole(files, file, out_is_true, err);
    if (!rc && *out_is_true) {
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_HAVE, err, "iiisii", file->id, file->size, file->size, (struct charle_str){0}, now_us(files),
                         (int64_t)CH_FILE_WHOLE);
        if (!rc)
            rc = ch_lite_run(&files->sql, CH_LITE_FILE_SENT, err, "ii", file->id, (int64_t)1); // long ago: offered again before a call refers to it
        return rc ? rc : trim(files, err);
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
    enum charle_err rc = put_pieces(files, file->id, file->have, piece->data, err);
    file->have += (int64_t)piece->data.len;
    file->size = size;
    if (!rc)
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_HAVE, err, "iiisii", file->id, file->have, size,
                         piece->media_type.has ? piece->media_type.value : (struct charle_str){0}, now_us(files), (int64_t)CH_FILE_FETCHING);
    if (!rc && file->have == size)
        rc = finish_fetch(files, file, out_is_true, err);
    return rc;
}

enum charle_err ch_files_take(struct ch_files *files, const char *name, const struct charle_file_piece *piece, struct charle_error *err)
{
    struct ch_file file;
    bool is_true = true;
    enum charle_err rc = begin_write(files, false, err);
    if (rc)
        return rc;
    rc = get(files, name, &file, err);
    if (!rc && file.state == CH_FILE_FETCHING)
        rc = take(files, &file, piece, &is_true, err);
    rc = finish_write(files, rc, err);
    return rc || is_true ? rc : charle_fail(err, CHARLE_CONFLICT, "what came for the file %.12s… is another file", name);
}

// One name of a request.
static enum charle_err hold_name(struct ch_files *files, struct charle_str text, bool *out, struct charle_error *err)
{
    struct ch_file file;
    char name[CH_FILE_NAME_LEN + 1];
    copy_text(name, sizeof(name), text);
    enum charle_err rc = get(files, name, &file, NULL);
    if (rc || file.state != CH_FILE_WHOLE || file.code)
        return rc == CHARLE_NOT_FOUND ? CHARLE_OK : rc;
    if (file.sent_at && now_us(files) - file.sent_at > sent_for_us) {
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
