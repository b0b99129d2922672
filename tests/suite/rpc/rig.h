// A server with a handful of methods and a channel to it, over any of the transports: what the tests of this folder
// work with.
//
// Methods of the server (requests are text):
//   test/Echo        the request, at once, on the transport's thread
//   test/WorkEcho    the same, by one of two workers
//   test/Stream      "COUNT SIZE": so many messages of so many bytes, each with its number in front; by a waiting worker
//   test/Push        "COUNT SIZE": the same, from the transport's thread, with send and on_writable
//   test/Both        "COUNT SIZE": the first half as Stream does, the rest as Push does
//   test/Fail        "CODE": that code, the text "it failed", the details "why" and the trailer x-trace: 7
//   test/Meta        the call's metadata as "key=value;…"
//   test/Big         "SIZE": a reply of so many bytes
//   test/Hurry       "COUNT SIZE": as Stream, but gives up when there is no room for 20 ms
//   test/Hold        not answered until the call is over or rig_release_held
//   anything else    UNIMPLEMENTED
#ifndef CHARLE_TESTS_RPC_RIG_H
#define CHARLE_TESTS_RPC_RIG_H

#include "rpc/rpc.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum rig_kind { RIG_LOOPBACK, RIG_TCP, RIG_IPC, RIG_TLS, RIG_KIND_COUNT };
const char *rig_kind_name(enum rig_kind kind);
extern const enum rig_kind rig_kinds[RIG_KIND_COUNT]; // each, for a test's initial state

struct rig;
struct rig_work;
struct rig_held {
    struct rig *rig;
    struct charle_server_call *call; // NULL: the place is free; under the rig's lock
};
struct rig {
    enum rig_kind kind;
    struct charle_rpc_server *server;
    struct charle_channel *channel;
    char address[128];
    char folder[64]; // sockets and certificates; removed by rig_stop
    struct charle_rpc_server_options server_options;
    struct charle_channel_options channel_options;
    pthread_t workers[2];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct rig_work *first, *last;
    bool is_stopping;
    // what happened on the server
    atomic_int dispatched, overs, held;
    struct rig_held held_calls[64];
};

// Options may be set between init and start.
void rig_init(struct rig *rig, enum rig_kind kind);
void rig_start(struct rig *rig);
void rig_start_server(struct rig *rig); // rig_start does it; again after rig_stop_server, at the same address
void rig_stop_server(struct rig *rig, uint32_t drain_ms);
void rig_stop(struct rig *rig);
void rig_dispatch(void *ctx, struct charle_server_call *call); // ctx is the rig; for servers of a test's own
void rig_remove_folder(const struct rig *rig);                 // rig_stop does it
void rig_release_held(struct rig *rig);

// Waits until the condition holds, for at most 20 s; fails the test then.
void rig_wait(bool (*is_so)(void *ctx), void *ctx, const char *what);
void rig_wait_connected(struct rig *rig, bool is_wanted);
void rig_wait_int(atomic_int *value, int at_least, const char *what);

// A call whose events are kept.
struct seen {
    pthread_mutex_t lock;
    struct charle_rpc *rpc;
    int messages, dones;
    size_t bytes;
    struct charle_buf last; // message
    enum charle_err code;
    char text[256];
    char details[64];
    char trailer[64]; // value of x-trace
    bool is_lazy;     // does not say what it consumed
    bool is_out_of_order;
};
void seen_init(struct seen *seen);
void seen_start(struct seen *seen, struct charle_channel *channel, const char *method, const char *request,
                const struct charle_call_options *options);
void seen_start_bytes(struct seen *seen, struct charle_channel *channel, const char *method,
                      struct charle_bytes request, const struct charle_call_options *options);
void seen_wait(struct seen *seen); // until done
int seen_messages(struct seen *seen);
void seen_deinit(struct seen *seen); // the call is done; releases it

// A blocking call; the reply is put into `reply` as a C string.
enum charle_err rig_call(struct rig *rig, const char *method, const char *request, char *reply, size_t room,
                         struct charle_error *err);

#endif
