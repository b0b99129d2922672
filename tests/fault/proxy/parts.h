// What the files of the proxy share. All of it belongs to the lock of the proxy; lanes and pairs are touched by its thread and, through
// commands, by others.
#ifndef CHARLE_TESTS_FAULT_PROXY_PARTS_H
#define CHARLE_TESTS_FAULT_PROXY_PARTS_H

#include "base/buf.h"
#include "fault/proxy/proxy.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

enum proxy_fault { FAULT_NONE, FAULT_DROP, FAULT_DUPLICATE, FAULT_REORDER, FAULT_LOSE, FAULT_COUNT };

enum {
    FRAME_TYPES = 16,
    QUEUE_MAX = 1 << 20,       // a lane reads no further while so many bytes wait in it
    REORDER_US = 20000,        // a frame that was held back for a next one which does not come
    ADDRESS_SIZE = 160,
};

struct piece {
    struct piece *next;
    int64_t due_us;
    size_t size, sent;
    uint8_t bytes[];
};

struct frame_plan { // one frame of the next connection
    int type;       // 0: any
    uint32_t number;
    enum proxy_fault fault;
};

// How a direction is hurt, for all connections.
struct weather {
    int64_t delay_us, jitter_us;
    uint64_t rate;                 // bytes a second; 0: no limit
    int64_t stalled_until_us;      // INT64_MAX: until told
    uint32_t chance[FAULT_COUNT];  // of a thousand
    int64_t next_cut;              // for the next connection; -1: none
    struct frame_plan next_frame;  // for the next connection
};

struct lane {
    int from, to;                  // descriptors of the pair
    struct charle_buf in;          // not a whole frame yet
    bool has_magic, is_raw;
    struct piece *first, *last;
    struct piece *held;            // to be sent after the next frame
    int64_t held_since_us;
    size_t queued;                 // bytes
    uint64_t passed;               // bytes
    int64_t cut_at;                // of `passed`; -1: none
    struct frame_plan plan;
    uint32_t seen[FRAME_TYPES];
    uint32_t seen_any;
    bool is_ended;                 // nothing more comes from `from`
    bool is_shut;                  // `to` was told so
    int64_t allowance_at_us;       // throttle
    int64_t allowance;
};

struct pair {
    struct pair *next;
    int client, server;            // server -1: not connected yet (blackhole)
    struct lane lanes[PROXY_DIRECTIONS];
    bool is_dead;
};

struct endpoint {
    bool is_unix;
    struct sockaddr_storage address;
    socklen_t size;
    char path[ADDRESS_SIZE];
};

struct proxy {
    char address[ADDRESS_SIZE];
    struct endpoint listen_at, target;
    int listener, wake;            // wake: eventfd
    pthread_t thread;
    pthread_mutex_t mutex;         // everything below
    struct pair *pairs;
    struct weather weather[PROXY_DIRECTIONS];
    uint32_t types;                // bit set that `chance` is about
    bool is_blackhole, is_refusing, is_quitting;
    uint64_t random;
    struct proxy_counts counts;
    int64_t next_us;               // when the thread has to look again
};

uint32_t proxy_random(struct proxy *proxy, uint32_t below);

// --- lane.c ---
void lane_init(struct lane *lane, int from, int to, struct weather *weather);
void lane_deinit(struct lane *lane);
// Takes what came; may kill the pair.
void lane_read(struct proxy *proxy, struct pair *pair, enum proxy_direction direction, int64_t now_us);
// Sends what is due; may kill the pair. Lowers proxy->next_us to when it has to be called again.
void lane_write(struct proxy *proxy, struct pair *pair, enum proxy_direction direction, int64_t now_us);
bool lane_wants_input(const struct proxy *proxy, const struct lane *lane);
bool lane_wants_output(const struct proxy *proxy, const struct lane *lane, enum proxy_direction direction, int64_t now_us);

// --- relay.c ---
void pair_kill(struct pair *pair, bool is_reset);

// --- command.c ---
enum charle_err command_run(struct proxy *proxy, const char *line, int64_t now_us, struct charle_error *err);

#endif
