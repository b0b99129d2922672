#include "sim/disk.h"

#include "base/err.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 16, NAME_SIZE = 128, SHM_REGIONS_MAX = 64, SECTOR = 512, REGION_SIZE = 32768 /* of a log's shared index */ };

struct content {
    uint8_t *data;
    size_t size, capacity;
};

struct pending { // one write since the last sync; size 0 and data NULL: cut to `at`
    size_t at, size;
    uint8_t *data;
};

struct file {
    struct sim_disk *disk;
    char name[NAME_SIZE]; // empty: temporary
    bool exists;
    int handles;
    struct content now, safe;
    struct pending *pending;
    size_t pending_count, pending_capacity;
    int shared_count; // handles that hold at least SHARED
    struct handle *reserved, *exclusive;
    void *shm[SHM_REGIONS_MAX];
    int shm_count, shm_handles;
    int shm_shared[SQLITE_SHM_NLOCK];
    struct handle *shm_exclusive[SQLITE_SHM_NLOCK];
};

struct handle {
    sqlite3_file base;
    struct file *file;
    struct sim_program *program;
    int level;
    bool has_shm;
    unsigned shm_held_shared, shm_held_exclusive; // bits
};

// Somebody who uses the disk by a VFS of his own, and may die alone.
struct sim_program {
    sqlite3_vfs vfs;
    struct sim_disk *disk;
    int writes_left; // until it dies; -1: it does not
    bool is_dead;
    void *index[FILES_MAX]; // the shared index of each file as the dead program left it; it does nothing to it any more
};

struct sim_disk {
    struct sim_program own; // of whoever opens by the disk's own name
    sim_disk_random random;
    sim_disk_wall wall;
    void *ctx;
    struct file *files[FILES_MAX];
    int writes_left; // until it dies; -1: it does not
    bool is_dead, is_full;
};

// --- content ---------------------------------------------------------------------------------------------------------

static void resize(struct content *content, size_t size)
{
    if (size > content->capacity) {
        size_t capacity = content->capacity ? content->capacity : 8192;
        while (capacity < size)
            capacity *= 2;
        content->data = realloc(content->data, capacity);
        CHARLE_ASSERT(content->data);
        content->capacity = capacity;
    }
    if (size > content->size)
        memset(content->data + content->size, 0, size - content->size);
    content->size = size;
}

static void put(struct content *content, size_t at, const uint8_t *data, size_t size)
{
    if (at + size > content->size)
        resize(content, at + size);
    memcpy(content->data + at, data, size);
}

static void copy_content(struct content *to, const struct content *from)
{
    resize(to, from->size);
    if (from->size)
        memcpy(to->data, from->data, from->size);
}

static void remember(struct file *file, size_t at, const void *data, size_t size)
{
    if (!file->name[0])
        return;
    if (file->pending_count == file->pending_capacity) {
        file->pending_capacity = file->pending_capacity ? file->pending_capacity * 2 : 64;
        file->pending = realloc(file->pending, file->pending_capacity * sizeof(*file->pending));
        CHARLE_ASSERT(file->pending);
    }
    struct pending *pending = &file->pending[file->pending_count++];
    *pending = (struct pending){.at = at, .size = size};
    if (size) {
        pending->data = malloc(size);
        CHARLE_ASSERT(pending->data);
        memcpy(pending->data, data, size);
    }
}

static void apply(struct content *content, const struct pending *pending, size_t size)
{
    if (!pending->data)
        resize(content, pending->at);
    else if (size)
        put(content, pending->at, pending->data, size);
}

static void forget_pending(struct file *file)
{
    for (size_t i = 0; i < file->pending_count; i++)
        free(file->pending[i].data);
    file->pending_count = 0;
}

static void free_shm(struct file *file)
{
    for (int i = 0; i < file->shm_count; i++)
        free(file->shm[i]);
    file->shm_count = 0;
    memset(file->shm_shared, 0, sizeof(file->shm_shared));
    memset(file->shm_exclusive, 0, sizeof(file->shm_exclusive));
}

static void free_file(struct file *file)
{
    forget_pending(file);
    free_shm(file);
    free(file->pending);
    free(file->now.data);
    free(file->safe.data);
    free(file);
}

// --- a file's methods ------------------------------------------------------------------------------------------------

static struct handle *handle_of(sqlite3_file *base)
{
    return (struct handle *)base;
}

static bool is_dead(const struct sim_program *program)
{
    return program->is_dead || program->disk->is_dead;
}

// Counts a write; false once the program or the disk is dead.
static bool may_write(struct sim_program *program)
{
    struct sim_disk *disk = program->disk;
    if (is_dead(program))
        return false;
    if (disk->writes_left > 0 && --disk->writes_left == 0)
        disk->is_dead = true;
    if (program->writes_left > 0 && --program->writes_left == 0)
        sim_program_die_after(program, 0);
    return !is_dead(program);
}

static int file_read(sqlite3_file *base, void *out, int size, sqlite3_int64 at)
{
    const struct file *file = handle_of(base)->file;
    if (is_dead(handle_of(base)->program))
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
    struct file *file = handle_of(base)->file;
    if (!may_write(handle_of(base)->program))
        return SQLITE_IOERR_WRITE;
    if (file->disk->is_full && (size_t)at + (size_t)size > file->now.size)
        return SQLITE_FULL;
    put(&file->now, (size_t)at, data, (size_t)size);
    remember(file, (size_t)at, data, (size_t)size);
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct file *file = handle_of(base)->file;
    if (!may_write(handle_of(base)->program))
        return SQLITE_IOERR_TRUNCATE;
    resize(&file->now, (size_t)size);
    remember(file, (size_t)size, NULL, 0);
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct file *file = handle_of(base)->file;
    (void)flags;
    if (!may_write(handle_of(base)->program))
        return SQLITE_IOERR_FSYNC;
    for (size_t i = 0; i < file->pending_count; i++)
        apply(&file->safe, &file->pending[i], file->pending[i].size);
    forget_pending(file);
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)handle_of(base)->file->now.size;
    return is_dead(handle_of(base)->program) ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
    struct handle *handle = handle_of(base);
    struct file *file = handle->file;
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
    struct handle *handle = handle_of(base);
    struct file *file = handle->file;
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
    *out = handle_of(base)->file->reserved != NULL || handle_of(base)->file->exclusive != NULL;
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

// --- shared memory of the log ----------------------------------------------------------------------------------------

static int shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
    struct handle *handle = handle_of(base);
    struct file *file = handle->file;
    *out = NULL;
    if (is_dead(handle->program) || region >= SHM_REGIONS_MAX)
        return SQLITE_IOERR_SHMMAP;
    if (!handle->has_shm) {
        handle->has_shm = true;
        file->shm_handles++;
    }
    if (region >= file->shm_count && !extend)
        return SQLITE_OK;
    while (file->shm_count <= region) {
        CHARLE_ASSERT(size == REGION_SIZE);
        file->shm[file->shm_count] = calloc(1, (size_t)size);
        CHARLE_ASSERT(file->shm[file->shm_count]);
        file->shm_count++;
    }
    *out = file->shm[region];
    return SQLITE_OK;
}

static void shm_release(struct handle *handle, int slot)
{
    struct file *file = handle->file;
    unsigned bit = 1u << slot;
    if (handle->shm_held_shared & bit)
        file->shm_shared[slot]--;
    if (handle->shm_held_exclusive & bit)
        file->shm_exclusive[slot] = NULL;
    handle->shm_held_shared &= ~bit;
    handle->shm_held_exclusive &= ~bit;
}

static int shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
    struct handle *handle = handle_of(base);
    struct file *file = handle->file;
    if (flags & SQLITE_SHM_UNLOCK) {
        for (int i = offset; i < offset + n; i++)
            shm_release(handle, i);
        return SQLITE_OK;
    }
    if (is_dead(handle->program))
        return SQLITE_IOERR_SHMLOCK;
    for (int i = offset; i < offset + n; i++) {
        unsigned bit = 1u << i;
        bool is_foreign = file->shm_exclusive[i] && file->shm_exclusive[i] != handle;
        int others = file->shm_shared[i] - ((handle->shm_held_shared & bit) ? 1 : 0);
        if (is_foreign || ((flags & SQLITE_SHM_EXCLUSIVE) && others))
            return SQLITE_BUSY;
    }
    for (int i = offset; i < offset + n; i++) {
        unsigned bit = 1u << i;
        if (flags & SQLITE_SHM_EXCLUSIVE) {
            file->shm_exclusive[i] = handle;
            handle->shm_held_exclusive |= bit;
        } else if (!(handle->shm_held_shared & bit)) {
            file->shm_shared[i]++;
            handle->shm_held_shared |= bit;
        }
    }
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static int shm_unmap(sqlite3_file *base, int delete_flag)
{
    struct handle *handle = handle_of(base);
    (void)delete_flag; // with the last handle the index goes anyway: it is built again from the log
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++)
        shm_release(handle, i);
    if (handle->has_shm && --handle->file->shm_handles == 0)
        free_shm(handle->file);
    handle->has_shm = false;
    return SQLITE_OK;
}

static int file_close(sqlite3_file *base)
{
    struct handle *handle = handle_of(base);
    struct file *file = handle->file;
    if (handle->has_shm)
        (void)shm_unmap(base, 0);
    (void)file_unlock(base, SQLITE_LOCK_NONE);
    file->handles--;
    if (!file->name[0])
        free_file(file);
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
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
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

static struct file *find_file(struct sim_disk *disk, const char *name)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (disk->files[i] && strcmp(disk->files[i]->name, name) == 0)
            return disk->files[i];
    }
    return NULL;
}

static struct file *make_file(struct sim_disk *disk, const char *name)
{
    struct file *file = calloc(1, sizeof(*file));
    CHARLE_ASSERT(file);
    file->disk = disk;
    snprintf(file->name, sizeof(file->name), "%s", name);
    for (int i = 0; name[0]; i++) {
        CHARLE_ASSERT(i < FILES_MAX);
        if (!disk->files[i]) {
            disk->files[i] = file;
            break;
        }
    }
    return file;
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out_flags)
{
    struct sim_disk *disk = disk_of(vfs);
    struct handle *handle = handle_of(base);
    *handle = (struct handle){0};
    if (is_dead(program_of(vfs)))
        return SQLITE_CANTOPEN;
    struct file *file = name ? find_file(disk, name) : NULL;
    if ((!file || !file->exists) && name && !(flags & SQLITE_OPEN_CREATE))
        return SQLITE_CANTOPEN;
    if (!file)
        file = make_file(disk, name ? name : "");
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
    struct file *file = find_file(disk, name);
    (void)sync_folder;
    if (is_dead(program_of(vfs)))
        return SQLITE_IOERR_DELETE;
    if (!file || !file->exists)
        return SQLITE_IOERR_DELETE_NOENT;
    file->exists = false;
    resize(&file->now, 0);
    resize(&file->safe, 0);
    forget_pending(file);
    return SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    const struct file *file = find_file(disk_of(vfs), name);
    (void)flags;
    *out = file && file->exists;
    return is_dead(program_of(vfs)) ? SQLITE_IOERR_ACCESS : SQLITE_OK;
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

// --- life ------------------------------------------------------------------------------------------------------------

static void init_program(struct sim_program *program, struct sim_disk *disk, const char *name)
{
    *program = (struct sim_program){.disk = disk, .writes_left = -1};
    program->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(struct handle),
        .mxPathname = NAME_SIZE - 16,
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

struct sim_disk *sim_disk_new(const char *name, sim_disk_random random, sim_disk_wall wall, void *ctx)
{
    struct sim_disk *disk = calloc(1, sizeof(*disk));
    CHARLE_ASSERT(disk);
    *disk = (struct sim_disk){.random = random, .wall = wall, .ctx = ctx, .writes_left = -1};
    init_program(&disk->own, disk, name);
    return disk;
}

void sim_disk_free(struct sim_disk *disk)
{
    if (!disk)
        return;
    sqlite3_vfs_unregister(&disk->own.vfs);
    for (int i = 0; i < FILES_MAX; i++) {
        CHARLE_ASSERT(!disk->files[i] || disk->files[i]->handles == 0);
        if (disk->files[i])
            free_file(disk->files[i]);
    }
    free(disk);
}

// --- programs that die alone -----------------------------------------------------------------------------------------

struct sim_program *sim_disk_program(struct sim_disk *disk)
{
    return &disk->own;
}

struct sim_program *sim_program_new(struct sim_disk *disk, const char *name)
{
    struct sim_program *program = malloc(sizeof(*program));
    CHARLE_ASSERT(program);
    init_program(program, disk, name);
    return program;
}

static void forget_index(struct sim_program *program)
{
    for (int i = 0; i < FILES_MAX; i++) {
        free(program->index[i]);
        program->index[i] = NULL;
    }
}

void sim_program_free(struct sim_program *program)
{
    if (!program)
        return;
    forget_index(program);
    sqlite3_vfs_unregister(&program->vfs);
    free(program);
}

static void copy_index(struct file *file, uint8_t *saved, bool is_back)
{
    for (int i = 0; i < file->shm_count; i++) {
        uint8_t *at = saved + (size_t)i * REGION_SIZE;
        memcpy(is_back ? file->shm[i] : at, is_back ? at : file->shm[i], REGION_SIZE);
    }
}

void sim_program_die_after(struct sim_program *program, int writes)
{
    struct sim_disk *disk = program->disk;
    program->writes_left = writes ? writes : -1;
    if (writes || is_dead(program))
        return;
    program->is_dead = true;
    for (int i = 0; i < FILES_MAX; i++) {
        struct file *file = disk->files[i];
        if (!file || !file->shm_count)
            continue;
        program->index[i] = malloc((size_t)file->shm_count * REGION_SIZE);
        CHARLE_ASSERT(program->index[i]);
        copy_index(file, program->index[i], false);
    }
}

bool sim_program_is_dead(const struct sim_program *program)
{
    return is_dead(program);
}

void sim_program_bury(struct sim_program *program)
{
    struct sim_disk *disk = program->disk;
    for (int i = 0; i < FILES_MAX; i++) {
        if (program->index[i] && disk->files[i] && disk->files[i]->shm_count)
            copy_index(disk->files[i], program->index[i], true);
    }
    forget_index(program);
    program->is_dead = false;
    program->writes_left = -1;
}

// --- death and revival -----------------------------------------------------------------------------------------------

void sim_disk_die_after(struct sim_disk *disk, int writes)
{
    disk->writes_left = writes ? writes : -1;
    disk->is_dead = disk->is_dead || !writes;
}

bool sim_disk_is_dead(const struct sim_disk *disk)
{
    return disk->is_dead;
}

static void cut_power(struct sim_disk *disk, struct file *file)
{
    struct content left = {0};
    copy_content(&left, &file->safe);
    for (size_t i = 0; i < file->pending_count; i++) {
        const struct pending *pending = &file->pending[i];
        uint64_t fate = disk->random(disk->ctx) % 8;
        if (fate < 4)
            apply(&left, pending, pending->size);
        else if (fate == 4 && pending->size > SECTOR) // torn
            apply(&left, pending, SECTOR * (1 + (size_t)(disk->random(disk->ctx) % (pending->size / SECTOR))));
    }
    free(file->now.data);
    file->now = left;
}

void sim_disk_revive(struct sim_disk *disk, bool is_power_cut)
{
    for (int i = 0; i < FILES_MAX; i++) {
        struct file *file = disk->files[i];
        if (!file)
            continue;
        CHARLE_ASSERT(file->handles == 0);
        if (is_power_cut)
            cut_power(disk, file);
        // What is there now stays: the next power cut can only take what comes later.
        if (is_power_cut) {
            copy_content(&file->safe, &file->now);
            forget_pending(file);
        }
    }
    disk->is_dead = false;
    disk->is_full = false;
    disk->writes_left = -1;
}

void sim_disk_set_full(struct sim_disk *disk, bool is_full)
{
    disk->is_full = is_full;
}

void sim_disk_calm(struct sim_disk *disk)
{
    disk->is_full = false;
    disk->writes_left = -1;
    disk->own.writes_left = -1;
}

void sim_disk_copy(struct sim_disk *to, const struct sim_disk *from)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        const struct file *file = from->files[i];
        if (!file || !file->exists)
            continue;
        struct file *copy = make_file(to, file->name);
        copy->exists = true;
        copy_content(&copy->now, &file->now);
        copy_content(&copy->safe, &file->now);
    }
}

// --- by name ---------------------------------------------------------------------------------------------------------

static const struct file *look_up(const struct sim_disk *disk, const char *name)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (disk->files[i] && disk->files[i]->exists && strcmp(disk->files[i]->name, name) == 0)
            return disk->files[i];
    }
    return NULL;
}

size_t sim_disk_size(const struct sim_disk *disk, const char *name)
{
    const struct file *file = look_up(disk, name);
    return file ? file->now.size : 0;
}

void sim_disk_flip(struct sim_disk *disk, const char *name, size_t at, uint8_t bits)
{
    struct file *file = find_file(disk, name);
    CHARLE_ASSERT(file && at < file->now.size);
    file->now.data[at] ^= bits;
    if (at < file->safe.size)
        file->safe.data[at] ^= bits;
    for (size_t i = 0; i < file->pending_count; i++) {
        struct pending *pending = &file->pending[i];
        if (pending->data && at >= pending->at && at < pending->at + pending->size)
            pending->data[at - pending->at] ^= bits;
    }
}

void sim_disk_remove(struct sim_disk *disk, const char *name)
{
    struct file *file = find_file(disk, name);
    if (!file)
        return;
    CHARLE_ASSERT(file->handles == 0);
    file->exists = false;
    resize(&file->now, 0);
    resize(&file->safe, 0);
    forget_pending(file);
}
