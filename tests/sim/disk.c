// Disks and the programs on them: made, killed, revived, copied, and looked at by name (disk.h says what each means, disk_parts.h who does what).
//
//   a program   lives ──die_after, or the n-th write──► dead, alone ──bury──► lives. Its files are closed in between, and nobody else writes
//   a disk      lives ──die_after, or the n-th write──► dead, with all programs ──revive──► lives, with or without what was not synced
//
// A disk owns its files and its first program; other programs belong to who made them. What is asked for out of order ends the test.
#include "sim/disk_parts.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512 };

// --- files -----------------------------------------------------------------------------------------------------------

struct sim_file *sim_disk_find(struct sim_disk *disk, const char *name)
{
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        if (disk->files[i] && strcmp(disk->files[i]->name, name) == 0)
            return disk->files[i];
    }
    return NULL;
}

struct sim_file *sim_disk_make(struct sim_disk *disk, const char *name)
{
    struct sim_file *file = calloc(1, sizeof(*file));
    CHARLE_ASSERT(file);
    file->disk = disk;
    snprintf(file->name, sizeof(file->name), "%s", name);
    for (int i = 0; name[0]; i++) {
        CHARLE_ASSERT(i < SIM_FILES_MAX);
        if (!disk->files[i]) {
            disk->files[i] = file;
            break;
        }
    }
    return file;
}

// --- life ------------------------------------------------------------------------------------------------------------

struct sim_disk *sim_disk_new(const char *name, sim_disk_random random, sim_disk_wall wall, void *ctx)
{
    struct sim_disk *disk = calloc(1, sizeof(*disk));
    CHARLE_ASSERT(disk);
    *disk = (struct sim_disk){.random = random, .wall = wall, .ctx = ctx, .writes_left = -1};
    sim_program_init(&disk->own, disk, name);
    return disk;
}

void sim_disk_free(struct sim_disk *disk)
{
    if (!disk)
        return;
    sqlite3_vfs_unregister(&disk->own.vfs);
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        CHARLE_ASSERT(!disk->files[i] || disk->files[i]->handles == 0);
        if (disk->files[i])
            sim_file_free(disk->files[i]);
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
    sim_program_init(program, disk, name);
    return program;
}

void sim_program_free(struct sim_program *program)
{
    if (!program)
        return;
    sim_index_forget(program);
    sqlite3_vfs_unregister(&program->vfs);
    free(program);
}

void sim_program_die_after(struct sim_program *program, int writes)
{
    program->writes_left = writes ? writes : -1;
    if (writes || sim_program_is_dead(program))
        return;
    program->is_dead = true;
    sim_index_save(program);
}

bool sim_program_is_dead(const struct sim_program *program)
{
    return program->is_dead || program->disk->is_dead;
}

bool sim_program_may_write(struct sim_program *program)
{
    struct sim_disk *disk = program->disk;
    if (sim_program_is_dead(program))
        return false;
    if (disk->writes_left > 0 && --disk->writes_left == 0)
        disk->is_dead = true;
    if (program->writes_left > 0 && --program->writes_left == 0)
        sim_program_die_after(program, 0);
    return !sim_program_is_dead(program);
}

void sim_program_bury(struct sim_program *program)
{
    sim_index_put_back(program);
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

static void cut_power(struct sim_disk *disk, struct sim_file *file)
{
    struct sim_content left = {0};
    sim_content_copy(&left, &file->safe);
    for (size_t i = 0; i < file->pending_count; i++) {
        const struct sim_pending *pending = &file->pending[i];
        uint64_t fate = disk->random(disk->ctx) % 8;
        if (fate < 4)
            sim_pending_apply(&left, pending, pending->size);
        else if (fate == 4 && pending->size > SECTOR) // torn
            sim_pending_apply(&left, pending, SECTOR * (1 + (size_t)(disk->random(disk->ctx) % (pending->size / SECTOR))));
    }
    free(file->now.data);
    file->now = left;
}

void sim_disk_revive(struct sim_disk *disk, bool is_power_cut)
{
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        struct sim_file *file = disk->files[i];
        if (!file)
            continue;
        CHARLE_ASSERT(file->handles == 0);
        if (is_power_cut)
            cut_power(disk, file);
        // What is there now stays: the next power cut can only take what comes later.
        if (is_power_cut) {
            sim_content_copy(&file->safe, &file->now);
            sim_pending_clear(file);
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
    for (size_t i = 0; i < SIM_FILES_MAX; i++) {
        const struct sim_file *file = from->files[i];
        if (!file || !file->exists)
            continue;
        struct sim_file *copy = sim_disk_make(to, file->name);
        copy->exists = true;
        sim_content_copy(&copy->now, &file->now);
        sim_content_copy(&copy->safe, &file->now);
    }
}

// --- by name ---------------------------------------------------------------------------------------------------------

static const struct sim_file *look_up(const struct sim_disk *disk, const char *name)
{
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        if (disk->files[i] && disk->files[i]->exists && strcmp(disk->files[i]->name, name) == 0)
            return disk->files[i];
    }
    return NULL;
}

size_t sim_disk_size(const struct sim_disk *disk, const char *name)
{
    const struct sim_file *file = look_up(disk, name);
    return file ? file->now.size : 0;
}

void sim_disk_flip(struct sim_disk *disk, const char *name, size_t at, uint8_t bits)
{
    struct sim_file *file = sim_disk_find(disk, name);
    CHARLE_ASSERT(file && at < file->now.size);
    file->now.data[at] ^= bits;
    if (at < file->safe.size)
        file->safe.data[at] ^= bits;
    for (size_t i = 0; i < file->pending_count; i++) {
        struct sim_pending *pending = &file->pending[i];
        if (pending->data && at >= pending->at && at < pending->at + pending->size)
            pending->data[at - pending->at] ^= bits;
    }
}

void sim_disk_remove(struct sim_disk *disk, const char *name)
{
    struct sim_file *file = sim_disk_find(disk, name);
    if (!file)
        return;
    CHARLE_ASSERT(file->handles == 0);
    file->exists = false;
    sim_content_resize(&file->now, 0);
    sim_content_resize(&file->safe, 0);
    sim_pending_clear(file);
}
