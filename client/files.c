#include "client/files_parts.h"

#include "base/alloc.h"
#include "client/replica.h"

#include <stdio.h>
#include <sys/stat.h>

enum { PIECES_BETWEEN_CHECKPOINTS = 16 };

static const char tables[] =
    "pragma page_size = 8192; pragma auto_vacuum = incremental; pragma journal_mode = wal; begin immediate;" // the size of sealed pages, first
    "create table if not exists charle_file (id integer primary key autoincrement, hash text, size integer not null, media_type text,"
    "  state integer not null, have integer not null, sent_at integer not null default 0, is_pinned integer not null,"
    "  used_at integer not null, code integer not null default 0, text text) strict;"
    "create unique index if not exists charle_file_hash on charle_file (hash) where hash is not null;"
    "create table if not exists charle_piece (id integer primary key, data blob not null) strict;"
    "create table if not exists charle_meta (key text primary key, value any) strict, without rowid; commit";

int64_t ch_files_now_us(const struct ch_files *files)
{
    const struct ch_client_env *env = files->replica->env;
    return env->now_wall_us(env->ctx);
}

int64_t ch_files_piece_id(int64_t file, int64_t at)
{
    return (file << CH_FILES_PIECE_BITS) + at / CH_FILE_PIECE_SIZE;
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
    files->vfs = vfs;
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

enum charle_err ch_files_begin(struct ch_files *files, bool may_make, struct charle_error *err)
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

enum charle_err ch_files_end(struct ch_files *files, enum charle_err rc, struct charle_error *err)
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

enum charle_err ch_files_get(struct ch_files *files, const char *name, struct ch_file *out, struct charle_error *err)
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

enum charle_err ch_files_delete(struct ch_files *files, int64_t id, struct charle_error *err)
{
    enum charle_err rc = ch_lite_run(&files->sql, CH_LITE_PIECE_DELETE, err, "ii", ch_files_piece_id(id, 0), ch_files_piece_id(id + 1, 0));
    return rc ? rc : ch_lite_run(&files->sql, CH_LITE_FILE_DELETE, err, "i", id);
}

enum charle_err ch_files_put_pieces(struct ch_files *files, int64_t id, int64_t at, struct charle_bytes bytes, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t done = 0; !rc && done < bytes.len; done += CH_FILE_PIECE_SIZE) {
        size_t size = bytes.len - done < CH_FILE_PIECE_SIZE ? bytes.len - done : CH_FILE_PIECE_SIZE;
        rc = ch_lite_run(&files->sql, CH_LITE_PIECE_ADD, err, "ib", ch_files_piece_id(id, at + (int64_t)done), charle_bytes(bytes.ptr + done, size));
        files->pieces_in_log++;
    }
    return rc;
}

// --- looking ------------------------------------------------------------------------------------------------------------

enum charle_err ch_files_find(struct ch_files *files, const char *name, struct ch_file *out, struct charle_error *err)
{
    pthread_mutex_lock(&files->mutex);
    enum charle_err rc = need(files, false, err);
    if (!rc)
        rc = ch_files_get(files, name, out, err);
    pthread_mutex_unlock(&files->mutex);
    return rc;
}

enum charle_err ch_files_open_reader(struct ch_files *files, struct charle_db **out, const char **out_vfs, struct charle_error *err)
{
    struct ch_sqlite_options options = {.must_exist = true, .is_read_only = true, .is_secondary = true, .busy_timeout_ms = CH_REPLICA_BUSY_MS};
    pthread_mutex_lock(&files->mutex);
    enum charle_err rc = need(files, false, err);
    options.vfs = *out_vfs = files->vfs;
    pthread_mutex_unlock(&files->mutex);
    return rc ? rc : ch_sqlite_open(files->path, &options, out, err);
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
    enum charle_err rc = ch_lite_one(&files->sql, CH_LITE_PIECE_GET, &row, err, "i", ch_files_piece_id(file->id, at));
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
    enum charle_err rc = ch_files_begin(files, true, err);
    if (rc)
        return rc;
    rc = ch_files_get(files, name, out, err);
    if (rc == CHARLE_NOT_FOUND) {
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_ADD, err, "sisiii", charle_str(name), (int64_t)0, (struct charle_str){0},
                         (int64_t)CH_FILE_FETCHING, (int64_t)0, ch_files_now_us(files));
    } else if (!rc) {
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_USE, err, "ii", out->id, ch_files_now_us(files));
        if (!rc && out->code && out->state == CH_FILE_FETCHING)
            rc = ch_lite_run(&files->sql, CH_LITE_FILE_FAIL, err, "iis", out->id, (int64_t)0, (struct charle_str){0});
    }
    if (!rc)
        rc = ch_files_get(files, name, out, err);
    return ch_files_end(files, rc, err);
}

enum charle_err ch_files_pin(struct ch_files *files, const char *name, bool is_pinned, struct charle_error *err)
{
    struct ch_file file;
    enum charle_err rc = ch_files_begin(files, false, err);
    if (rc)
        return rc;
    rc = ch_files_get(files, name, &file, err);
    if (!rc)
        rc = ch_lite_run(&files->sql, CH_LITE_FILE_PIN, err, "ii", file.id, (int64_t)is_pinned);
    return ch_files_end(files, rc, err);
}

enum charle_err ch_files_drop(struct ch_files *files, const char *name, struct charle_error *err)
{
    struct ch_file file;
    enum charle_err rc = ch_files_begin(files, false, err);
    if (rc)
        return rc == CHARLE_NOT_FOUND ? CHARLE_OK : rc;
    rc = ch_files_get(files, name, &file, err);
    if (rc == CHARLE_NOT_FOUND)
        return ch_files_end(files, CHARLE_OK, err);
    if (!rc && file.is_pinned)
        rc = charle_fail(err, CHARLE_FAILED_PRECONDITION, "the file %.12s… is pinned", name);
    else if (!rc && file.state == CH_FILE_WHOLE && !file.sent_at && !file.code)
        rc = charle_fail(err, CHARLE_FAILED_PRECONDITION, "the file %.12s… was not sent yet, and is nowhere else", name);
    if (!rc)
        rc = ch_files_delete(files, file.id, err);
    return ch_files_end(files, rc, err);
}

enum charle_err ch_files_trim(struct ch_files *files, struct charle_error *err)
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
            rc = ch_files_delete(files, id, err);
        any = any || id;
    }
    return rc || !any ? rc : ch_lite_script(&files->sql, "pragma incremental_vacuum", "giving back space", err);
}

enum charle_err ch_files_set_budget(struct ch_files *files, int64_t bytes, struct charle_error *err)
{
    enum charle_err rc = ch_files_begin(files, true, err);
    if (rc)
        return rc;
    rc = ch_meta_set_number(&files->sql, "budget", bytes, err);
    return ch_files_end(files, rc ? rc : ch_files_trim(files, err), err);
}
