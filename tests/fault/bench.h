// A server with a small agency and three people who have signed in, for programs with named cases.
#ifndef CHARLE_TESTS_FAULT_BENCH_H
#define CHARLE_TESTS_FAULT_BENCH_H

#include "fault/agency.h"

struct bench {
    struct rig rig;
    PGconn *pg;
    char pia[256], mo[256], portal[256]; // tokens of two of the team, and of a person of a client
    char task[40], client[40];           // of a task that the team sees
};

struct bench_case {
    const char *name;
    void (*fn)(struct bench *bench);
};

void bench_open(struct bench *bench);
// The case that the program's first argument names, or all without one.
void bench_run(struct bench *bench, const struct bench_case *cases, size_t count, int argc, char **argv);
void bench_close(struct bench *bench);

// Each ends the program with a sentence when it does not hold.
void check(bool ok, const char *what);
void must(int rc, const struct charle_error *err, const char *what);

#endif
