// A replica in one file, to take elsewhere: charle_client_export writes it, charle_replica_import makes a replica of it.
//
//   0    8  "CHARLEX2"
//   8    8  size of the key file, 0 when the replica is not encrypted; numbers are little-endian
//   16   8  size of the database
//   24   8  size of the store of files, 0 when there is none ("CHARLEX1" ends before this and has none)
//   32   …  the key file as it is (client/key.h)
//   …    …  the database as it is: one SQLite file without a log, sealed page by page when it is encrypted
//   …    …  the store of files (client/files.h), likewise
//   end  32 BLAKE2b of all before
//
// What is exported is one moment: the pages as one read transaction sees them, unsent calls included. The store of files is copied after it, so
// that it has what those calls mention. The file is written beside its name and
// renamed when it is complete and durable. Importing checks sizes and hash before anything is made.
//
// Two replicas with one identity would send calls under the same numbers, so an imported one says that it is a copy (meta "is_copy"). At its first
// contact it sends its calls one by one under the old name; those that the original has sent meanwhile, or will send later, are
// told apart by number and hash and run once. Then it goes on as a new device (open.c, probe_calls).
#include "client/edge.h"

#include "client/key.h"
#include "db/sqlite/cipher.h"
#include "db/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PARTS_MAX = 3, NAME_SIZE = 8, HASH_SIZE = 32, BLOCK_SIZE = 65536 };
static const char magic[NAME_SIZE - 1] = {'C', 'H', 'A', 'R', 'L', 'E', 'X'}; // and the number of parts less one

// Key file, database, store of files.
struct parts {
    uint64_t sizes[PARTS_MAX];
    size_t count;
};

static size_t header_size(const struct parts *parts)
{
    return NAME_SIZE + parts->count * sizeof(uint64_t);
}

static void put_u64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_u64(const uint8_t *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)in[i] << (8 * i);
    return value;
}

// --- files ----------------------------------------------------------------------------------------------------------------

struct copying {
    int in, out;
    const char *in_path, *out_path;
    crypto_generichash_state hash;
};

static enum charle_err write_all(struct copying *c, const uint8_t *bytes, size_t size, struct charle_error *err)
{
    crypto_generichash_update(&c->hash, bytes, size);
    for (size_t at = 0; c->out >= 0 && at < size;) {
        ssize_t done = write(c->out, bytes + at, size - at);
        if (done < 0 && errno != EINTR)
            return ch_file_fail(c->out_path, "cannot be written", errno, err);
        at += done > 0 ? (size_t)done : 0;
    }
    return CHARLE_OK;
}

// Copies `size` bytes on; without an output they are only hashed.
static enum charle_err copy_bytes(struct copying *c, uint64_t size, struct charle_error *err)
{
    uint8_t block[BLOCK_SIZE];
    enum charle_err rc = CHARLE_OK;
    while (!rc && size) {
        ssize_t got = read(c->in, block, size < sizeof(block) ? (size_t)size : sizeof(block));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got ? ch_file_fail(c->in_path, "cannot be read", errno, err)
                       : charle_fail(err, CHARLE_DATA_LOSS, "%s ends too early", c->in_path);
        rc = write_all(c, block, (size_t)got, err);
        size -= (uint64_t)got;
    }
    return rc;
}

static enum charle_err open_file(const char *path, int flags, int *out, struct charle_error *err)
{
    *out = open(path, flags | O_CLOEXEC, 0600);
    return *out < 0 ? ch_file_fail(path, "cannot be opened", errno, err) : CHARLE_OK;
}

static enum charle_err size_of(const char *path, uint64_t *out, struct charle_error *err)
{
    struct stat info;
    if (stat(path, &info))
        return ch_file_fail(path, "cannot be read", errno, err);
    *out = (uint64_t)info.st_size;
    return CHARLE_OK;
}

static void close_file(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

// Gives a complete file its name, durably.
static enum charle_err give_name(int fd, const char *from, const char *to, struct charle_error *err)
{
    if (fsync(fd))
        return ch_file_fail(from, "cannot be made durable", errno, err);
    if (rename(from, to))
        return ch_file_fail(to, "cannot be made", errno, err);
    return ch_folder_sync(to, err);
}

// --- out ------------------------------------------------------------------------------------------------------------------

// The pages as one read transaction sees them, into a file of their own.
static enum charle_err copy_pages(struct charle_db *from, const char *vfs, const char *file, struct charle_error *err)
{
    sqlite3 *to = NULL;
    int made = -1;
    unlink(file); // of an export that was cut off
    enum charle_err rc = open_file(file, O_RDWR | O_CREAT | O_EXCL, &made, err); // nobody else reads it, whatever the umask says
    close_file(&made);
    if (rc)
        return rc;
    int code = sqlite3_open_v2(file, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);
    if (!code)
        code = ch_cipher_prepare(to);
    if (!code)
        code = sqlite3_exec(to, "pragma journal_mode = off; pragma synchronous = off", NULL, NULL, NULL);
    sqlite3_backup *backup = code ? NULL : sqlite3_backup_init(to, "main", ch_sqlite_handle(from), "main");
    if (!code && !backup)
        code = sqlite3_errcode(to);
    if (backup) {
        do
            code = sqlite3_backup_step(backup, -1);
        while (code == SQLITE_BUSY || code == SQLITE_LOCKED);
        code = sqlite3_backup_finish(backup);
    }
    if (code)
        rc = ch_sqlite_fail(to, code, "copying the replica", err);
    sqlite3_close(to);
    return rc;
}

// Puts what there is into files of their own: `out` has their paths, NULL for a part that there is not.
static enum charle_err take_snapshots(struct ch_replica *replica, const char *pages, const char *store, const char **out, struct charle_error *err)
{
    struct charle_db *from = NULL;
    const char *vfs = NULL;
    enum charle_err rc = ch_replica_open_reader(replica, &from, err);
    if (!rc)
        rc = copy_pages(from, replica->vfs, pages, err);
    charle_db_close(from);
    from = NULL;
    if (rc)
        return rc;
    out[1] = pages;
    rc = ch_files_open_reader(replica->files, &from, &vfs, err);
    if (rc == CHARLE_NOT_FOUND)
        return CHARLE_OK;
    if (!rc)
        rc = copy_pages(from, vfs, store, err);
    charle_db_close(from);
    out[2] = store;
    return rc;
}

static enum charle_err write_part(struct copying *c, const char *path, uint64_t size, struct charle_error *err)
{
    enum charle_err rc = open_file(path, O_RDONLY, &c->in, err);
    c->in_path = path;
    if (!rc)
        rc = copy_bytes(c, size, err);
    close_file(&c->in);
    return rc;
}

static enum charle_err write_export(struct copying *c, const char *const paths[PARTS_MAX], struct charle_error *err)
{
    uint8_t header[NAME_SIZE + PARTS_MAX * sizeof(uint64_t)] = {0}, hash[HASH_SIZE];
    struct parts parts = {.count = PARTS_MAX};
    enum charle_err rc = CHARLE_OK;
    memcpy(header, magic, sizeof(magic));
    header[sizeof(magic)] = '2';
    for (size_t i = 0; !rc && i < PARTS_MAX; i++) {
        if (paths[i])
            rc = size_of(paths[i], &parts.sizes[i], err);
        put_u64(header + NAME_SIZE + i * sizeof(uint64_t), parts.sizes[i]);
    }
    crypto_generichash_init(&c->hash, NULL, 0, HASH_SIZE);
    if (!rc)
        rc = write_all(c, header, sizeof(header), err);
    for (size_t i = 0; !rc && i < PARTS_MAX; i++)
        rc = paths[i] ? write_part(c, paths[i], parts.sizes[i], err) : CHARLE_OK;
    crypto_generichash_final(&c->hash, hash, sizeof(hash));
    return rc ? rc : write_all(c, hash, sizeof(hash), err);
}

int charle_client_export(struct charle_client *client, const char *file, struct charle_error *err)
{
    char part[PATH_MAX], pages[PATH_MAX], store[PATH_MAX], key[PATH_MAX];
    const char *paths[PARTS_MAX] = {client->replica.cipher ? key : NULL, NULL, NULL};
    struct copying c = {.in = -1, .out = -1, .out_path = part};
    if (!file || !*file || !ch_path_beside(file, ".part", part, sizeof(part)) || !ch_path_beside(file, ".pages", pages, sizeof(pages)) ||
        !ch_path_beside(file, ".store", store, sizeof(store)) || !ch_path_beside(client->file, ".key", key, sizeof(key)))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the path of an export is needed, of at most %d characters", PATH_MAX - 10);
    if (access(file, F_OK) == 0)
        return charle_fail(err, CHARLE_ALREADY_EXISTS, "%s exists; choose another name, or remove it first", file);
    if (sodium_init() < 0)
        return charle_fail(err, CHARLE_INTERNAL, "libsodium does not work on this machine");
    enum charle_err rc = take_snapshots(&client->replica, pages, store, paths, err);
    if (!rc)
        rc = open_file(part, O_WRONLY | O_CREAT | O_TRUNC, &c.out, err);
    if (!rc)
        rc = write_export(&c, paths, err);
    if (!rc)
        rc = give_name(c.out, part, file, err);
    close_file(&c.out);
    unlink(pages);
    unlink(store);
    unlink(part);
    return rc;
}

// --- in -------------------------------------------------------------------------------------------------------------------

static enum charle_err read_header(struct copying *c, struct parts *out, struct charle_error *err)
{
    uint8_t header[NAME_SIZE + PARTS_MAX * sizeof(uint64_t)];
    uint64_t size = 0, left;
    *out = (struct parts){0};
    enum charle_err rc = size_of(c->in_path, &size, err);
    if (rc)
        return rc;
    if (read(c->in, header, NAME_SIZE) == NAME_SIZE && memcmp(header, magic, sizeof(magic)) == 0)
        out->count = header[NAME_SIZE - 1] == '1' ? 2 : header[NAME_SIZE - 1] == '2' ? 3 : 0;
    if (!out->count)
        return charle_fail(err, CHARLE_DATA_LOSS, "%s is no export of a replica, or one of a newer program", c->in_path);
    ssize_t rest = (ssize_t)header_size(out) - NAME_SIZE;
    bool is_whole = read(c->in, header + NAME_SIZE, (size_t)rest) == rest && size >= header_size(out) + HASH_SIZE;
    left = is_whole ? size - header_size(out) - HASH_SIZE : 0;
    for (size_t i = 0; is_whole && i < out->count; i++) {
        out->sizes[i] = get_u64(header + NAME_SIZE + i * sizeof(uint64_t));
        is_whole = out->sizes[i] <= left;
        left -= is_whole ? out->sizes[i] : 0;
    }
    crypto_generichash_init(&c->hash, NULL, 0, HASH_SIZE);
    crypto_generichash_update(&c->hash, header, header_size(out));
    if (!is_whole || left)
        return charle_fail(err, CHARLE_DATA_LOSS, "%s is not complete: it has %llu bytes", c->in_path, (unsigned long long)size);
    return CHARLE_OK;
}

// Reads it all once, before anything is made of it.
static enum charle_err check_hash(struct copying *c, struct charle_error *err)
{
    uint8_t hash[HASH_SIZE], told[HASH_SIZE];
    struct parts parts;
    enum charle_err rc = read_header(c, &parts, err);
    if (!rc)
        rc = copy_bytes(c, parts.sizes[0] + parts.sizes[1] + parts.sizes[2], err);
    if (rc)
        return rc;
    crypto_generichash_final(&c->hash, hash, sizeof(hash));
    if (read(c->in, told, sizeof(told)) != (ssize_t)sizeof(told) || memcmp(hash, told, sizeof(hash)) != 0)
        return charle_fail(err, CHARLE_DATA_LOSS, "%s is damaged: its hash is another one; export it again", c->in_path);
    return lseek(c->in, 0, SEEK_SET) ? ch_file_fail(c->in_path, "cannot be read", errno, err) : CHARLE_OK;
}

static enum charle_err take_file(struct copying *c, const char *path, uint64_t size, struct charle_error *err)
{
    char part[PATH_MAX];
    if (!ch_path_beside(path, ".part", part, sizeof(part)))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the path of the replica is too long");
    c->out_path = part;
    enum charle_err rc = open_file(part, O_WRONLY | O_CREAT | O_TRUNC, &c->out, err);
    if (!rc)
        rc = copy_bytes(c, size, err);
    if (!rc)
        rc = give_name(c->out, part, path, err);
    close_file(&c->out);
    if (rc)
        unlink(part);
    return rc;
}

// Opens what was unpacked and says in it that it is a copy.
static enum charle_err mark_copy(const struct charle_client_options *options, struct charle_error *err)
{
    struct charle_client_options offline = *options;
    struct charle_client *client = NULL;
    offline.url = NULL;
    int rc = charle_client_open(&offline, &client, err);
    if (rc)
        return (enum charle_err)rc;
    struct ch_replica *replica = &client->replica;
    rc = (int)ch_replica_begin(replica, CH_DURABLE, err);
    if (!rc) {
        enum charle_err marked = ch_meta_set_number(&replica->sql, "is_copy", 1, err);
        if (!marked && options->device_name)
            marked = ch_meta_set_text(&replica->sql, "device_name", charle_str(options->device_name), err);
        rc = (int)ch_replica_end(replica, marked, err);
    }
    charle_client_close(client);
    return (enum charle_err)rc;
}

static void remove_beside(const char *file)
{
    static const char *const suffixes[] = {"", ".key", ".files", "-wal", "-shm", ".files-wal", ".files-shm", ".lock", ".sync", ".open"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (ch_path_beside(file, suffixes[i], path, sizeof(path)))
            unlink(path);
    }
}

static enum charle_err take_parts(struct copying *c, const struct charle_client_options *options, struct charle_error *err)
{
    static const char *const suffixes[PARTS_MAX] = {".key", "", ".files"};
    char path[PATH_MAX];
    struct parts parts;
    enum charle_err rc = read_header(c, &parts, err);
    for (size_t i = 0; !rc && i < PARTS_MAX; i++) {
        if (!ch_path_beside(options->file, suffixes[i], path, sizeof(path)))
            rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "the path of the replica is too long");
        else if (parts.sizes[i])
            rc = take_file(c, path, parts.sizes[i], err);
    }
    return rc;
}

static enum charle_err check_export(struct copying *c, const struct charle_client_options *options, struct charle_error *err)
{
    struct parts parts;
    enum charle_err rc = check_hash(c, err);
    if (!rc)
        rc = read_header(c, &parts, err);
    if (!rc && parts.sizes[0] && !options->key)
        rc = charle_fail(err, CHARLE_PERMISSION_DENIED, "%s is encrypted: give its passphrase or key", c->in_path);
    return rc || lseek(c->in, 0, SEEK_SET) == 0 ? rc : ch_file_fail(c->in_path, "cannot be read", errno, err);
}

int charle_replica_import(const char *export_file, const struct charle_client_options *options, struct charle_error *err)
{
    struct copying c = {.in = -1, .out = -1, .in_path = export_file};
    if (!export_file || !options || !options->file || !options->schema || options->is_read_only)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "an import needs the export, and options with the new replica's path and schema");
    if (access(options->file, F_OK) == 0)
        return charle_fail(err, CHARLE_ALREADY_EXISTS, "%s exists; import under another name", options->file);
    if (sodium_init() < 0)
        return charle_fail(err, CHARLE_INTERNAL, "libsodium does not work on this machine");
    enum charle_err rc = open_file(export_file, O_RDONLY, &c.in, err);
    if (!rc)
        rc = check_export(&c, options, err);
    bool is_making = !rc; // from here on there is something to remove
    if (!rc)
        rc = ch_replica_make_folder(options->file, err);
    if (!rc)
        rc = take_parts(&c, options, err);
    close_file(&c.in);
    if (!rc)
        rc = mark_copy(options, err);
    if (rc && is_making)
        remove_beside(options->file);
    return rc;
}
