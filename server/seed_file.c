#include "server/seed_file.h"

#include "base/alloc.h"
#include "msg/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4200, INFO_SIZE_MAX = CH_SEED_RANGES_MAX * CH_SEED_HASH_SIZE + 4096 };

static enum charle_err fail_io(const char *path, const char *doing, struct charle_error *err)
{
    int code = errno;
    return charle_fail_foreign(err, code == ENOSPC ? CHARLE_DISK_FULL : CHARLE_IO, CHARLE_DOMAIN_POSIX, code, "%s: %s: %s", path, doing,
                               strerror(code));
}

// By content and scope: two scopes may have the same rows.
static void name_path(const char *folder, const struct ch_seed_file *file, const char *tail, char out[PATH_SIZE])
{
    enum { NAME_SIZE = 20 };
    uint8_t name[CH_SEED_HASH_SIZE];
    char hex[2 * NAME_SIZE + 1];
    crypto_generichash(name, sizeof(name), (const uint8_t *)file->scope, strlen(file->scope), file->hash, sizeof(file->hash));
    for (int i = 0; i < NAME_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", name[i]);
    snprintf(out, PATH_SIZE, "%s/%s%s", folder, hex, tail);
}

void ch_seed_file_free(struct ch_seed_file *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    ch_free(file->hashes);
    ch_free(file);
}

void ch_seed_file_delete(const char *folder, const struct ch_seed_file *file)
{
    char path[PATH_SIZE];
    name_path(folder, file, ".info", path);
    unlink(path);
    name_path(folder, file, ".seed", path);
    unlink(path);
}

// --- reading --------------------------------------------------------------------------------------------------------------

static enum charle_err read_all(int fd, uint8_t *out, size_t size, int64_t at, struct charle_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, out + done, size - done, (off_t)(at + (int64_t)done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? fail_io("a seed file", "reading", err) : charle_fail(err, CHARLE_DATA_LOSS, "a seed file has been cut off");
        done += (size_t)n;
    }
    return CHARLE_OK;
}

enum charle_err ch_seed_file_read(const struct ch_seed_file *file, uint32_t range, uint8_t *out, size_t *out_size, struct charle_error *err)
{
    *out_size = ch_seed_range_size(file->size, range);
    enum charle_err rc = read_all(file->fd, out, *out_size, (int64_t)range * CH_SEED_RANGE_SIZE, err);
    if (rc == CHARLE_OK)
        ch_seed_clear_reserve(out, *out_size);
    return rc;
}

enum charle_err ch_seed_file_describe(const struct ch_seed_file *file, struct charle_arena *arena, struct charle_seed_reply *out,
                                      struct charle_error *err)
{
    struct charle_cursor *head = CHARLE_ARENA_NEW(arena, struct charle_cursor);
    *out = (struct charle_seed_reply){
        .scope = {charle_arena_str(arena, charle_str(file->scope)), true},
        .hash = {charle_arena_bytes(arena, charle_bytes(file->hash, sizeof(file->hash))), true},
        .size = {file->size, true},
        .rows = {file->rows, true},
        .head = head,
        .range_size = {CH_SEED_RANGE_SIZE, true},
        .hashes = {charle_arena_bytes(arena, charle_bytes(file->hashes, file->hashes_size)), true},
    };
    if (!head || !out->scope.value.ptr || !out->hash.value.ptr || !out->hashes.value.ptr)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory to describe a seed file");
    *head = (struct charle_cursor){.scope = out->scope.value, .stamp = file->stamp, .lineage = file->lineage};
    return CHARLE_OK;
}

// --- opening --------------------------------------------------------------------------------------------------------------

static enum charle_err open_data(const char *path, struct ch_seed_file *file, struct charle_error *err)
{
    struct stat about;
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &about) != 0)
        return fail_io(path, "opening", err);
    file->size = about.st_size;
    file->made_s = about.st_mtime;
    return ch_seed_range_count(file->size) ? CHARLE_OK
                                           : charle_fail(err, CHARLE_DATA_LOSS, "%s is no seed file: it has %lld bytes", path, (long long)file->size);
}

static enum charle_err take_info(const struct charle_seed_reply *info, struct ch_seed_file *file, struct charle_error *err)
{
    if (!info->head || !info->scope.has || info->scope.value.len > CH_SCOPE_LEN_MAX || !info->size.has || info->size.value != file->size ||
        !info->rows.has || !info->hashes.has || !info->hash.has || !ch_seed_list_is_whole(file->size, info->hashes.value, info->hash.value))
        return charle_fail(err, CHARLE_DATA_LOSS, "what is known of a seed file does not fit it");
    file->hashes_size = info->hashes.value.len;
    file->hashes = ch_alloc(file->hashes_size);
    if (!file->hashes)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the hashes of a seed file");
    memcpy(file->hashes, info->hashes.value.ptr, file->hashes_size);
    memcpy(file->hash, info->hash.value.ptr, sizeof(file->hash));
    memcpy(file->scope, info->scope.value.ptr, info->scope.value.len);
    file->rows = info->rows.value;
    file->stamp = info->head->stamp;
    file->lineage = info->head->lineage;
    return CHARLE_OK;
}

static enum charle_err read_info(const char *path, struct ch_seed_file *file, struct charle_error *err)
{
    struct stat about;
    struct charle_arena arena = {0};
    struct charle_seed_reply info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0 || about.st_size > INFO_SIZE_MAX) {
        enum charle_err rc = fail_io(path, "opening", err);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    size_t size = (size_t)about.st_size;
    uint8_t *bytes = charle_arena_alloc(&arena, size + 1);
    enum charle_err rc = bytes ? read_all(fd, bytes, size, 0, err) : charle_fail(err, CHARLE_NO_MEMORY, "no memory to read %s", path);
    close(fd);
    if (rc == CHARLE_OK)
        rc = charle_message_read(&charle_seed_reply_message, charle_bytes(bytes, size), &arena, &info, err);
    if (rc == CHARLE_OK)
        rc = take_info(&info, file, err);
    charle_arena_deinit(&arena);
    return rc;
}

enum charle_err ch_seed_file_open(const char *folder, const char *name, struct ch_seed_file **out, struct charle_error *err)
{
    char path[PATH_SIZE];
    struct ch_seed_file *file = ch_alloc_zeroed(1, sizeof(*file));
    if (!file)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a seed file");
    file->fd = -1;
    file->users = 1;
    int stem = (int)strlen(name) - (int)strlen(".info");
    snprintf(path, sizeof(path), "%s/%.*s.seed", folder, stem, name);
    enum charle_err rc = open_data(path, file, err);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (rc == CHARLE_OK)
        rc = read_info(path, file, err);
    if (rc) {
        ch_seed_file_free(file);
        return rc;
    }
    *out = file;
    return CHARLE_OK;
}

// --- keeping --------------------------------------------------------------------------------------------------------------

static enum charle_err hash_ranges(struct ch_seed_file *file, struct charle_error *err)
{
    uint32_t count = ch_seed_range_count(file->size);
    uint8_t *range = ch_alloc(CH_SEED_RANGE_SIZE);
    file->hashes_size = (size_t)count * CH_SEED_HASH_SIZE;
    file->hashes = ch_alloc(file->hashes_size);
    enum charle_err rc = range && file->hashes ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for the hashes of a seed file");
    for (uint32_t i = 0; rc == CHARLE_OK && i < count; i++) {
        size_t size;
        rc = ch_seed_file_read(file, i, range, &size, err);
        if (rc == CHARLE_OK)
            ch_seed_hash(charle_bytes(range, size), file->hashes + (size_t)i * CH_SEED_HASH_SIZE);
    }
    if (rc == CHARLE_OK)
        ch_seed_hash(charle_bytes(file->hashes, file->hashes_size), file->hash);
    ch_free(range);
    return rc;
}

static enum charle_err write_info(const char *folder, const struct ch_seed_file *file, struct charle_error *err)
{
    char path[PATH_SIZE], made[PATH_SIZE];
    struct charle_arena arena = {0};
    struct charle_buf bytes = {0};
    struct charle_seed_reply info;
    snprintf(made, sizeof(made), "%s/info.tmp", folder);
    name_path(folder, file, ".info", path);
    enum charle_err rc = ch_seed_file_describe(file, &arena, &info, err);
    if (rc == CHARLE_OK) {
        charle_message_write(&charle_seed_reply_message, &info, &bytes);
        rc = bytes.failed ? charle_fail(err, bytes.failed, "no memory to describe a seed file") : CHARLE_OK;
    }
    int fd = rc ? -1 : open(made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (rc == CHARLE_OK && (fd < 0 || write(fd, bytes.data, bytes.size) != (ssize_t)bytes.size || fsync(fd) != 0 || rename(made, path) != 0))
        rc = fail_io(made, "writing", err);
    if (fd >= 0)
        close(fd);
    charle_buf_deinit(&bytes);
    charle_arena_deinit(&arena);
    return rc;
}

enum charle_err ch_seed_file_keep(const char *folder, const char *path, struct charle_str scope, const struct charle_cursor *head, int64_t rows,
                                  struct ch_seed_file **out, struct charle_error *err)
{
    char name[PATH_SIZE];
    struct ch_seed_file *file = ch_alloc_zeroed(1, sizeof(*file));
    if (!file)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a seed file");
    CHARLE_ASSERT(scope.len <= CH_SCOPE_LEN_MAX);
    *file = (struct ch_seed_file){.fd = -1, .users = 1, .rows = rows, .stamp = head->stamp, .lineage = head->lineage};
    memcpy(file->scope, scope.ptr, scope.len);
    enum charle_err rc = open_data(path, file, err);
    if (rc == CHARLE_OK)
        rc = hash_ranges(file, err);
    if (rc == CHARLE_OK && fsync(file->fd) != 0)
        rc = fail_io(path, "writing", err);
    if (rc == CHARLE_OK) {
        name_path(folder, file, ".seed", name);
        rc = rename(path, name) == 0 ? CHARLE_OK : fail_io(path, "naming", err);
    }
    if (rc == CHARLE_OK) // only now: a file without it is deleted at the next start
        rc = write_info(folder, file, err);
    if (rc) {
        ch_seed_file_free(file);
        return rc;
    }
    *out = file;
    return CHARLE_OK;
}
