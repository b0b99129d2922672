// A laptop's disk in memory, as a VFS of SQLite's: what was written and what is safe are two things.
//
// Every write goes to the file's present content and to a list of writes that a power cut may undo; a sync makes the
// list safe. A killed program leaves the present content behind; a power cut leaves the safe content and any of the
// later writes, whole or torn. A disk can be set to die after a number of writes: from then on everything fails, until
// the laptop starts again.
#ifndef CHARLE_TESTS_SIM_DISK_H
#define CHARLE_TESTS_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_disk;
typedef uint64_t (*sim_disk_random)(void *ctx);
typedef int64_t (*sim_disk_wall)(void *ctx); // microseconds since 1970

// Registers a VFS of this name. The name must outlive it.
struct sim_disk *sim_disk_new(const char *name, sim_disk_random random, sim_disk_wall wall, void *ctx);
void sim_disk_free(struct sim_disk *disk); // all files must be closed; NULL is fine

void sim_disk_die_after(struct sim_disk *disk, int writes); // 0: now
bool sim_disk_is_dead(const struct sim_disk *disk);
// The laptop starts again; all files must be closed. With a power cut what was not synced may be lost.
void sim_disk_revive(struct sim_disk *disk, bool is_power_cut);
void sim_disk_set_full(struct sim_disk *disk, bool is_full);
// The files of one as they are now become those of another, which has none yet: somebody copies a folder while the program runs.
void sim_disk_copy(struct sim_disk *to, const struct sim_disk *from);

// Another program on the same disk, with a VFS of its own, that can be killed while the others live on. The disk's first program is the one that
// opens by the disk's name. The name must outlive the program, and the program must be freed before the disk.
struct sim_program;
struct sim_program *sim_disk_program(struct sim_disk *disk); // the first one; lives as long as the disk
struct sim_program *sim_program_new(struct sim_disk *disk, const char *name);
void sim_program_free(struct sim_program *program); // its files must be closed; NULL is fine; not of the first one
void sim_program_die_after(struct sim_program *program, int writes); // 0: now. From then on all that it does fails
bool sim_program_is_dead(const struct sim_program *program);         // it, or the whole disk
// Its files are closed, as the system does for the dead: the locks are gone, the log's shared index is as it was when the program died.
// It may start again. Nobody else may have used the disk since it died.
void sim_program_bury(struct sim_program *program);

size_t sim_disk_size(const struct sim_disk *disk, const char *name); // 0: there is no such file
// Turns these bits of a byte, in what is there and in what a power cut leaves. The file must reach so far.
void sim_disk_flip(struct sim_disk *disk, const char *name, size_t at, uint8_t bits);
void sim_disk_remove(struct sim_disk *disk, const char *name); // nobody has it open; fine when there is none

void sim_disk_calm(struct sim_disk *disk); // not full, and it does not die any more

#endif
