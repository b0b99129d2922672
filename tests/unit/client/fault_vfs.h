// A file system that fails on demand: every write, sync, truncate, open and delete counts, and from the n-th on (or only the n-th) they fail.
#ifndef CHARLE_TESTS_FAULT_VFS_H
#define CHARLE_TESTS_FAULT_VFS_H

#include <stdbool.h>

#define FAULT_VFS "charle_fault"

void fault_vfs_register(void); // over the default one; again is fine

// The n-th operation from now on fails (1: the next); with `sticky` all after it too. 0: none. `full`: as a full disk instead of an I/O
// error.
void fault_vfs_arm(long n, bool sticky, bool full);
long fault_vfs_count(void);     // operations since it was armed
bool fault_vfs_has_failed(void);

#endif
