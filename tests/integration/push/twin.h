// Two servers that get the same batches: one runs calls in sets, the other one by one, and is the measure. After each batch the verdicts,
// the rows and the entries of the change log must be the same.
#ifndef CHARLE_TESTS_PUSH_TWIN_H
#define CHARLE_TESTS_PUSH_TWIN_H

#include "push.schema.charle.h"
#include "server/sync/sync.h"
#include "services/crud.h"
#include "support/pg_cluster.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
// cmocka wants these before it.
#include <cmocka.h>
// clang-format on

enum { TWIN_SETS, TWIN_SINGLES, TWIN_COUNT, TWIN_CALLS_MAX = CH_PUSH_CALLS_MAX };

struct twin_server {
    struct charle_db *db;
    struct ch_sync *sync;
    char url[CH_PG_CLUSTER_URL_SIZE];
    struct charle_push_reply reply; // of the last push
    struct charle_arena arena;      // of the last push
    int writes, sets;               // statements that change tables of the schema in the last push; of those over many calls
};

struct twin {
    struct charle_method_table methods;
    struct twin_server servers[TWIN_COUNT];
    struct charle_arena arena; // of the calls
    struct charle_call calls[TWIN_CALLS_MAX];
    const struct charle_call *list[TWIN_CALLS_MAX];
    size_t count;          // calls collected for the next push
    const char *person;    // who pushes
    const char *device;    // by this name; NULL: by the person's own
    int64_t sequence;      // of the last call made
    uint64_t hash, seed;
    int64_t now_us;
    struct charle_opt_uint8 lineage; // these are said with pushes
    struct charle_opt_int8 acknowledged;
    bool without_replies;
};

// Makes both databases anew with people "ann" (a lead) and "bob", and a device of ann's.
void twin_open(struct twin *twin);
void twin_close(struct twin *twin);
// Another device, of this person, from call 1 on.
void twin_device(struct twin *twin, const char *person);

// Adds a call to the next batch: "Job/Update" and its request in JSON.
void twin_call(struct twin *twin, const char *method, const char *format, ...) __attribute__((format(printf, 3, 4)));
// Pushes the batch to one server; the calls stay, so that they can be pushed again.
enum charle_err twin_push_one(struct twin *twin, int server, struct charle_error *err);
// Pushes the batch to both, compares everything and forgets the calls.
void twin_push(struct twin *twin);
void twin_compare(struct twin *twin);

// "applied", "merged: sentence", "rejected: CODE: sentence" or "parked: …" of a call of the last push, as the server with sets answered.
const char *twin_verdict(struct twin *twin, size_t index);
void twin_assert_verdict(struct twin *twin, size_t index, const char *begins_with);
// Runs SQL on both, as a foreign writer.
void twin_exec(struct twin *twin, const char *sql);
int64_t twin_number(struct twin *twin, int server, const char *sql);

#endif
