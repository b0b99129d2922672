// SQLite's answers that do not come: the n-th statement that is prepared, stepped or executed fails with SQLITE_INTERRUPT and is not made, alone or
// with all behind it. Rolling back always works: what a disk does then is asked elsewhere (sweep_test.c).
//
// A test says step_fault(TARGET) in CMakeLists.txt, which puts these functions before SQLite's (the linker's --wrap).
#ifndef CHARLE_TESTS_STEP_FAULT_H
#define CHARLE_TESTS_STEP_FAULT_H

void step_fault_at(long n, int is_sticky); // n 0: nothing fails any more
long step_fault_count(void);               // statements since step_fault_at

#endif
