// What the files of the disk share: the whole state, and what each does for the others.
//
//   disk.c           disks and programs: made, killed, revived, copied, looked at by name
//   disk_content.c   the bytes of a file: those there, those safe, and the writes between the two
//   disk_index.c     the log's shared index: its memory and its locks
//   disk_vfs.c       the methods that SQLite calls
#ifndef CHARLE_TESTS_SIM_DISK_PARTS_H
#define CHARLE_TESTS_SIM_DISK_PARTS_H

#include "sim/disk.h"

#include <sqlite3.h>

enum { SIM_FILES_MAX = 16, SIM_NAME_SIZE = 128, SIM_REGIONS_MAX = 64, SIM_REGION_SIZE = 32768 /* of a log's shared index */ };

struct sim_content {
    uint8_t *data;
    size_t size, capacity;
};

struct sim_pending { // one write since the last sync; size 0 and data NULL: cut to `at`
    size_t at, size;
    uint8_t *data;
};

struct sim_file {
    struct sim_disk *disk;
    char name[SIM_NAME_SIZE]; // empty: temporary
    bool exists;
    int handles;
    struct sim_content now, safe;
    struct sim_pending *pending;
    size_t pending_count, pending_capacity;
    int shared_count; // handles that hold at least SHARED
    struct sim_handle *reserved, *exclusive;
    void *shm[SIM_REGIONS_MAX];
    int shm_count, shm_handles;
    int shm_shared[SQLITE_SHM_NLOCK];
    struct sim_handle *shm_exclusive[SQLITE_SHM_NLOCK];
};

struct sim_handle {
    sqlite3_file base;
    struct sim_file *file;
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
    void *index[SIM_FILES_MAX]; // the shared index of each file as the dead program left it; it does nothing to it any more
};

struct sim_disk {
    struct sim_program own; // of whoever opens by the disk's own name
    sim_disk_random random;
    sim_disk_wall wall;
    void *ctx;
    struct sim_file *files[SIM_FILES_MAX];
    int writes_left; // until it dies; -1: it does not
    bool is_dead, is_full;
};

// disk_content.c
void sim_content_resize(struct sim_content *content, size_t size); // what is new is zero
void sim_content_put(struct sim_content *content, size_t at, const uint8_t *data, size_t size);
void sim_content_copy(struct sim_content *to, const struct sim_content *from);
void sim_pending_add(struct sim_file *file, size_t at, const void *data, size_t size); // copies the data
void sim_pending_apply(struct sim_content *content, const struct sim_pending *pending, size_t size); // the first `size` bytes of it
void sim_pending_clear(struct sim_file *file);
void sim_file_free(struct sim_file *file);

// disk_index.c
void sim_index_clear(struct sim_file *file); // nobody uses it any more: it is built again from the log
void sim_index_save(struct sim_program *program);     // that died: of every file, as it is now
void sim_index_put_back(struct sim_program *program); // what was saved
void sim_index_forget(struct sim_program *program);
int sim_index_map(sqlite3_file *base, int region, int size, int extend, void volatile **out);
int sim_index_lock(sqlite3_file *base, int offset, int n, int flags);
void sim_index_barrier(sqlite3_file *base);
int sim_index_unmap(sqlite3_file *base, int delete_flag);

// disk_vfs.c
void sim_program_init(struct sim_program *program, struct sim_disk *disk, const char *name); // and registers its VFS
struct sim_handle *sim_handle_of(sqlite3_file *base);

// disk.c
bool sim_program_may_write(struct sim_program *program); // counts a write; false once the program or the disk is dead
struct sim_file *sim_disk_find(struct sim_disk *disk, const char *name); // also one that was deleted; NULL: there never was one
struct sim_file *sim_disk_make(struct sim_disk *disk, const char *name); // "": temporary, belongs to its handle

#endif
