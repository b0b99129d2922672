#include "sweep_vfs.h"

#include <sqlite3.h>
#include <string.h>

struct sweep_file {
    sqlite3_file base;
    sqlite3_file *real; // behind this struct
};

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    enum sweep_kind kind;
    long at, count;
    bool is_sticky, has_failed;
} sweep;

void sweep_vfs_arm(enum sweep_kind kind, long n, bool is_sticky)
{
    sweep.kind = kind;
    sweep.at = n;
    sweep.count = 0;
    sweep.is_sticky = is_sticky;
    sweep.has_failed = false;
}

bool sweep_vfs_has_failed(void)
{
    return sweep.has_failed;
}

// Counts an operation that the kind is about; true when it is its turn.
static bool fails(bool is_meant)
{
    if (!is_meant || !sweep.at)
        return false;
    sweep.count++;
    bool is_it = sweep.count == sweep.at || (sweep.is_sticky && sweep.count > sweep.at);
    sweep.has_failed = sweep.has_failed || is_it;
    return is_it;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct sweep_file *)file)->real;
}

static int s_close(sqlite3_file *file)
{
    sqlite3_file *real = real_of(file);
    return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

static int s_read(sqlite3_file *file, void *out, int amount, sqlite3_int64 offset)
{
    if (!fails(sweep.kind == SWEEP_IO || sweep.kind == SWEEP_SHORT))
        return real_of(file)->pMethods->xRead(real_of(file), out, amount, offset);
    memset(out, 0, (size_t)amount);
    return sweep.kind == SWEEP_SHORT ? SQLITE_IOERR_SHORT_READ : SQLITE_IOERR_READ;
}

static int s_write(sqlite3_file *file, const void *data, int amount, sqlite3_int64 offset)
{
    if (fails(sweep.kind == SWEEP_IO || sweep.kind == SWEEP_FULL))
        return sweep.kind == SWEEP_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    return real_of(file)->pMethods->xWrite(real_of(file), data, amount, offset);
}

static int s_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return fails(sweep.kind == SWEEP_IO) ? SQLITE_IOERR_TRUNCATE : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int s_sync(sqlite3_file *file, int flags)
{
    return fails(sweep.kind == SWEEP_IO) ? SQLITE_IOERR_FSYNC : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int s_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return fails(sweep.kind == SWEEP_IO) ? SQLITE_IOERR_FSTAT : real_of(file)->pMethods->xFileSize(real_of(file), out);
}

static int s_lock(sqlite3_file *file, int level)
{
    if (fails(sweep.kind == SWEEP_IO || sweep.kind == SWEEP_BUSY))
        return sweep.kind == SWEEP_BUSY ? SQLITE_BUSY : SQLITE_IOERR_LOCK;
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int s_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int s_reserved(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int s_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int s_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int s_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int s_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    *out = NULL;
    return fails(sweep.kind == SWEEP_IO) ? SQLITE_IOERR_SHMMAP : real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, out);
}

static int s_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    if ((flags & SQLITE_SHM_LOCK) && fails(sweep.kind == SWEEP_IO || sweep.kind == SWEEP_BUSY))
        return sweep.kind == SWEEP_BUSY ? SQLITE_BUSY : SQLITE_IOERR_SHMLOCK;
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void s_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int s_shm_unmap(sqlite3_file *file, int delete_flag)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete_flag);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, .xClose = s_close, .xRead = s_read, .xWrite = s_write, .xTruncate = s_truncate, .xSync = s_sync,
    .xFileSize = s_size, .xLock = s_lock, .xUnlock = s_unlock, .xCheckReservedLock = s_reserved, .xFileControl = s_control,
    .xSectorSize = s_sector, .xDeviceCharacteristics = s_characteristics, .xShmMap = s_shm_map, .xShmLock = s_shm_lock,
    .xShmBarrier = s_shm_barrier, .xShmUnmap = s_shm_unmap,
};

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct sweep_file *f = (struct sweep_file *)file;
    (void)vfs;
    f->base.pMethods = NULL;
    f->real = (sqlite3_file *)(void *)(f + 1);
    memset(f->real, 0, (size_t)sweep.real->szOsFile);
    if (fails(sweep.kind == SWEEP_IO))
        return SQLITE_CANTOPEN;
    int code = sweep.real->xOpen(sweep.real, name, f->real, flags, out_flags);
    if (code == SQLITE_OK)
        f->base.pMethods = &methods;
    return code;
}

static int v_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    (void)vfs;
    return fails(sweep.kind == SWEEP_IO) ? SQLITE_IOERR_DELETE : sweep.real->xDelete(sweep.real, name, sync_folder);
}

static int v_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    return fails(sweep.kind == SWEEP_IO) ? SQLITE_IOERR_ACCESS : sweep.real->xAccess(sweep.real, name, flags, out);
}

static int v_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

void sweep_vfs_register(void)
{
    if (sweep.real)
        return;
    sweep.real = sqlite3_vfs_find(NULL);
    sweep.vfs = *sweep.real;
    sweep.vfs.pNext = NULL;
    sweep.vfs.zName = SWEEP_VFS;
    sweep.vfs.szOsFile = (int)sizeof(struct sweep_file) + sweep.real->szOsFile;
    sweep.vfs.xOpen = v_open;
    sweep.vfs.xDelete = v_delete;
    sweep.vfs.xAccess = v_access;
    sweep.vfs.xSleep = v_sleep;
    sqlite3_vfs_register(&sweep.vfs, 0);
}
