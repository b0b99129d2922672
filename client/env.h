// The only door through which the core of the client sees the world: time, randomness, the network, timers and the file system.
//
// In a program client/edge.c fills it; in a simulation the simulator does. The core calls these functions from the thread that feeds
// it events, never concurrently, and never waits for anything but the disk. Answers of calls come back as events: ch_client_core_on_message,
// ch_client_core_on_done.
#ifndef CHARLE_CLIENT_ENV_H
#define CHARLE_CLIENT_ENV_H

#include "base/err.h"
#include "base/str.h"

struct ch_client_env {
    void *ctx; // first argument of every function below

    int64_t (*now_mono_us)(void *ctx); // never goes back
    int64_t (*now_wall_us)(void *ctx); // microseconds since 1970; may jump
    void (*random)(void *ctx, void *out, size_t size);

    // Starts an RPC. `id` is the core's and never 0; `request` is copied. Exactly one on_done follows, unless the call is cancelled:
    // then no event of this id follows any more. timeout_ms 0: none (streams). May not call back into the core.
    void (*call_start)(void *ctx, uint64_t id, struct charle_str method, struct charle_bytes request, uint32_t timeout_ms);
    void (*call_cancel)(void *ctx, uint64_t id);
    // The core has dealt with `size` bytes of messages of the stream: the sender may go on.
    void (*call_consumed)(void *ctx, uint64_t id, size_t size);

    // The next message of the stream, taken before its turn; waits for it at most wait_us, and not at all while somebody else wants to write to the
    // replica. Like on_message it is valid until the core returns, but at most until the next call_more. False: there is none. NULL: there never is.
    bool (*call_more)(void *ctx, uint64_t id, int64_t wait_us, struct charle_bytes *out);

    // Asks for ch_client_core_on_timer at this time of now_mono_us. There is one timer; setting it again replaces it. INT64_MAX: none.
    void (*timer_set)(void *ctx, int64_t mono_us);

    // Several programs may have the same replica open; the one that holds the lead synchronises it. Taking it again while holding it is
    // fine. NULL: always.
    bool (*lead_take)(void *ctx);
    void (*lead_drop)(void *ctx);

    // Something that people watch has changed: bits of enum charle_client_event. tables NULL with EVENT_ROWS: any. NULL: nobody listens.
    void (*changed)(void *ctx, unsigned events, const uint32_t *tables, size_t table_count);

    // Destroys the key and removes every file of the replica, which stays open here and is not touched any more. NULL: orders are not obeyed.
    enum charle_err (*wipe)(void *ctx, struct charle_error *err);

    const char *vfs; // name of the SQLite VFS for every file; NULL: the default one
};

#endif
