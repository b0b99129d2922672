#include "client/upgrade.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/slow.h"
#include "call/offline.h"
#include "client/gaps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_TIMEOUT_MS = 30000 };

// --- the file -----------------------------------------------------------------------------------------------------------

enum charle_err ch_replica_make_folder(const char *file, struct charle_error *err)
{
    char *path = ch_strdup_n(file, strlen(file));
    enum charle_err rc = path ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a path");
    for (char *slash = path ? strchr(path + 1, '/') : NULL; !rc && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST) {
            int code = errno;
            rc = charle_fail_foreign(err, code == EACCES || code == EROFS ? CHARLE_READ_ONLY : CHARLE_IO, CHARLE_DOMAIN_POSIX,
                                     code, "%s: the folder of the replica cannot be made: %s", path, strerror(code));
        }
        *slash = '/';
    }
    ch_free(path);
    return rc;
}

// Makes an empty file that nobody else can read, before SQLite would make one by the umask.
static enum charle_err make_file(const char *file, struct charle_error *err)
{
    enum charle_err rc = ch_replica_make_folder(file, err);
    if (rc)
        return rc;
    // A file that is there is not opened here: closing it again would drop the locks of this program's other connections.
    int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), code = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    else if (code == EEXIST)
        code = access(file, R_OK | W_OK) == 0 ? 0 : errno;
    if (code == EACCES || code == EROFS || code == EPERM)
        return charle_fail_foreign(err, CHARLE_READ_ONLY, CHARLE_DOMAIN_POSIX, code,
                                   "%s: the replica cannot be written (%s); check its owner and mode, or open it for reading only",
                                   file, strerror(code));
    return code ? charle_fail_foreign(err, code == ENOSPC ? CHARLE_DISK_FULL : CHARLE_IO, CHARLE_DOMAIN_POSIX, code,
                                      "%s: the replica cannot be opened: %s", file, strerror(code))
                : CHARLE_OK;
}

static enum charle_err check_layout(struct ch_lite *sql, const char *file, int64_t *out_layout, struct charle_error *err)
{
    int64_t id = 0, layout = 0;
    sqlite3_stmt *stmt = NULL;
    enum charle_err rc = ch_lite_prepare(sql, "select application_id, user_version from pragma_application_id, pragma_user_version",
                                        &stmt, err);
    if (!rc)
        rc = ch_lite_next(sql, stmt, err);
    if (!rc) {
        id = sqlite3_column_int64(stmt, 0);
        layout = sqlite3_column_int64(stmt, 1);
    }
    sqlite3_finalize(stmt);
    if (rc)
        return rc;
    if (id != CH_REPLICA_APPLICATION_ID)
        return charle_fail(err, CHARLE_DATA_LOSS,
                           "%s is a SQLite database of another program, not a replica; choose another path", file);
    if (layout > CH_REPLICA_LAYOUT)
        return charle_fail(err, CHARLE_SCHEMA_MISMATCH,
                           "%s was made by a newer release (layout %lld, this one knows %d); update this program", file,
                           (long long)layout, CH_REPLICA_LAYOUT);
    *out_layout = layout;
    return CHARLE_OK;
}

// --- opening ------------------------------------------------------------------------------------------------------------

static enum charle_err open_connection(struct ch_replica *replica, struct charle_error *err)
{
    const struct ch_sqlite_options options = {
        .must_exist = true,
        .is_read_only = replica->is_read_only,
        .is_secondary = true, // checkpoints are made under the lock, in ch_replica_commit
        .busy_timeout_ms = CH_REPLICA_BUSY_MS,
        .cache_size_kib = CH_REPLICA_CACHE_KIB,
        .vfs = replica->vfs,
    };
    enum charle_err rc = ch_sqlite_open(replica->file, &options, &replica->db, err);
    if (rc)
        return rc;
    replica->sql.db = ch_sqlite_handle(replica->db);
    sqlite3_db_config(replica->sql.db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL); // the guards are for others
    sqlite3_db_config(replica->sql.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    // Sorting a million keys for an index, and lists of what differs, go to private files: memory stays flat.
    return ch_lite_script(&replica->sql, "pragma secure_delete = off; pragma journal_size_limit = 67108864; pragma temp_store = file",
                          "opening", err);
}

static int note_wal_pages(void *ctx, sqlite3 *db, const char *database, int pages)
{
    struct ch_replica *replica = ctx;
    (void)db;
    (void)database;
    replica->wal_pages = pages;
    return SQLITE_OK;
}

// A secret by which the device is known when its session is not any more: 52 random characters.
static enum charle_err make_device_key(struct ch_replica *replica, struct charle_error *err)
{
    char key[2 * CH_ID_LEN + 1];
    enum charle_err rc = ch_meta_text(&replica->sql, "device_key", key, sizeof(key), err);
    if (rc || key[0])
        return rc;
    ch_replica_new_device_id(replica->env, key);
    ch_replica_new_device_id(replica->env, key + CH_ID_LEN);
    return ch_meta_set_text(&replica->sql, "device_key", charle_str(key), err);
}

static enum charle_err make_device(struct ch_replica *replica, const char *name, struct charle_error *err)
{
    char id[CH_ID_LEN + 1];
    enum charle_err rc = make_device_key(replica, err);
    if (!rc)
        rc = ch_meta_text(&replica->sql, "device_id", id, sizeof(id), err);
    if (rc || id[0])
        return rc;
    ch_replica_new_device_id(replica->env, id);
    rc = ch_meta_set_text(&replica->sql, "device_id", charle_str(id), err);
    return rc || !name ? rc : ch_meta_set_text(&replica->sql, "device_name", charle_str(name), err);
}

void ch_replica_new_device_id(const struct ch_client_env *env, char out[CH_ID_LEN + 1])
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz"; // Crockford's base 32
    uint8_t random[CH_ID_LEN];
    env->random(env->ctx, random, sizeof(random));
    for (int i = 0; i < CH_ID_LEN; i++)
        out[i] = digits[random[i] & 31];
    out[CH_ID_LEN] = '\0';
}

static enum charle_err make_tables(struct ch_replica *replica, struct charle_error *err)
{
    bool is_done = false;
    enum charle_err rc = ch_upgrade_tables(replica, &is_done, err);
    return rc || is_done ? rc : ch_layout_build_tables(replica, err);
}

// The first transaction: makes the tables when they are missing or of another schema, and sees that the file can be written at all.
static enum charle_err prepare_file(struct ch_replica *replica, const struct ch_replica_options *options,
                                    struct charle_error *err)
{
    char schema[CH_IDENTIFIER_LEN_MAX + 1];
    int64_t hash = 0, layout = 0, local = 0;
    enum charle_err rc = check_layout(&replica->sql, replica->file, &layout, err);
    if (!rc)
        rc = ch_meta_text(&replica->sql, "schema", schema, sizeof(schema), err);
    if (!rc)
        rc = ch_meta_number(&replica->sql, "schema_hash", 0, &hash, err);
    if (rc)
        return rc;
    if (schema[0] && !charle_str_equal(charle_str(schema), replica->schema->name))
        return charle_fail(err, CHARLE_SCHEMA_MISMATCH, "%s is a replica of the schema %s, and this program was built for %.*s; choose another file",
                           replica->file, schema, CHARLE_FMT(replica->schema->name));
    rc = ch_meta_number(&replica->sql, "local_hash", 0, &local, err);
    if (rc)
        return rc;
    bool has_locals = local == ch_upgrade_local_hash(replica->schema), is_same = schema[0] && hash == (int64_t)replica->schema->hash;
    bool is_current = is_same && has_locals;
    if (replica->is_read_only)
        return is_current && layout == CH_REPLICA_LAYOUT
                   ? CHARLE_OK
                   : charle_fail(err, CHARLE_SCHEMA_MISMATCH, "%s was made by another release; open it for writing once", replica->file);
    rc = charle_begin(replica->db, NULL, err);
    if (rc)
        return rc;
    if (layout < CH_REPLICA_LAYOUT)
        rc = ch_layout_upgrade(replica, layout, err);
    if (!rc && !is_same)
        rc = make_tables(replica, err);
    else if (!rc && !has_locals)
        rc = ch_upgrade_local(replica, err);
    if (!rc)
        rc = make_device(replica, options->device_name, err);
    if (rc) {
        (void)!charle_rollback(replica->db, NULL);
        return rc;
    }
    return charle_commit(replica->db, err);
}

static enum charle_err open_look(struct ch_replica *replica, struct charle_error *err)
{
    enum charle_err rc = ch_replica_open_reader(replica, &replica->look_db, err);
    if (!rc)
        replica->look.db = ch_sqlite_handle(replica->look_db);
    return rc;
}

// A file without a mark and without tables: new, or left behind by a crash in its first moment. What is no database at all is not blank; it
// is told so when it is opened in earnest.
static enum charle_err is_blank(const struct ch_replica *replica, bool *out, struct charle_error *err)
{
    struct ch_lite sql = {0};
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_open_v2(replica->file, &sql.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, replica->vfs);
    *out = false;
    if (!code) {
        sqlite3_busy_timeout(sql.db, CH_REPLICA_BUSY_MS);
        sqlite3_extended_result_codes(sql.db, 1);
        code = sqlite3_prepare_v2(sql.db, "select (select application_id from pragma_application_id) = 0 and not exists (select 1 from sqlite_master)",
                                  -1, &stmt, NULL);
    }
    if (!code)
        code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int(stmt, 0);
    enum charle_err rc = code == SQLITE_ROW || (code & 0xff) == SQLITE_NOTADB ? CHARLE_OK : ch_lite_fail(&sql, code, "opening", err);
    sqlite3_finalize(stmt);
    sqlite3_close(sql.db);
    return rc;
}

// Does what lies in the file fit the key that was given or not given?
static enum charle_err check_kind(const struct ch_replica *replica, const struct charle_client_key *key, enum ch_file_kind kind,
                                  struct charle_error *err)
{
    bool is_encrypted = kind == CH_FILE_ENCRYPTED || (kind == CH_FILE_BLANK && ch_key_exists(replica->file));
    if (!key && is_encrypted)
        return charle_fail(err, CHARLE_PERMISSION_DENIED, "%s is encrypted: give its passphrase or key", replica->file);
    if (key && kind == CH_FILE_PLAIN)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                           "%s is not encrypted: encrypt it first (charle key encrypt), or open it without a passphrase", replica->file);
    return CHARLE_OK;
}

// Finds or makes the data key, and the file system that uses it.
static enum charle_err open_cipher(struct ch_replica *replica, const struct charle_client_key *key, struct charle_error *err)
{
    struct ch_file_look look;
    uint8_t data_key[CH_CIPHER_KEY_SIZE];
    if (replica->env->vfs && !key)
        return CHARLE_OK; // a simulation's own files
    enum charle_err rc = ch_file_look(replica->file, replica->env->vfs, &look, err);
    if (!rc)
        rc = check_kind(replica, key, look.kind, err);
    if (rc || !key)
        return rc;
    if (look.kind == CH_FILE_ENCRYPTED || ch_key_exists(replica->file))
        rc = ch_key_open(replica->file, key, look.kind == CH_FILE_ENCRYPTED ? look.mark : NULL, data_key, err);
    else if (replica->is_read_only)
        rc = charle_fail(err, CHARLE_NOT_FOUND, "%s does not exist or is empty", replica->file);
    else
        rc = ch_key_make(replica->file, key, data_key, err);
    if (!rc)
        rc = ch_cipher_open(data_key, replica->env->vfs, CH_REPLICA_PAGE_SIZE, &replica->cipher, err);
    explicit_bzero(data_key, sizeof(data_key));
    if (!rc)
        replica->vfs = ch_cipher_vfs(replica->cipher);
    return rc;
}

// Everything that needs the file, with the lock held: two programs that open a new path at the same moment make it once.
static enum charle_err open_locked(struct ch_replica *replica, const struct ch_replica_options *options,
                                   struct charle_error *err)
{
    bool is_new = false;
    enum charle_err rc = open_cipher(replica, options->key, err);
    if (!rc && !replica->is_read_only && !replica->env->vfs)
        rc = make_file(replica->file, err);
    if (!rc && !replica->is_read_only)
        rc = ch_cipher_drop_unfinished(replica->vfs, replica->file, err);
    if (!rc && !replica->is_read_only)
        rc = is_blank(replica, &is_new, err);
    if (!rc && is_new)
        rc = ch_layout_create(replica->file, replica->vfs, err);
    if (!rc)
        rc = open_connection(replica, err);
    if (!rc)
        rc = prepare_file(replica, options, err);
    if (!rc)
        rc = ch_tables_open(&replica->tables, replica->db, &replica->sql, replica->schema, replica->vfs, err);
    if (!rc)
        rc = ch_gaps_apply(replica, err);
    if (!rc)
        rc = open_look(replica, err);
    if (!rc)
        rc = ch_files_open(replica, options->key, &replica->files, err);
    return rc;
}

enum charle_err ch_replica_open(struct ch_replica *replica, const struct ch_client_env *env,
                                const struct ch_replica_options *options, struct charle_error *err)
{
    *replica = (struct ch_replica){.env = env, .vfs = env->vfs, .presence = -1, .schema = options->schema, .served_hash = options->schema->hash, .crud = options->crud,
                                   .is_read_only = options->is_read_only, .identity.version = -1, .look_identity.version = -1, .checkpoint_pages = CH_WAL_PAGES_TARGET};
    pthread_mutex_init(&replica->look_mutex, NULL);
    replica->lock.fd = -1;
    replica->file = ch_strdup_n(options->file, strlen(options->file));
    enum charle_err rc = replica->file ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a path");
    if (!rc && !env->vfs && !replica->is_read_only)
        rc = ch_replica_make_folder(replica->file, err);
    if (!rc)
        rc = ch_lock_open(&replica->lock, env->vfs || replica->is_read_only ? NULL : replica->file,
                          options->lock_timeout_ms ? options->lock_timeout_ms : LOCK_TIMEOUT_MS, err);
    if (!rc && !env->vfs)
        rc = ch_presence_take(replica->file, false, &replica->presence, err);
    if (!rc)
        rc = ch_lock_take(&replica->lock, err);
    if (!rc) {
        rc = open_locked(replica, options, err);
        ch_lock_drop(&replica->lock);
    }
    if (!rc)
        rc = charle_offline_check_all(replica->schema, err);
    if (!rc)
        rc = charle_method_table_init(&replica->methods, replica->schema->services, replica->schema->service_count, err);
    if (rc) {
        ch_replica_close(replica);
        return rc;
    }
    rc = ch_call_guard_open(&replica->guard, replica->db, replica->schema, err);
    if (rc) {
        ch_replica_close(replica);
        return rc;
    }
    ch_capture_open(&replica->capture, &replica->tables);
    sqlite3_wal_hook(replica->sql.db, note_wal_pages, replica);
    rc = ch_upgrade_rebase(replica, err);
    if (rc)
        ch_replica_close(replica);
    return rc;
}

// The log is emptied when nobody else reads; a copy of the file alone is then whole.
static void empty_log(struct ch_replica *replica)
{
    if (!replica->db || replica->is_read_only || ch_lock_take(&replica->lock, NULL))
        return;
    sqlite3_wal_checkpoint_v2(replica->sql.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    ch_lock_drop(&replica->lock);
}

void ch_replica_close(struct ch_replica *replica)
{
    if (!replica->file)
        return;
    ch_files_close(replica->files);
    ch_lite_close_statements(&replica->look);
    charle_db_close(replica->look_db);
    if (replica->sql.db)
        sqlite3_busy_timeout(replica->sql.db, 0);
    empty_log(replica);
    ch_capture_close(&replica->capture);
    ch_tables_close(&replica->tables);
    ch_lite_close_statements(&replica->sql);
    charle_db_close(replica->db);
    charle_method_table_deinit(&replica->methods);
    charle_arena_deinit(&replica->identity.arena);
    charle_arena_deinit(&replica->look_identity.arena);
    ch_cipher_close(replica->cipher);
    ch_lock_close(&replica->lock);
    ch_presence_drop(replica->presence);
    pthread_mutex_destroy(&replica->look_mutex);
    ch_free(replica->file);
    *replica = (struct ch_replica){0};
}

enum charle_err ch_replica_open_reader(struct ch_replica *replica, struct charle_db **out, struct charle_error *err)
{
    const struct ch_sqlite_options options = {.is_read_only = true, .must_exist = true, .is_secondary = true,
                                              .busy_timeout_ms = CH_REPLICA_BUSY_MS, .vfs = replica->vfs};
    return ch_sqlite_open(replica->file, &options, out, err);
}

// --- transactions -------------------------------------------------------------------------------------------------------

static enum charle_err set_durability(struct ch_replica *replica, enum ch_durability durability, struct charle_error *err)
{
    bool is_fetchable = durability == CH_FETCHABLE;
    if (is_fetchable == replica->is_fetchable)
        return CHARLE_OK;
    enum charle_err rc = ch_sqlite_set_sync_normal(replica->db, is_fetchable, err);
    if (!rc)
        replica->is_fetchable = is_fetchable;
    return rc;
}

// A program of another version may have opened the file meanwhile and made the tables its own.
static enum charle_err check_schema(struct ch_replica *replica, struct charle_error *err)
{
    int64_t version, hash;
    enum charle_err rc = ch_lite_number(&replica->sql, CH_LITE_DATA_VERSION, 0, &version, err, "");
    if (rc || version == replica->checked_version)
        return rc;
    rc = ch_meta_number(&replica->sql, "schema_hash", 0, &hash, err);
    if (rc)
        return rc;
    replica->is_outdated = hash != (int64_t)replica->schema->hash;
    if (replica->is_outdated)
        return charle_fail(err, CHARLE_SCHEMA_MISMATCH,
                           "a program of another version has taken over %s: end this program, and start the one of that version", replica->file);
    replica->checked_version = version;
    return CHARLE_OK;
}

enum charle_err ch_replica_begin(struct ch_replica *replica, enum ch_durability durability, struct charle_error *err)
{
    if (replica->is_read_only)
        return charle_fail(err, CHARLE_READ_ONLY, "%s was opened for reading only", replica->file);
    // SQLite would go on with the file that nobody finds any more.
    int has_moved = 0;
    if (sqlite3_file_control(replica->sql.db, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved) == SQLITE_OK && has_moved)
        return charle_fail(err, CHARLE_IO, "%s was moved or deleted while it was open, and what is written now would be lost: open it again",
                           replica->file);
    enum charle_err rc = ch_lock_take(&replica->lock, err);
    if (rc)
        return rc;
    rc = set_durability(replica, durability, err);
    if (!rc)
        rc = charle_begin(replica->db, NULL, err);
    if (!rc && (rc = check_schema(replica, err)) != CHARLE_OK)
        (void)!charle_rollback(replica->db, NULL);
    if (rc)
        ch_lock_drop(&replica->lock);
    CHARLE_ASSERT(rc || ch_replica_is_writing(replica));
    return rc;
}

// Copies the log back into the file once it is long enough. What cannot be copied yet, because somebody reads an older moment, waits
// for the next commit; a failure only means that the log grows.
static void checkpoint(struct ch_replica *replica)
{
    if (replica->wal_pages < replica->checkpoint_pages)
        return;
    int in_log = 0, copied = 0;
    CHARLE_ASSERT(!ch_replica_is_writing(replica)); // the log of a transaction that is open cannot be copied back
    sqlite3_wal_checkpoint_v2(replica->sql.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied);
    replica->wal_pages = 0;
}

enum charle_err ch_replica_commit(struct ch_replica *replica, struct charle_error *err)
{
    enum charle_err rc = charle_commit(replica->db, err);
    if (!rc && !replica->checkpoints_later)
        checkpoint(replica);
    ch_lock_drop(&replica->lock);
    return rc;
}

void ch_replica_checkpoint(struct ch_replica *replica)
{
    replica->checkpoints_later = false;
    if (replica->wal_pages < replica->checkpoint_pages || ch_lock_take(&replica->lock, NULL))
        return;
    checkpoint(replica);
    ch_lock_drop(&replica->lock);
}

void ch_replica_rollback(struct ch_replica *replica)
{
    (void)!charle_rollback(replica->db, NULL);
    ch_lock_drop(&replica->lock);
}

enum charle_err ch_replica_end(struct ch_replica *replica, enum charle_err rc, struct charle_error *err)
{
    if (!rc)
        return ch_replica_commit(replica, err);
    ch_replica_rollback(replica);
    return rc;
}

enum charle_err ch_replica_overwrite(struct ch_replica *replica, sqlite3 *with, struct charle_error *err)
{
    CHARLE_ASSERT(!replica->is_read_only && !ch_replica_is_writing(replica));
    sqlite3_backup *backup = sqlite3_backup_init(replica->sql.db, "main", with, "main");
    if (!backup)
        return ch_lite_fail(&replica->sql, sqlite3_extended_errcode(replica->sql.db), "writing a seed file over the replica", err);
    int step = sqlite3_backup_step(backup, -1), code = sqlite3_backup_finish(backup); // rolls back what is not whole
    if (step != SQLITE_DONE || code)
        return ch_lite_fail(&replica->sql, step == SQLITE_DONE ? code : step, "writing a seed file over the replica", err);
    replica->wal_pages = replica->checkpoint_pages; // the hook is not told
    checkpoint(replica);
    return CHARLE_OK;
}

enum charle_err ch_replica_was_changed(struct ch_replica *replica, bool *out, struct charle_error *err)
{
    int64_t version;
    ch_lock_enter(&replica->lock); // the connection is one thread's at a time; no need to wait for other programs
    enum charle_err rc = ch_lite_number(&replica->sql, CH_LITE_DATA_VERSION, 0, &version, err, "");
    ch_lock_leave(&replica->lock);
    *out = !rc && replica->seen_version && version != replica->seen_version;
    if (!rc)
        replica->seen_version = version;
    return rc;
}

// --- identity -----------------------------------------------------------------------------------------------------------

enum charle_err ch_replica_identity_changed(struct ch_replica *replica, struct charle_error *err)
{
    int64_t version;
    CHARLE_ASSERT_SLOW(ch_replica_is_writing(replica));
    enum charle_err rc = ch_meta_number(&replica->sql, "identity_version", 0, &version, err);
    return rc ? rc : ch_meta_set_number(&replica->sql, "identity_version", version + 1, err);
}

static enum charle_err load_meta(struct ch_identity *identity, struct ch_lite *sql, const char *key, struct charle_str *out,
                                 struct charle_error *err)
{
    char text[256];
    enum charle_err rc = ch_meta_text(sql, key, text, sizeof(text), err);
    if (rc)
        return rc;
    *out = charle_arena_str(&identity->arena, charle_str(text));
    return out->ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for the identity");
}

static enum charle_err load_scopes(struct ch_identity *identity, struct ch_lite *sql, struct charle_error *err)
{
    struct charle_str *scopes = charle_arena_array(&identity->arena, CH_SCOPES_PER_SESSION_MAX, sizeof(*scopes));
    size_t count = 0;
    sqlite3_stmt *row;
    if (!scopes)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the scopes");
    enum charle_err rc = ch_lite_one(sql, CH_LITE_CURSOR_ALL, &row, err, "");
    for (; rc == CHARLE_OK; rc = ch_lite_next(sql, row, err)) {
        struct charle_str scope = charle_arena_str(&identity->arena, ch_lite_text(row, 0));
        if (!scope.ptr || count == CH_SCOPES_PER_SESSION_MAX) {
            ch_lite_end(row);
            return charle_fail(err, CHARLE_NO_MEMORY, "no room for more than %zu scopes", count);
        }
        scopes[count++] = scope;
    }
    CHARLE_ASSERT(count <= CH_SCOPES_PER_SESSION_MAX);
    identity->value.scopes = scopes;
    identity->value.scope_count = count;
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

enum charle_err ch_identity_load(struct ch_identity *identity, struct ch_lite *sql, struct charle_error *err)
{
    int64_t version;
    enum charle_err rc = ch_meta_number(sql, "identity_version", 0, &version, err);
    if (rc || version == identity->version)
        return rc;
    identity->version = -1;
    charle_arena_reset(&identity->arena);
    identity->value = (struct charle_identity){0};
    rc = load_meta(identity, sql, "principal", &identity->value.principal, err);
    if (!rc)
        rc = load_meta(identity, sql, "principal_id", &identity->value.id, err);
    if (!rc)
        rc = load_meta(identity, sql, "device_id", &identity->value.device_id, err);
    if (!rc)
        rc = load_scopes(identity, sql, err);
    if (!rc)
        identity->version = version;
    return rc;
}

enum charle_err ch_replica_load_identity(struct ch_replica *replica, struct charle_error *err)
{
    return ch_identity_load(&replica->identity, &replica->sql, err);
}

size_t ch_replica_take_changed(struct ch_replica *replica, uint32_t *out)
{
    ch_lock_enter(&replica->lock);
    size_t count = ch_tables_take_changed(&replica->tables, out);
    ch_lock_leave(&replica->lock);
    return count;
}
