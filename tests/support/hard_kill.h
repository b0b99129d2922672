// kill -9 for the programs under test. In builds that count lines a process that is killed has first to write down what it counted, so it is sent
// another signal there, after which it ends by SIGKILL all the same (tools/cmake/coverage_exit.c). Only for programs of this build.
#ifndef CHARLE_TESTS_HARD_KILL_H
#define CHARLE_TESTS_HARD_KILL_H

#include <signal.h>
#include <sys/types.h>

#define CH_COVERAGE_KILL (SIGRTMAX - 1)

extern void __gcov_dump(void) __attribute__((weak)); // there only in such builds

// As kill(2); other signals than SIGKILL are sent as they are.
static inline int ch_kill(pid_t pid, int number)
{
    return kill(pid, number == SIGKILL && __gcov_dump ? CH_COVERAGE_KILL : number);
}

#endif
