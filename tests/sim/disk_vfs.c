// The methods that SQLite calls: of a file, and of the disk as one program sees it (a VFS for each program).
//
// A dead program or disk answers everything with an error of its kind; a full disk only what would make a file longer. Locks of a rollback journal
// are kept here, those of a log in disk_index.c. Nothing waits: whoever is too late is told that it is busy.
#include "sim/disk_parts.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>

// --- a file's methods ------------------------------------------------------------------------------------------------

struct sim_handle *sim_handle_of(sqlite3_file *base)
{
    return (struct sim_handle *)base;
}

static int file_read(sqlite3_file *base, void *out, int size, sqlite3_int64 at)
{
    const struct sim_file *file = sim_handle_of(base)->file;
    if (sim_program_is_dead(sim_handle_of(base)->program))
        return SQLITE_IOERR_READ;
    size_t from = (size_t)at, wanted = (size_t)size, there = from < file->now.size ? file->now.size - from : 0;
    if (there >= wanted) {
        memcpy(out, file->now.data + from, wanted);
        return SQLITE_OK;
    }
    if (there)
        memcpy(out, file->now.data + from, there);
    memset((uint8_t *)out + there, 0, wanted - there);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 at)
{
    struct sim_file *file = sim_handle_of(base)->file;
    if (!sim_program_may_write(sim_handle_of(base)->program))
        return SQLITE_IOERR_WRITE;
    if (file->disk->is_full && (size_t)at + (size_t)size > file->now.size)
        return SQLITE_FULL;
    sim_content_put(&file->now, (size_t)at, data, (size_t)size);
    sim_pending_add(file, (size_t)at, data, (size_t)size);
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct sim_file *file = sim_handle_of(base)->file;
    if (!sim_program_may_write(sim_handle_of(base)->program))
        return SQLITE_IOERR_TRUNCATE;
    sim_content_resize(&file->now, (size_t)size);
    sim_pending_add(file, (size_t)size, NULL, 0);
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct sim_file *file = sim_handle_of(base)->file;
    (void)flags;
    if (!sim_program_may_write(sim_handle_of(base)->program))
        return SQLITE_IOERR_FSYNC;
    for (size_t i = 0; i < file->pending_count; i++)
        sim_pending_apply(&file->safe, &file->pending[i], file->pending[i].size);
    sim_pending_clear(file);
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)sim_handle_of(base)->file->now.size;
    return sim_program_is_dead(sim_handle_of(base)->program) ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
    struct sim_handle *handle = sim_handle_of(base);
    struct sim_file *file = handle->file;
    if (handle->level >= level)
        return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED) {
        if (file->exclusive)
            return SQLITE_BUSY;
        file->shared_count++;
    } else if (level == SQLITE_LOCK_RESERVED) {
        if (file->reserved && file->reserved != handle)
            return SQLITE_BUSY;
        file->reserved = handle;
    } else {
        if ((file->reserved && file->reserved != handle) || (file->exclusive && file->exclusive != handle) ||
            file->shared_count > 1)
            return SQLITE_BUSY;
        file->exclusive = handle;
    }
    handle->level = level;
    return SQLITE_OK;
}

static int file_unlock(sqlite3_file *base, int level)
{
    struct sim_handle *handle = sim_handle_of(base);
    struct sim_file *file = handle->file;
    if (level < SQLITE_LOCK_EXCLUSIVE && file->exclusive == handle)
        file->exclusive = NULL;
    if (level < SQLITE_LOCK_RESERVED && file->reserved == handle)
        file->reserved = NULL;
    if (level == SQLITE_LOCK_NONE && handle->level >= SQLITE_LOCK_SHARED)
        file->shared_count--;
    if (level < handle->level)
        handle->level = level;
    return SQLITE_OK;
}

static int file_is_reserved(sqlite3_file *base, int *out)
{
    *out = sim_handle_of(base)->file->reserved != NULL || sim_handle_of(base)->file->exclusive != NULL;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *argument)
{
    (void)base, (void)op, (void)argument;
    return SQLITE_NOTFOUND;
}

static int sector_size(sqlite3_file *base)
{
    (void)base;
    return 4096;
}

static int characteristics(sqlite3_file *base)
{
    (void)base;
    return 0;
}
static int file_close(sqlite3_file *base)
{
    struct sim_handle *handle = sim_handle_of(base);
    struct sim_file *file = handle->file;
    if (handle->has_shm)
        (void)sim_index_unmap(base, 0);
    (void)file_unlock(base, SQLITE_LOCK_NONE);
    file->handles--;
    if (!file->name[0])
        sim_file_free(file);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_is_reserved,
    .xFileControl = file_control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = sim_index_map,
    .xShmLock = sim_index_lock,
    .xShmBarrier = sim_index_barrier,
    .xShmUnmap = sim_index_unmap,
};

// --- the disk's methods ----------------------------------------------------------------------------------------------

static struct sim_program *program_of(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static struct sim_disk *disk_of(sqlite3_vfs *vfs)
{
    return program_of(vfs)->disk;
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out_flags)
{
    struct sim_disk *disk = disk_of(vfs);
    struct sim_handle *handle = sim_handle_of(base);
    *handle = (struct sim_handle){0};
    if (sim_program_is_dead(program_of(vfs)))
        return SQLITE_CANTOPEN;
    struct sim_file *file = name ? sim_disk_find(disk, name) : NULL;
    if ((!file || !file->exists) && name && !(flags & SQLITE_OPEN_CREATE))
        return SQLITE_CANTOPEN;
    if (!file)
        file = sim_disk_make(disk, name ? name : "");
    file->exists = true;
    file->handles++;
    handle->file = file;
    handle->program = program_of(vfs);
    handle->base.pMethods = &methods;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    struct sim_disk *disk = disk_of(vfs);
    struct sim_file *file = sim_disk_find(disk, name);
    (void)sync_folder;
    if (sim_program_is_dead(program_of(vfs)))
        return SQLITE_IOERR_DELETE;
    if (!file || !file->exists)
        return SQLITE_IOERR_DELETE_NOENT;
    file->exists = false;
    sim_content_resize(&file->now, 0);
    sim_content_resize(&file->safe, 0);
    sim_pending_clear(file);
    return SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    const struct sim_file *file = sim_disk_find(disk_of(vfs), name);
    (void)flags;
    *out = file && file->exists;
    return sim_program_is_dead(program_of(vfs)) ? SQLITE_IOERR_ACCESS : SQLITE_OK;
}

static int disk_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}

static int disk_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    for (int i = 0; i < size; i++)
        out[i] = (char)disk_of(vfs)->random(disk_of(vfs)->ctx);
    return size;
}

static int disk_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static int disk_time(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    *out = disk_of(vfs)->wall(disk_of(vfs)->ctx) / 1000 +
           (sqlite3_int64)210866760000000; // from the Julian day's beginning
    return SQLITE_OK;
}

static int disk_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs, (void)size, (void)out;
    return 0;
}

void sim_program_init(struct sim_program *program, struct sim_disk *disk, const char *name)
{
    *program = (struct sim_program){.disk = disk, .writes_left = -1};
    program->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(struct sim_handle),
        .mxPathname = SIM_NAME_SIZE - 16,
        .zName = name,
        .pAppData = program,
        .xOpen = disk_open,
        .xDelete = disk_delete,
        .xAccess = disk_access,
        .xFullPathname = disk_path,
        .xRandomness = disk_randomness,
        .xSleep = disk_sleep,
        .xGetLastError = disk_last_error,
        .xCurrentTimeInt64 = disk_time,
    };
    sqlite3_vfs_register(&program->vfs, 0);
}
