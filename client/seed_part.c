#include "client/seed_part.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_SIZE = 64 << 10 }; // SQLite's own file system writes less than 128 KiB at once, and takes more for a full disk

void ch_seed_part_path(const struct ch_replica *replica, struct charle_buf *out)
{
    charle_buf_add_text(out, replica->file);
    charle_buf_add_text(out, ".seed");
}

static enum charle_err fail(int code, const char *doing, struct charle_error *err)
{
    if (code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a seed file");
    return charle_fail_foreign(err, code == SQLITE_FULL ? CHARLE_DISK_FULL : CHARLE_IO, CHARLE_DOMAIN_SQLITE, code, "%s the seed file: %s", doing,
                               sqlite3_errstr(code));
}

static sqlite3_vfs *vfs_of(const struct ch_replica *replica)
{
    return sqlite3_vfs_find(replica->vfs);
}

void ch_seed_part_delete(const struct ch_replica *replica)
{
    static const char *const tails[] = {"", "-wal", "-shm"};
    sqlite3_vfs *vfs = vfs_of(replica);
    for (size_t i = 0; vfs && i < sizeof(tails) / sizeof(tails[0]); i++) {
        struct charle_buf path = {0};
        ch_seed_part_path(replica, &path);
        charle_buf_add_text(&path, tails[i]);
        const char *text = charle_buf_text(&path);
        if (text)
            vfs->xDelete(vfs, text, 0);
        charle_buf_deinit(&path);
    }
}

// With a mode that nobody else can read; SQLite would use the umask. A simulation's files are its own.
static void make_private(const struct ch_replica *replica, const char *path)
{
    int fd = replica->env->vfs ? -1 : open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

enum charle_err ch_seed_part_open(struct ch_seed_part *part, const struct ch_replica *replica, struct charle_error *err)
{
    struct charle_buf path = {0};
    sqlite3_vfs *vfs = vfs_of(replica);
    *part = (struct ch_seed_part){0};
    ch_seed_part_path(replica, &path);
    const char *text = charle_buf_text(&path);
    part->name = text ? sqlite3_create_filename(text, "", "", 0, NULL) : NULL;
    part->range = ch_alloc(CH_SEED_RANGE_SIZE);
    part->piece = replica->cipher ? CH_REPLICA_PAGE_SIZE : PIECE_SIZE;
    sqlite3_file *file = vfs ? ch_alloc_zeroed(1, (size_t)vfs->szOsFile) : NULL;
    int code = part->name && part->range && file ? SQLITE_OK : SQLITE_NOMEM, flags = 0;
    if (!code) {
        make_private(replica, text);
        code = vfs->xOpen(vfs, part->name, file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB, &flags);
    }
    if (code)
        ch_free(file);
    else
        part->file = file;
    charle_buf_deinit(&path);
    if (!code)
        return CHARLE_OK;
    ch_seed_part_close(part);
    return fail(code, "making", err);
}

void ch_seed_part_close(struct ch_seed_part *part)
{
    if (part->file && part->file->pMethods)
        part->file->pMethods->xClose(part->file);
    ch_free(part->file);
    if (part->name)
        sqlite3_free_filename((char *)(uintptr_t)part->name);
    ch_free(part->range);
    *part = (struct ch_seed_part){0};
}

enum charle_err ch_seed_part_write(struct ch_seed_part *part, uint32_t range, struct charle_bytes bytes, struct charle_error *err)
{
    int code = SQLITE_OK;
    sqlite3_int64 start = (sqlite3_int64)range * CH_SEED_RANGE_SIZE;
    for (size_t at = 0; !code && at < bytes.len; at += part->piece) {
        size_t left = bytes.len - at;
        code = part->file->pMethods->xWrite(part->file, bytes.ptr + at, (int)(left < part->piece ? left : part->piece), start + (sqlite3_int64)at);
    }
    return code ? fail(code, "writing", err) : CHARLE_OK;
}

static bool is_good(struct ch_seed_part *part, uint32_t range, size_t size, struct charle_bytes hashes)
{
    sqlite3_int64 start = (sqlite3_int64)range * CH_SEED_RANGE_SIZE;
    for (size_t at = 0; at < size; at += CH_REPLICA_PAGE_SIZE) {
        if (part->file->pMethods->xRead(part->file, part->range + at, CH_REPLICA_PAGE_SIZE, start + (sqlite3_int64)at))
            return false;
    }
    ch_seed_clear_reserve(part->range, size);
    return ch_seed_range_is_good(hashes, range, charle_bytes(part->range, size));
}

uint32_t ch_seed_part_first_bad(struct ch_seed_part *part, int64_t size, struct charle_bytes hashes)
{
    uint32_t count = ch_seed_range_count(size), range = 0;
    while (range < count && is_good(part, range, ch_seed_range_size(size, range), hashes))
        range++;
    return range;
}

enum charle_err ch_seed_part_finish(struct ch_seed_part *part, int64_t size, struct charle_error *err)
{
    int code = part->file->pMethods->xTruncate(part->file, size);
    if (!code)
        code = part->file->pMethods->xSync(part->file, SQLITE_SYNC_NORMAL);
    return code ? fail(code, "writing", err) : CHARLE_OK;
}
