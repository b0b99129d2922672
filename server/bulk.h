// Long pushes take a back seat while people wait for other calls.
//
// A push of a thousand calls is one transaction: it holds the heads of its scopes until its write-ahead log is on the disk, and it takes a
// core for as long as it runs. While other calls come in, a long push is therefore run in parts: each a transaction of its own, as if the
// replica had sent less, small enough that nobody waits long behind it; one part at a time on this server, and after each a
// rest that is as long as others need to hardly feel it (server/pace.h). Alone, a push runs as it came.
//
// What comes of the calls is the same: parts are in order, and each checks the device's count and chain. When a part fails, the verdicts of the
// parts before it are the answer, and the replica sends the rest again.
//
// Long pushes have a lane of their own (engine_parts.h), so waiting here keeps nobody else from a thread.
#ifndef CHARLE_SERVER_BULK_H
#define CHARLE_SERVER_BULK_H

#include "charle/sync.charle.h"

#include "base/arena.h"
#include "base/err.h"

struct ch_bulk; // of one server; thread-safe

// NULL: no memory.
struct ch_bulk *ch_bulk_new(void);
void ch_bulk_free(struct ch_bulk *bulk); // when nobody uses it any more; NULL is fine

// Somebody waits for a call that is no long push. Never waits.
void ch_bulk_note(struct ch_bulk *bulk, int64_t now_us);
// What ch_bulk_note was told of is over; when it began and ended (monotonic). Never waits.
void ch_bulk_took(struct ch_bulk *bulk, int64_t began_us, int64_t ended_us);
// From now on pushes run as they came, and no rest is begun: the server stops.
void ch_bulk_stop(struct ch_bulk *bulk);

// Runs a push or a part of one; `request` and its calls are the caller's of ch_bulk_push, `out` lives as long as its arena.
typedef enum charle_err (*ch_bulk_run)(void *ctx, const struct charle_push_request *request, struct charle_push_reply *out, struct charle_error *err);

// Runs the push, whole or in parts, and fills in the answer of what was run: at least one part, or the error of the first. No part is begun
// after `until_us` (monotonic). Everything made is in the arena.
CHARLE_MUST_CHECK enum charle_err ch_bulk_push(struct ch_bulk *bulk, const struct charle_push_request *request, int64_t until_us, ch_bulk_run run,
                                               void *ctx, struct charle_arena *arena, struct charle_push_reply *out, struct charle_error *err);

#endif
