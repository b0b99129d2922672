// A replica that knows of a commit which the primary does not show yet.
//
// PostgreSQL sends a commit to its standbys before its own snapshots show it: with synchronous replication a whole way there and back earlier.
// So a replica that read from a standby may come to the primary with a stamp that is ahead of the primary's head, though nothing was lost.
// Before a snapshot may call such a stamp lost, every transaction that could be this commit has to have ended: those that ran when the stamp was
// seen to be ahead. A transaction id taken then is the fence: a snapshot with nothing older in progress shows all of them.
//
//   not seen -> fenced, by the first snapshot that is behind -> settled: nothing older than the fence runs, the snapshot may judge
//                                                            -> UNAVAILABLE after a second: somebody's transaction is still open
#include "base/clock.h"
#include "server/sync/parts.h"

#include <time.h>

enum {
    WAIT_US = 1000000, // a synchronous standby answers within this, or writes stand still anyway
    PAUSE_MIN_US = 1000,
    PAUSE_MAX_US = 50000
};

enum charle_err ch_ahead_check(const struct ch_ahead *ahead, struct charle_db *db, bool *out_is_settled, struct charle_error *err)
{
    int64_t oldest = 0;
    *out_is_settled = false;
    if (!ahead->fence)
        return CHARLE_OK;
    enum charle_err rc = charle_query_number(db, "select pg_snapshot_xmin(pg_current_snapshot())::text::int8", NULL, 0, &oldest, err);
    *out_is_settled = rc == CHARLE_OK && oldest >= ahead->fence;
    return rc;
}

enum charle_err ch_ahead_wait(struct ch_ahead *ahead, struct charle_db *db, struct charle_error *err)
{
    int64_t now_us = ch_clock_mono_us();
    if (!ahead->fence) {
        ahead->until_us = now_us + WAIT_US;
        ahead->pause_us = PAUSE_MIN_US;
        return charle_query_number(db, "select pg_current_xact_id()::text::int8", NULL, 0, &ahead->fence, err);
    }
    if (now_us >= ahead->until_us)
        return charle_fail(err, CHARLE_UNAVAILABLE, "a change that a standby has shown is still being committed at the primary: ask again");
    nanosleep(&(struct timespec){.tv_nsec = ahead->pause_us * 1000}, NULL);
    ahead->pause_us = ahead->pause_us * 2 < PAUSE_MAX_US ? ahead->pause_us * 2 : PAUSE_MAX_US;
    return CHARLE_OK;
}
