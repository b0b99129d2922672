// What can be taken out of a damaged replica into a new one. Its public face is charle_replica_rescue.
#ifndef CHARLE_CLIENT_SALVAGE_H
#define CHARLE_CLIENT_SALVAGE_H

#include "charle/charle.h"
#include "client/replica.h"

// Takes over the calls, the verdicts and the identity that `from` still shows, in one transaction of `to`, a new replica that nobody uses yet. `from` is a
// connection to the damaged file that reads what can be read; it is only read, and `name` says in sentences which file it is. *out tells
// what was kept and skipped; of files nothing. Errors: DATA_LOSS (nothing can be read), NO_MEMORY, IO, DISK_FULL; `to` is as it was then.
CHARLE_MUST_CHECK enum charle_err ch_salvage_calls(const char *name, sqlite3 *from, struct ch_replica *to, struct charle_rescue_report *out,
                                                   struct charle_error *err);

#endif
