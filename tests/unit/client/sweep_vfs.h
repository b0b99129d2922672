// A VFS over the default one in which the n-th operation of a kind fails, once or from then on. Sleeping takes no time.
#ifndef CHARLE_TESTS_SWEEP_VFS_H
#define CHARLE_TESTS_SWEEP_VFS_H

#include <stdbool.h>

#define SWEEP_VFS "charle-sweep"

enum sweep_kind {
    SWEEP_IO,    // any operation: its own IOERR, or CANTOPEN
    SWEEP_FULL,  // writes: the disk is full
    SWEEP_BUSY,  // locks: somebody else has it
    SWEEP_SHORT, // reads: nothing is there
    SWEEP_KINDS,
};

void sweep_vfs_register(void);                                   // again is fine
void sweep_vfs_arm(enum sweep_kind kind, long n, bool is_sticky); // n 0: nothing fails
bool sweep_vfs_has_failed(void);

#endif
