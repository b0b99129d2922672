// Running a program and reading what it says. Only for single-threaded processes: this forks.
#ifndef CHARLE_SERVER_CHILD_H
#define CHARLE_SERVER_CHILD_H

#include <stddef.h>

// Runs argv[0] (a path) with a small environment and /dev/null as input; the last part of its output and errors goes to
// `out`. Returns its exit code, 128 + the signal, or -1 when it could not be run or did not end in time (it is killed
// then).
int ch_child_run(const char *const *argv, int timeout_ms, char *out, size_t out_size);

// As above, for something that ends at once.
int ch_child_read(const char *const *argv, char *out, size_t out_size);

// The environment that PostgreSQL's programs get: nothing of ours, least of all DATABASE_URL.
extern char *const ch_child_environment[];

#endif
