// The clients' fake server (tests/unit/client) behind a real RPC server: real threads, real channels, real streams.
#ifndef CHARLE_TESTS_SERVED_H
#define CHARLE_TESTS_SERVED_H

#include "rpc/rpc.h"
#include "unit/client/fake_server.h"

#include <pthread.h>

struct served_call;

struct served {
    struct fake_server fake;
    struct charle_rpc_server *rpc;
    char address[128];
    pthread_t thread;
    pthread_mutex_t mutex;     // the fake server, the list of calls, is_quitting
    pthread_cond_t wake;
    struct served_call *calls; // not finished
    bool is_quitting;
};

// Listens at `address` ("inproc://…" or "tcp://127.0.0.1:0").
void served_start(struct served *served, const struct charle_schema *schema, const char *address);
// Drops all connections; the database stays. served_resume listens again at the same address.
void served_pause(struct served *served);
void served_resume(struct served *served);
void served_stop(struct served *served);

// The fake server for a test's own use; between these two nothing else touches it.
struct fake_server *served_lock(struct served *served);
void served_unlock(struct served *served);

#endif
