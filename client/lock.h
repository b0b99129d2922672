// Who may write to a replica: one thread of a program, and one program of the machine.
//
// SQLite 3.7.0 to 3.51.2 can damage a database in WAL mode when two connections commit and checkpoint at the same moment (the WAL-reset
// bug). Every write transaction and every checkpoint of the library happens under this lock: a mutex for the threads and a
// whole-file lock on "<file>.lock" for the programs. The operating system drops the latter when a program dies.
#ifndef CHARLE_CLIENT_LOCK_H
#define CHARLE_CLIENT_LOCK_H

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ch_lock {
    pthread_mutex_t mutex;
    atomic_int waiting;          // threads that wait for the mutex: who holds it without need lets go
    void (*wanted)(void *ctx);   // called by a thread before it waits; NULL: nobody holds the mutex without need
    void *wanted_ctx;
    char *path;
    int fd;
    uint32_t timeout_ms;
};

// `file` is the replica; "<file>.lock" is made beside it with mode 0600. NULL: no lock between programs (a simulation's own
// file system has no others).
CHARLE_MUST_CHECK enum charle_err ch_lock_open(struct ch_lock *lock, const char *file, uint32_t timeout_ms,
                                               struct charle_error *err);
void ch_lock_close(struct ch_lock *lock);

// Waits for both locks, at most timeout_ms for other programs: BUSY then. CLOSED when the replica was wiped or replaced since it was
// opened. Not recursive.
CHARLE_MUST_CHECK enum charle_err ch_lock_take(struct ch_lock *lock, struct charle_error *err);
void ch_lock_drop(struct ch_lock *lock);

// Only against the threads of this program, for looking at what the writing connection knows.
void ch_lock_enter(struct ch_lock *lock);
void ch_lock_leave(struct ch_lock *lock);

// Who has the replica open: many programs together, or one alone that writes the whole file anew. The descriptor holds it until it is
// closed. `is_alone`: BUSY while anybody else is there. Otherwise BUSY while somebody is alone, and -1 without an error when there is no
// lock file, or none that may be read.
CHARLE_MUST_CHECK enum charle_err ch_presence_take(const char *file, bool is_alone, int *out_fd, struct charle_error *err);
void ch_presence_drop(int fd); // -1 is fine

// One lock file for the lead among the programs that have the replica open: taken without waiting.
struct ch_lead {
    char *path; // "<file>.sync"
    int fd;
    bool is_held;
};
CHARLE_MUST_CHECK enum charle_err ch_lead_open(struct ch_lead *lead, const char *file, struct charle_error *err);
bool ch_lead_take(struct ch_lead *lead);
void ch_lead_drop(struct ch_lead *lead);
void ch_lead_close(struct ch_lead *lead);

#endif
