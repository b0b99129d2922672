// A laptop and a server in one program: a client core on a real file, a fake server, and a network in between that a test or a seed drives.
//
// Time stands still until world_run finds nothing to deliver; then it jumps to the core's timer. Every choice comes from the seed.
#ifndef CHARLE_TESTS_WORLD_H
#define CHARLE_TESTS_WORLD_H

#include "client/core.h"
#include "fake_server.h"

enum { WORLD_CALLS_MAX = 32 };

struct world_call {
    uint64_t id; // 0: free
    char method[64];
    struct charle_buf request;
    bool is_stream;
    struct fake_stream stream;
    bool is_held;      // by a test: the network keeps it back
    bool is_delivered; // the server has seen it (unary) or opened it (stream)
    // What is on its way back.
    struct charle_buf messages; // each with its size before it
    size_t message_at;
    bool is_over;
    enum charle_err code;
    char text[240];
};

struct world {
    struct fake_server *server;
    struct ch_client_env env;
    struct ch_replica replica;
    struct ch_client_core *core;
    char file[128];
    const char *vfs;     // kept by world_open; NULL: the default one
    const struct charle_client_key *key; // kept by world_open; NULL: in clear
    void (*outside)(bool is_outside);    // kept by world_open; told when the server and the network work, which never lack memory
    void (*tamper)(void *ctx, const char *method, struct charle_buf *message); // kept by world_open; NULL: answers arrive as they were sent
    void *tamper_ctx;
    uint64_t random;
    int64_t mono_us;
    int64_t timer_at;
    bool is_connected;
    bool is_down;        // the network: requests are not delivered
    struct world_call calls[WORLD_CALLS_MAX];
    unsigned events;     // since world_take_events
    int64_t consumed;
    int64_t started[6];  // calls by kind: Open, Copy, Pull, Hash, Push, other
    // The core asks for a stream's next message before its turn.
    enum { MORE_BY_CHANCE, MORE_NEVER, MORE_ALWAYS } more;
    int more_after;      // with MORE_ALWAYS: so many messages, and then none any more; 0: no limit
    int64_t more_given;
    struct charle_buf more_bytes;
    // Answers the next call of this method with a failure instead of delivering it.
    char refuse_method[64];
    enum charle_err refuse_code;
    int lost_moments;          // so many moments of live streams vanish on their way, and nobody is told
    int64_t vanished_moments;
};

// Opens or reopens the replica of `name` in the test's folder; `fresh` removes the file first.
void world_open(struct world *world, struct fake_server *server, const char *name, bool fresh);
enum charle_err world_try_open(struct world *world, struct fake_server *server, const char *name, bool fresh, struct charle_error *err);
void world_close(struct world *world);
void world_remove_files(const char *file);

uint64_t world_random(struct world *world, uint64_t below);
void world_connect(struct world *world, bool is_connected); // calls in flight fail when it is lost

// One step: a delivery, an answer, or a jump in time. False: nothing will ever happen without outside help.
bool world_step(struct world *world);
// Steps until the core is live and idle; fails the test when that takes more than `steps`.
void world_settle(struct world *world, int steps);
// Steps while time does not have to pass, at most `steps`.
void world_deliver(struct world *world, int steps);
enum charle_client_state world_state(struct world *world);
const char *world_problem(struct world *world);

// Calls a method on the replica as an application would.
enum charle_err world_call(struct world *world, const struct charle_method *method, const void *request, void *reply,
                           struct charle_arena *arena, int64_t *out_ticket, struct charle_error *err);
int64_t world_number(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3))); // on the replica
void world_text(struct world *world, char *out, size_t size, const char *sql);

#endif
