// Encryption at rest for a replica that nobody has open: another key for its data key, another data key, no key at all.
//
// Writing the file anew. States on the disk, in order; a crash leaves one of them, and each opens with the key that was given:
//
//   1  file (old), file.key (old data key)                    in clear: no file.key
//   2  file (old), file.key (old and new data key)            in clear: file.key (new) does not count while the file is in clear
//   3  … and file.rekey, growing, sealed under the new one
//   4  file (new), file.key (old and new)                     renamed; the old log was emptied and removed before
//   5  … and file.files (new)                                 the same once more; it was under the old key, or in clear, until now
//   6  file (new), file.files (new), file.key (new)
//
// Between 4 and 5 the store of files opens by its own mark (client/files.c). The next try brings it to the key of the file first.
//
// A file.rekey that a crash left behind is removed by the next try; it is sealed, so it may lie there.
#include "base/limits.h"
#include "client/key.h"
#include "client/lock.h"
#include "db/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_TIMEOUT_MS = 30000 };

struct rewriting {
    const char *file;
    char next[PATH_MAX];             // file.rekey
    struct ch_file_look look;
    uint8_t keys[2][CH_CIPHER_KEY_SIZE]; // the old data key, unless in clear, and the new one
    struct ch_cipher *from, *to;
    sqlite3 *db;
};

static enum charle_err check_path(const char *file, struct charle_error *err)
{
    if (file && *file)
        return CHARLE_OK;
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the path of a replica is needed");
}

static enum charle_err remove_beside(const char *file, const char *suffix, struct charle_error *err)
{
    char path[PATH_MAX];
    if (!ch_path_beside(file, suffix, path, sizeof(path)))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the path of the replica is too long");
    return unlink(path) == 0 || errno == ENOENT ? CHARLE_OK : ch_file_fail(path, "cannot be removed", errno, err);
}

// --- another passphrase ---------------------------------------------------------------------------------------------------

int charle_replica_rekey(const char *file, const struct charle_client_key *old_key, const struct charle_client_key *new_key,
                         struct charle_error *err)
{
    struct ch_lock lock;
    enum charle_err rc = check_path(file, err);
    if (!rc && !ch_key_exists(file))
        rc = charle_fail(err, CHARLE_NOT_FOUND, "%s has no key file: it is not there, or not encrypted", file);
    if (rc)
        return rc;
    rc = ch_lock_open(&lock, file, LOCK_TIMEOUT_MS, err);
    if (!rc)
        rc = ch_lock_take(&lock, err);
    if (!rc) {
        rc = ch_key_rewrap(file, old_key, new_key, err);
        ch_lock_drop(&lock);
    }
    ch_lock_close(&lock);
    return rc;
}

// --- another data key -----------------------------------------------------------------------------------------------------

static enum charle_err fail(struct rewriting *rewriting, int code, struct charle_error *err)
{
    return ch_sqlite_fail(rewriting->db, code, "writing the replica anew", err);
}

static enum charle_err run(struct rewriting *rewriting, const char *sql, struct charle_error *err)
{
    return sqlite3_exec(rewriting->db, sql, NULL, NULL, NULL) ? fail(rewriting, sqlite3_extended_errcode(rewriting->db), err) : CHARLE_OK;
}

static enum charle_err open_db(struct rewriting *rewriting, const char *file, const struct ch_cipher *cipher, struct charle_error *err)
{
    int code = sqlite3_open_v2(file, &rewriting->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, ch_cipher_vfs(cipher));
    return code ? fail(rewriting, code, err) : CHARLE_OK;
}

static void close_db(struct rewriting *rewriting)
{
    sqlite3_close(rewriting->db);
    rewriting->db = NULL;
}

// State 2: both data keys are known before anything is sealed under the new one.
static enum charle_err make_keys(struct rewriting *rewriting, const struct charle_client_key *key, struct charle_error *err)
{
    bool is_encrypted = rewriting->look.kind == CH_FILE_ENCRYPTED;
    enum charle_err rc = CHARLE_OK;
    if (is_encrypted)
        rc = ch_key_open(rewriting->file, key, rewriting->look.mark, rewriting->keys[0], err);
    if (!rc && is_encrypted)
        rc = ch_cipher_open(rewriting->keys[0], NULL, CH_REPLICA_PAGE_SIZE, &rewriting->from, err);
    if (rc)
        return rc;
    if (sodium_init() < 0)
        return charle_fail(err, CHARLE_INTERNAL, "libsodium does not work on this machine");
    randombytes_buf(rewriting->keys[1], CH_CIPHER_KEY_SIZE);
    rc = ch_key_write(rewriting->file, key, &rewriting->keys[is_encrypted ? 0 : 1], is_encrypted ? 2 : 1, err);
    return rc ? rc : ch_cipher_open(rewriting->keys[1], NULL, CH_REPLICA_PAGE_SIZE, &rewriting->to, err);
}

// SQLite wants the name as a URI to see the file system in it: everything but plain letters is written as %xx.
static void write_uri(struct rewriting *rewriting, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "file:");
    for (const char *c = rewriting->next; *c && at + 4 < size; c++)
        at += (size_t)snprintf(out + at, size - at, strchr("/.-_", *c) || (*c >= '0' && *c <= '9') || ((*c | 32) >= 'a' && (*c | 32) <= 'z')
                                                        ? "%c" : "%%%02x", (unsigned char)*c);
    snprintf(out + at, size - at, "?vfs=%s", ch_cipher_vfs(rewriting->to));
}

// State 3: the whole content into a new file, in WAL mode like the old one, durable before it gets its name.
static enum charle_err write_next(struct rewriting *rewriting, struct charle_error *err)
{
    char uri[3 * PATH_MAX + 80], sql[3 * PATH_MAX + 120];
    int reserved = CH_CIPHER_SEAL_SIZE;
    enum charle_err rc = open_db(rewriting, rewriting->file, rewriting->from, err);
    if (!rc) // the pages of the copy have room for the seals, whatever those of the original have
        rc = sqlite3_file_control(rewriting->db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved) ? fail(rewriting, SQLITE_ERROR, err) : CHARLE_OK;
    write_uri(rewriting, uri, sizeof(uri));
    snprintf(sql, sizeof(sql), "pragma wal_checkpoint(truncate); vacuum into '%s'", uri);
    if (!rc)
        rc = run(rewriting, sql, err);
    close_db(rewriting);
    if (!rc)
        rc = open_db(rewriting, rewriting->next, rewriting->to, err);
    if (!rc)
        rc = run(rewriting, "pragma synchronous = full; pragma journal_mode = wal; pragma wal_checkpoint(truncate)", err);
    close_db(rewriting);
    int fd = rc ? -1 : open(rewriting->next, O_RDWR | O_CLOEXEC);
    if (!rc && (fd < 0 || fsync(fd) != 0 || fchmod(fd, 0600) != 0))
        rc = ch_file_fail(rewriting->next, "cannot be synced", errno, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

static enum charle_err drop_leftover(struct rewriting *rewriting, struct charle_error *err)
{
    static const char *const suffixes[] = {".rekey", ".rekey-wal", ".rekey-shm"};
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        rc = remove_beside(rewriting->file, suffixes[i], err);
    return rc;
}

// What was in clear is overwritten before its space is given back. A file system that copies on write, or a flash disk, may keep the
// old blocks; nothing can be done about that from here.
static enum charle_err overwrite(int fd, const char *path, struct charle_error *err)
{
    static const uint8_t zeros[65536];
    struct stat info;
    if (fstat(fd, &info) != 0)
        return ch_file_fail(path, "cannot be overwritten", errno, err);
    for (off_t at = 0; at < info.st_size;) {
        size_t size = info.st_size - at < (off_t)sizeof(zeros) ? (size_t)(info.st_size - at) : sizeof(zeros);
        ssize_t put = pwrite(fd, zeros, size, at);
        if (put < 0 && errno != EINTR)
            return ch_file_fail(path, "cannot be overwritten", errno, err);
        at += put > 0 ? put : 0;
    }
    return fsync(fd) == 0 ? CHARLE_OK : ch_file_fail(path, "cannot be overwritten", errno, err);
}

// State 4, or 5.
static enum charle_err put_in_place(struct rewriting *rewriting, struct charle_error *err)
{
    const char *file = rewriting->file;
    int old = rewriting->look.kind == CH_FILE_PLAIN ? open(file, O_RDWR | O_CLOEXEC) : -1;
    enum charle_err rc = remove_beside(file, "-wal", err);
    if (!rc)
        rc = remove_beside(file, "-shm", err);
    if (!rc && rename(rewriting->next, file) != 0)
        rc = ch_file_fail(file, "the new file cannot be put in its place", errno, err);
    if (!rc)
        rc = ch_folder_sync(file, err);
    if (!rc && old >= 0)
        rc = overwrite(old, file, err);
    if (old >= 0)
        close(old);
    return rc;
}

// Brings the store of files beside `file` under the data key of `to`, from whichever it lies under.
static enum charle_err rewrite_store(const char *file, const struct charle_client_key *key, struct ch_cipher *to, struct charle_error *err)
{
    char store[PATH_MAX];
    struct rewriting rewriting = {.file = store, .to = to};
    if (!ch_path_beside(file, ".files", store, sizeof(store)) || !ch_path_beside(store, ".rekey", rewriting.next, sizeof(rewriting.next)))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the path of the replica is too long");
    enum charle_err rc = ch_file_look(store, NULL, &rewriting.look, err);
    bool is_encrypted = rewriting.look.kind == CH_FILE_ENCRYPTED;
    if (rc || rewriting.look.kind == CH_FILE_BLANK || (is_encrypted && ch_cipher_has_mark(to, rewriting.look.mark)))
        return rc;
    rc = drop_leftover(&rewriting, err);
    if (!rc && is_encrypted)
        rc = ch_key_open(file, key, rewriting.look.mark, rewriting.keys[0], err);
    if (!rc && is_encrypted)
        rc = ch_cipher_open(rewriting.keys[0], NULL, CH_REPLICA_PAGE_SIZE, &rewriting.from, err);
    if (!rc)
        rc = write_next(&rewriting, err);
    if (!rc)
        rc = put_in_place(&rewriting, err);
    if (rc)
        (void)!drop_leftover(&rewriting, NULL);
    ch_cipher_close(rewriting.from);
    sodium_memzero(rewriting.keys, sizeof(rewriting.keys));
    return rc;
}

// What an earlier try has left: the keys that the store may lie under are about to be forgotten.
static enum charle_err settle_store(struct rewriting *rewriting, const struct charle_client_key *key, struct charle_error *err)
{
    uint8_t data_key[CH_CIPHER_KEY_SIZE];
    struct ch_cipher *cipher = NULL;
    if (rewriting->look.kind != CH_FILE_ENCRYPTED)
        return CHARLE_OK;
    enum charle_err rc = ch_key_open(rewriting->file, key, rewriting->look.mark, data_key, err);
    if (!rc)
        rc = ch_cipher_open(data_key, NULL, CH_REPLICA_PAGE_SIZE, &cipher, err);
    sodium_memzero(data_key, sizeof(data_key));
    if (!rc)
        rc = rewrite_store(rewriting->file, key, cipher, err);
    ch_cipher_close(cipher);
    return rc;
}

static enum charle_err rewrite(struct rewriting *rewriting, const struct charle_client_key *key, struct charle_error *err)
{
    enum charle_err rc = ch_file_look(rewriting->file, NULL, &rewriting->look, err);
    if (rc)
        return rc;
    if (rewriting->look.kind == CH_FILE_BLANK)
        return charle_fail(err, CHARLE_NOT_FOUND, "%s does not exist or is empty; a new replica is made with its key at once", rewriting->file);
    if (rewriting->look.kind == CH_FILE_OTHER)
        return charle_fail(err, CHARLE_DATA_LOSS, "%s is no replica, or damaged", rewriting->file);
    if (!ch_path_beside(rewriting->file, ".rekey", rewriting->next, sizeof(rewriting->next)))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the path of the replica is too long");
    rc = drop_leftover(rewriting, err);
    if (!rc)
        rc = settle_store(rewriting, key, err);
    if (!rc)
        rc = make_keys(rewriting, key, err);
    if (!rc)
        rc = write_next(rewriting, err);
    if (!rc)
        rc = put_in_place(rewriting, err);
    if (!rc)
        rc = rewrite_store(rewriting->file, key, rewriting->to, err);
    return rc ? rc : ch_key_write(rewriting->file, key, &rewriting->keys[1], 1, err);
}

int charle_replica_encrypt(const char *file, const struct charle_client_key *key, struct charle_error *err)
{
    struct rewriting rewriting = {.file = file};
    int presence = -1;
    enum charle_err rc = check_path(file, err);
    if (!rc && access(file, F_OK) != 0)
        rc = ch_file_fail(file, "the replica cannot be encrypted", errno, err);
    if (!rc)
        rc = ch_presence_take(file, true, &presence, err);
    if (rc)
        return rc;
    rc = rewrite(&rewriting, key, err);
    if (rc)
        (void)!drop_leftover(&rewriting, NULL);
    ch_cipher_close(rewriting.from);
    ch_cipher_close(rewriting.to);
    sodium_memzero(rewriting.keys, sizeof(rewriting.keys));
    ch_presence_drop(presence);
    return rc;
}

// --- no key at all --------------------------------------------------------------------------------------------------------

static enum charle_err overwrite_and_remove(const char *file, const char *suffix, bool is_clear, struct charle_error *err)
{
    char path[PATH_MAX];
    if (!ch_path_beside(file, suffix, path, sizeof(path)))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the path of the replica is too long");
    int fd = is_clear ? open(path, O_RDWR | O_CLOEXEC) : -1;
    enum charle_err rc = fd >= 0 ? overwrite(fd, path, err) : CHARLE_OK;
    if (fd >= 0)
        close(fd);
    enum charle_err removed = remove_beside(file, suffix, rc ? NULL : err);
    return rc ? rc : removed;
}

int charle_replica_wipe(const char *file, struct charle_error *err)
{
    // The lock goes last: while it is there, other programs notice nothing worse than a missing file.
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".rekey", ".rekey-wal", ".rekey-shm", ".files", ".files-wal", ".files-shm", ".files-journal",
                                           ".files.rekey", ".files.rekey-wal", ".files.rekey-shm", ".seed", ".seed-wal", ".seed-shm", ".sync", ".lock"};
    struct ch_file_look look;
    enum charle_err rc = check_path(file, err);
    if (rc)
        return rc;
    bool is_clear = ch_file_look(file, NULL, &look, NULL) || look.kind != CH_FILE_ENCRYPTED;
    rc = ch_key_destroy(file, err);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        enum charle_err one = overwrite_and_remove(file, suffixes[i], is_clear, rc ? NULL : err);
        rc = rc ? rc : one;
    }
    enum charle_err synced = ch_folder_sync(file, rc ? NULL : err);
    return (int)(rc ? rc : synced);
}
