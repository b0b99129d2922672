#include "client/key.h"

#include "base/limits.h"
#include "db/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KIND_PASSPHRASE = 1,
    KIND_SUPPLIED = 2,
    HEAD_SIZE = 48,
    SLOT_SIZE = 80,
    SLOTS_MAX = 2,
    SUM_AT = HEAD_SIZE + SLOTS_MAX * SLOT_SIZE,
    SUM_SIZE = 32,
    FILE_SIZE = SUM_AT + SUM_SIZE,
};

static const char magic[] = "CHARLEK1";

// The bytes of a key file; see key.h.
struct key_file {
    uint8_t bytes[FILE_SIZE];
};

// --- files --------------------------------------------------------------------------------------------------------------

enum charle_err ch_file_fail(const char *path, const char *doing, int code, struct charle_error *err)
{
    enum charle_err rc = code == ENOSPC || code == EDQUOT                   ? CHARLE_DISK_FULL
                         : code == EACCES || code == EPERM                  ? CHARLE_PERMISSION_DENIED
                         : code == EROFS                                    ? CHARLE_READ_ONLY
                         : code == ENOENT                                   ? CHARLE_NOT_FOUND
                                                                            : CHARLE_IO;
    return charle_fail_foreign(err, rc, CHARLE_DOMAIN_POSIX, code, "%s: %s: %s", path, doing, strerror(code));
}

bool ch_path_beside(const char *file, const char *suffix, char *out, size_t size)
{
    int len = snprintf(out, size, "%s%s", file, suffix);
    return len > 0 && (size_t)len < size;
}

static enum charle_err path_of_key(const char *file, const char *suffix, char out[PATH_MAX], struct charle_error *err)
{
    if (ch_path_beside(file, suffix, out, PATH_MAX))
        return CHARLE_OK;
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the path of the replica is too long for its key file beside it");
}

enum charle_err ch_folder_sync(const char *file, struct charle_error *err)
{
    char folder[PATH_MAX];
    if (!ch_path_beside(file, "", folder, sizeof(folder)))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the path of the replica is too long");
    char *slash = strrchr(folder, '/');
    snprintf(slash ? slash + (slash == folder) : folder, 2, "%s", slash ? "" : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ch_file_fail(folder, "the folder cannot be synced", errno, err);
    int code = fsync(fd) == 0 || errno == EINVAL ? 0 : errno; // some file systems have no sync of folders
    close(fd);
    return code ? ch_file_fail(folder, "the folder cannot be synced", code, err) : CHARLE_OK;
}

static enum charle_err write_all(int fd, const uint8_t *bytes, size_t size, const char *path, struct charle_error *err)
{
    for (size_t at = 0; at < size;) {
        ssize_t put = write(fd, bytes + at, size - at);
        if (put < 0 && errno != EINTR)
            return ch_file_fail(path, "the key file cannot be written", errno, err);
        at += put > 0 ? (size_t)put : 0;
    }
    return fsync(fd) == 0 ? CHARLE_OK : ch_file_fail(path, "the key file cannot be synced", errno, err);
}

static enum charle_err write_key_file(const char *file, const struct key_file *content, struct charle_error *err)
{
    char path[PATH_MAX], next[PATH_MAX];
    enum charle_err rc = path_of_key(file, ".key", path, err);
    if (!rc)
        rc = path_of_key(file, ".key.new", next, err);
    if (rc)
        return rc;
    int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return ch_file_fail(next, "the key file cannot be made", errno, err);
    rc = write_all(fd, content->bytes, sizeof(content->bytes), next, err);
    close(fd);
    if (!rc && rename(next, path) != 0)
        rc = ch_file_fail(path, "the key file cannot be put in its place", errno, err);
    if (rc)
        unlink(next);
    return rc ? rc : ch_folder_sync(file, err);
}

// Through SQLite: closing a descriptor of one's own would drop the locks that this program's connections hold on the file.
enum charle_err ch_file_look(const char *file, const char *vfs, struct ch_file_look *out, struct charle_error *err)
{
    static const uint8_t zeros[CH_CIPHER_MARK_SIZE];
    sqlite3 *handle = NULL;
    sqlite3_file *real = NULL;
    *out = (struct ch_file_look){.kind = CH_FILE_BLANK};
    int code = sqlite3_open_v2(file, &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, vfs);
    if (!code)
        code = sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &real);
    if (!code)
        code = real->pMethods->xRead(real, out->mark, sizeof(out->mark), 0);
    enum charle_err rc = CHARLE_OK;
    if (code && code != SQLITE_CANTOPEN && code != SQLITE_IOERR_SHORT_READ) // what cannot be opened is told when it is opened in earnest
        rc = ch_sqlite_fail(handle, code, "looking at the replica", err);
    sqlite3_close(handle);
    if (code || memcmp(out->mark, zeros, sizeof(zeros)) == 0)
        return rc;
    out->kind = memcmp(out->mark, "SQLite format 3", 16) == 0 ? CH_FILE_PLAIN
                : ch_cipher_is_mark(out->mark)                ? CH_FILE_ENCRYPTED
                                                              : CH_FILE_OTHER;
    return CHARLE_OK;
}

bool ch_key_exists(const char *file)
{
    char path[PATH_MAX];
    return ch_path_beside(file, ".key", path, sizeof(path)) && access(path, F_OK) == 0;
}

// --- the bytes ----------------------------------------------------------------------------------------------------------

static void put_number(uint8_t *out, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_number(const uint8_t *bytes, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static size_t slot_count(const struct key_file *file)
{
    return (size_t)get_number(file->bytes + 12, 4);
}

static uint8_t *slot_of(struct key_file *file, size_t index)
{
    return file->bytes + HEAD_SIZE + index * SLOT_SIZE;
}

// What a slot is bound to: the head without the count, which changes while the wrapped keys stay.
static void bind_slot(const struct key_file *file, const uint8_t *slot, uint8_t out[HEAD_SIZE + CH_CIPHER_NAME_SIZE])
{
    memcpy(out, file->bytes, HEAD_SIZE);
    put_number(out + 12, 1, 4);
    memcpy(out + HEAD_SIZE, slot, CH_CIPHER_NAME_SIZE);
}

static enum charle_err read_key_file(const char *file, struct key_file *out, struct charle_error *err)
{
    char path[PATH_MAX];
    uint8_t sum[SUM_SIZE];
    enum charle_err rc = path_of_key(file, ".key", path, err);
    if (rc)
        return rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return charle_fail(err, CHARLE_NOT_FOUND, "%s is missing: without it nobody can read %s; put it back from a copy", path, file);
    if (fd < 0)
        return ch_file_fail(path, "the key file cannot be read", errno, err);
    ssize_t got = read(fd, out->bytes, FILE_SIZE);
    close(fd);
    if (got != FILE_SIZE || memcmp(out->bytes, magic, 8) != 0)
        return charle_fail(err, CHARLE_DATA_LOSS, "%s is not a key file of a replica; put it back from a copy", path);
    crypto_generichash(sum, sizeof(sum), out->bytes, SUM_AT, NULL, 0);
    if (memcmp(sum, out->bytes + SUM_AT, SUM_SIZE) != 0)
        return charle_fail(err, CHARLE_DATA_LOSS, "%s is damaged: its checksum does not fit; put it back from a copy", path);
    uint64_t passes = get_number(out->bytes + 16, 8), memory = get_number(out->bytes + 24, 8), kind = get_number(out->bytes + 8, 4);
    if (kind < KIND_PASSPHRASE || kind > KIND_SUPPLIED || slot_count(out) < 1 || slot_count(out) > SLOTS_MAX ||
        passes > CH_KEY_PASSES_MAX || memory > CH_KEY_MEMORY_MAX)
        return charle_fail(err, CHARLE_SCHEMA_MISMATCH, "%s was made by a newer release; update this program", path);
    return CHARLE_OK;
}

// --- wrapping -----------------------------------------------------------------------------------------------------------

static enum charle_err check_key(const struct charle_client_key *key, bool is_new, struct charle_error *err)
{
    if (!key || !key->passphrase == !key->bytes)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "give a passphrase or a key of %d bytes, and not both", CH_CIPHER_KEY_SIZE);
    if (key->passphrase && strlen(key->passphrase) > CH_PASSPHRASE_LEN_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a passphrase has at most %d bytes", CH_PASSPHRASE_LEN_MAX);
    if (is_new && key->passphrase && strlen(key->passphrase) < CH_PASSPHRASE_LEN_MIN)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the passphrase is too short: take at least %d characters, better four words",
                           CH_PASSPHRASE_LEN_MIN);
    return sodium_init() < 0 ? charle_fail(err, CHARLE_INTERNAL, "libsodium does not work on this machine") : CHARLE_OK;
}

// The key that wraps, from what the user gave and the head of the file.
static enum charle_err derive(const char *file, const struct key_file *content, const struct charle_client_key *key,
                              uint8_t out[CH_CIPHER_KEY_SIZE], struct charle_error *err)
{
    bool is_passphrase = get_number(content->bytes + 8, 4) == KIND_PASSPHRASE;
    const uint8_t *salt = content->bytes + 32;
    if (is_passphrase != (key->passphrase != NULL))
        return charle_fail(err, CHARLE_PERMISSION_DENIED, "%s is opened by a %s, not by a %s", file,
                           is_passphrase ? "passphrase" : "key", is_passphrase ? "key" : "passphrase");
    if (!is_passphrase) {
        crypto_generichash(out, CH_CIPHER_KEY_SIZE, salt, 16, key->bytes, CH_CIPHER_KEY_SIZE);
        return CHARLE_OK;
    }
    if (crypto_pwhash(out, CH_CIPHER_KEY_SIZE, key->passphrase, strlen(key->passphrase), salt, get_number(content->bytes + 16, 8),
                      (size_t)get_number(content->bytes + 24, 8), crypto_pwhash_ALG_ARGON2ID13) != 0)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory to work out the key of %s: it takes %llu MiB", file,
                           (unsigned long long)get_number(content->bytes + 24, 8) >> 20);
    return CHARLE_OK;
}

static void wrap(struct key_file *content, size_t index, const uint8_t wrapping[CH_CIPHER_KEY_SIZE],
                 const uint8_t data_key[CH_CIPHER_KEY_SIZE])
{
    uint8_t bound[HEAD_SIZE + CH_CIPHER_NAME_SIZE], mark[CH_CIPHER_MARK_SIZE], *slot = slot_of(content, index);
    ch_cipher_mark(data_key, mark);
    memcpy(slot, mark + 8, CH_CIPHER_NAME_SIZE);
    randombytes_buf(slot + 8, 24);
    bind_slot(content, slot, bound);
    crypto_aead_xchacha20poly1305_ietf_encrypt(slot + 32, NULL, data_key, CH_CIPHER_KEY_SIZE, bound, sizeof(bound), NULL, slot + 8,
                                               wrapping);
}

static enum charle_err unwrap(const char *file, struct key_file *content, size_t index, const uint8_t wrapping[CH_CIPHER_KEY_SIZE],
                              uint8_t out[CH_CIPHER_KEY_SIZE], struct charle_error *err)
{
    uint8_t bound[HEAD_SIZE + CH_CIPHER_NAME_SIZE], *slot = slot_of(content, index);
    bind_slot(content, slot, bound);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, slot + 32, CH_CIPHER_KEY_SIZE + 16, bound, sizeof(bound), slot + 8,
                                                   wrapping) == 0)
        return CHARLE_OK;
    return charle_fail(err, CHARLE_PERMISSION_DENIED, "this is not the %s of %s",
                       get_number(content->bytes + 8, 4) == KIND_PASSPHRASE ? "passphrase" : "key", file);
}

enum charle_err ch_key_open_damaged(const char *file, const char *path, const struct charle_client_key *key, struct ch_cipher **out,
                                    struct charle_error *err)
{
    struct ch_file_look look;
    uint8_t data_key[CH_CIPHER_KEY_SIZE];
    enum charle_err rc = ch_file_look(path, NULL, &look, err);
    if (rc || look.kind == CH_FILE_PLAIN || (!key && !ch_key_exists(file)))
        return rc;
    if (!key)
        return charle_fail(err, CHARLE_PERMISSION_DENIED, "%s is encrypted: give its passphrase or key", file);
    // The mark itself may be what is damaged: the key file then has one data key as a rule, and the first is the right one.
    rc = ch_key_open(file, key, look.kind == CH_FILE_ENCRYPTED ? look.mark : NULL, data_key, err);
    if (rc == CHARLE_DATA_LOSS && look.kind == CH_FILE_ENCRYPTED)
        rc = ch_key_open(file, key, NULL, data_key, err);
    if (!rc)
        rc = ch_cipher_open(data_key, NULL, CH_REPLICA_PAGE_SIZE, out, err);
    if (!rc)
        ch_cipher_forgive(*out);
    explicit_bzero(data_key, sizeof(data_key));
    return rc;
}

enum charle_err ch_key_write(const char *file, const struct charle_client_key *key, uint8_t (*data_keys)[CH_CIPHER_KEY_SIZE],
                             size_t count, struct charle_error *err)
{
    struct key_file content = {0};
    uint8_t wrapping[CH_CIPHER_KEY_SIZE];
    enum charle_err rc = check_key(key, true, err);
    if (rc)
        return rc;
    memcpy(content.bytes, magic, 8);
    put_number(content.bytes + 8, key->passphrase ? KIND_PASSPHRASE : KIND_SUPPLIED, 4);
    put_number(content.bytes + 12, count, 4);
    put_number(content.bytes + 16, key->passphrase ? CH_KEY_PASSES : 0, 8);
    put_number(content.bytes + 24, key->passphrase ? CH_KEY_MEMORY : 0, 8);
    randombytes_buf(content.bytes + 32, 16);
    rc = derive(file, &content, key, wrapping, err);
    for (size_t i = 0; !rc && i < count; i++)
        wrap(&content, i, wrapping, data_keys[i]);
    crypto_generichash(content.bytes + SUM_AT, SUM_SIZE, content.bytes, SUM_AT, NULL, 0);
    if (!rc)
        rc = write_key_file(file, &content, err);
    sodium_memzero(wrapping, sizeof(wrapping));
    return rc;
}

enum charle_err ch_key_make(const char *file, const struct charle_client_key *key, uint8_t out_data_key[CH_CIPHER_KEY_SIZE],
                            struct charle_error *err)
{
    uint8_t data_keys[1][CH_CIPHER_KEY_SIZE];
    enum charle_err rc = check_key(key, true, err);
    if (rc)
        return rc;
    randombytes_buf(data_keys[0], CH_CIPHER_KEY_SIZE);
    rc = ch_key_write(file, key, data_keys, 1, err);
    if (!rc)
        memcpy(out_data_key, data_keys[0], CH_CIPHER_KEY_SIZE);
    sodium_memzero(data_keys, sizeof(data_keys));
    return rc;
}

enum charle_err ch_key_open(const char *file, const struct charle_client_key *key, const uint8_t *mark,
                            uint8_t out_data_key[CH_CIPHER_KEY_SIZE], struct charle_error *err)
{
    struct key_file content;
    uint8_t wrapping[CH_CIPHER_KEY_SIZE];
    size_t index = 0;
    enum charle_err rc = check_key(key, false, err);
    if (!rc)
        rc = read_key_file(file, &content, err);
    if (rc)
        return rc;
    while (mark && index < slot_count(&content) && memcmp(slot_of(&content, index), mark + 8, CH_CIPHER_NAME_SIZE) != 0)
        index++;
    if (index == slot_count(&content))
        return charle_fail(err, CHARLE_DATA_LOSS, "%s.key belongs to another replica than %s; put the right one back from a copy", file, file);
    rc = derive(file, &content, key, wrapping, err);
    if (!rc)
        rc = unwrap(file, &content, index, wrapping, out_data_key, err);
    sodium_memzero(wrapping, sizeof(wrapping));
    return rc;
}

enum charle_err ch_key_rewrap(const char *file, const struct charle_client_key *old_key, const struct charle_client_key *new_key,
                              struct charle_error *err)
{
    struct key_file content;
    uint8_t wrapping[CH_CIPHER_KEY_SIZE], data_keys[SLOTS_MAX][CH_CIPHER_KEY_SIZE];
    enum charle_err rc = check_key(old_key, false, err);
    if (!rc)
        rc = check_key(new_key, true, err);
    if (!rc)
        rc = read_key_file(file, &content, err);
    if (!rc)
        rc = derive(file, &content, old_key, wrapping, err);
    for (size_t i = 0; !rc && i < slot_count(&content); i++)
        rc = unwrap(file, &content, i, wrapping, data_keys[i], err);
    if (!rc)
        rc = ch_key_write(file, new_key, data_keys, slot_count(&content), err);
    sodium_memzero(wrapping, sizeof(wrapping));
    sodium_memzero(data_keys, sizeof(data_keys));
    return rc;
}

static enum charle_err destroy_at(const char *path, struct charle_error *err)
{
    uint8_t noise[FILE_SIZE];
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? CHARLE_OK : ch_file_fail(path, "the key file cannot be overwritten", errno, err);
    randombytes_buf(noise, sizeof(noise));
    enum charle_err rc = write_all(fd, noise, sizeof(noise), path, err);
    close(fd);
    if (unlink(path) != 0 && !rc)
        rc = ch_file_fail(path, "the key file cannot be removed", errno, err);
    return rc;
}

enum charle_err ch_key_destroy(const char *file, struct charle_error *err)
{
    char path[PATH_MAX], next[PATH_MAX];
    enum charle_err rc = path_of_key(file, ".key", path, err);
    if (!rc)
        rc = path_of_key(file, ".key.new", next, err);
    if (rc)
        return rc;
    rc = destroy_at(path, err);
    enum charle_err next_rc = destroy_at(next, rc ? NULL : err);
    return rc ? rc : next_rc;
}
