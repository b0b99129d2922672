// The log's shared index, which the programs on one disk map: plain memory of the file, with the locks that SQLite takes on its slots.
//
// A lock is shared by any number of handles or exclusive to one; each handle remembers which it holds, so that closing it gives them back, as the
// system does for the dead. A program that dies alone does nothing to the index any more, yet SQLite goes on writing until the file is
// closed: so the index is saved at death and put back at the burial. With the last handle it goes: it is built again from the log.
#include "sim/disk_parts.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

// --- memory ----------------------------------------------------------------------------------------------------------

void sim_index_clear(struct sim_file *file)
{
    for (int i = 0; i < file->shm_count; i++)
        free(file->shm[i]);
    file->shm_count = 0;
    memset(file->shm_shared, 0, sizeof(file->shm_shared));
    memset(file->shm_exclusive, 0, sizeof(file->shm_exclusive));
}

void sim_index_forget(struct sim_program *program)
{
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        free(program->index[i]);
        program->index[i] = NULL;
    }
}

static void copy_index(struct sim_file *file, uint8_t *saved, bool is_back)
{
    for (int i = 0; i < file->shm_count; i++) {
        uint8_t *at = saved + (size_t)i * SIM_REGION_SIZE;
        memcpy(is_back ? file->shm[i] : at, is_back ? at : file->shm[i], SIM_REGION_SIZE);
    }
}

void sim_index_save(struct sim_program *program)
{
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        struct sim_file *file = program->disk->files[i];
        if (!file || !file->shm_count)
            continue;
        CHARLE_ASSERT(!program->index[i]); // nobody dies twice
        program->index[i] = malloc((size_t)file->shm_count * SIM_REGION_SIZE);
        CHARLE_ASSERT(program->index[i]);
        copy_index(file, program->index[i], false);
    }
}

void sim_index_put_back(struct sim_program *program)
{
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        struct sim_file *file = program->disk->files[i];
        if (program->index[i] && file && file->shm_count)
            copy_index(file, program->index[i], true);
    }
    sim_index_forget(program);
}

// --- what SQLite calls -----------------------------------------------------------------------------------------------

int sim_index_map(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
    struct sim_handle *handle = sim_handle_of(base);
    struct sim_file *file = handle->file;
    *out = NULL;
    if (sim_program_is_dead(handle->program) || region >= SIM_REGIONS_MAX)
        return SQLITE_IOERR_SHMMAP;
    if (!handle->has_shm) {
        handle->has_shm = true;
        file->shm_handles++;
    }
    if (region >= file->shm_count && !extend)
        return SQLITE_OK;
    while (file->shm_count <= region) {
        CHARLE_ASSERT(size == SIM_REGION_SIZE);
        file->shm[file->shm_count] = calloc(1, (size_t)size);
        CHARLE_ASSERT(file->shm[file->shm_count]);
        file->shm_count++;
    }
    *out = file->shm[region];
    return SQLITE_OK;
}

static void shm_release(struct sim_handle *handle, int slot)
{
    struct sim_file *file = handle->file;
    unsigned bit = 1u << slot;
    if (handle->shm_held_shared & bit)
        file->shm_shared[slot]--;
    if (handle->shm_held_exclusive & bit)
        file->shm_exclusive[slot] = NULL;
    handle->shm_held_shared &= ~bit;
    handle->shm_held_exclusive &= ~bit;
}

int sim_index_lock(sqlite3_file *base, int offset, int n, int flags)
{
    struct sim_handle *handle = sim_handle_of(base);
    struct sim_file *file = handle->file;
    if (flags & SQLITE_SHM_UNLOCK) {
        for (int i = offset; i < offset + n; i++)
            shm_release(handle, i);
        return SQLITE_OK;
    }
    if (sim_program_is_dead(handle->program))
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

void sim_index_barrier(sqlite3_file *base)
{
    (void)base;
}

int sim_index_unmap(sqlite3_file *base, int delete_flag)
{
    struct sim_handle *handle = sim_handle_of(base);
    (void)delete_flag; // with the last handle the index goes anyway: it is built again from the log
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++)
        shm_release(handle, i);
    if (handle->has_shm && --handle->file->shm_handles == 0)
        sim_index_clear(handle->file);
    handle->has_shm = false;
    return SQLITE_OK;
}
