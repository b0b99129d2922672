// Replies of calls that made provisional numbers: what the application got is replaced by what the server answered.
//
// A call that makes a provisional number while it runs here (charle_context_provisional) gets an entry in charle_reply in its own
// transaction. The server's reply is put there with its verdict. Rows need none of this: they arrive with a page. The newest
// CH_REPLIES_KEPT_MAX answered ones are kept.
#ifndef CHARLE_CLIENT_REPLY_H
#define CHARLE_CLIENT_REPLY_H

#include "client/replica.h"

#include "charle/sync.charle.h"

// A reply is expected for this call; in its transaction.
CHARLE_MUST_CHECK enum charle_err ch_reply_expect(struct ch_replica *replica, int64_t ticket, struct charle_error *err);
// Keeps what is expected of a batch's verdicts; in their transaction. Costs one look when nothing is expected.
CHARLE_MUST_CHECK enum charle_err ch_reply_take(struct ch_replica *replica, const struct charle_verdict *const *verdicts, size_t count,
                                                struct charle_error *err);
// Calls behind this number are sent again: what was answered is void.
CHARLE_MUST_CHECK enum charle_err ch_reply_recall(struct ch_replica *replica, int64_t after, struct charle_error *err);
// Appends the server's reply of a call; DONE when there is none (yet). Through any connection whose lock is held.
CHARLE_MUST_CHECK enum charle_err ch_reply_read(struct ch_lite *sql, int64_t ticket, struct charle_buf *out, struct charle_error *err);

#endif
