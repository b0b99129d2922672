// Answers of the database that do not come: the n-th call of core/db that asks it something fails, alone or with all behind it, without having
// been made. Rolling back is made and fails all the same. Commits do not fail here: whether they happened could not be told.
//
// A test says ch_db_fault(TARGET) in its CMakeLists.txt, which puts these functions before those of core/db (the linker's --wrap).
#ifndef CHARLE_TESTS_DB_FAULT_H
#define CHARLE_TESTS_DB_FAULT_H

#include "base/err.h"

// n 0: nothing fails any more. `code` is what they fail with; DONE: results end early, and nothing else fails.
void ch_db_fault_at(long n, int is_sticky, enum charle_err code);
long ch_db_fault_count(void); // calls since ch_db_fault_at

#endif
