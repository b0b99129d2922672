// Hot standbys that reads may go to: pulls, copies and hashes, so that the primary has its hands free for writes.
//
// Each standby is watched: is it one, on the primary's line, and how far behind? One that is more than lag_max_ms behind, cannot be reached, or
// was promoted is left out until it is good again; then, and when a standby's moment is too old for what is asked, the primary is read.
// Reading from a standby is never needed and never decides anything (server/sync/standby.c), so whatever happens to it costs time only.
#ifndef CHARLE_SERVER_STANDBY_H
#define CHARLE_SERVER_STANDBY_H

#include "db/pg/pool.h"
#include "server/sync/sync.h"

#define CH_STANDBYS_MAX 4

struct ch_standbys;

struct ch_standbys_options {
    const char *const *urls;
    size_t count; // at most CH_STANDBYS_MAX
    struct ch_pg_pool *primary;
    struct ch_pg_options connection; // for connections to standbys
    int connections_max;             // to each
    uint32_t lag_max_ms;
};

struct ch_standby_figures {
    char name[200]; // host:port/database
    bool is_used;
    int64_t lag_us; // -1: not known
    char problem[160];
    uint64_t reads, passed_on;
};

// Standbys need not be there yet. The texts must outlive it.
CHARLE_MUST_CHECK enum charle_err ch_standbys_start(const struct ch_standbys_options *options, struct ch_standbys **out,
                                                    struct charle_error *err);
void ch_standbys_stop(struct ch_standbys *standbys); // when nobody reads any more; NULL is fine

// Reads on a handle of a standby, given the rule that its snapshot must keep. As functions of sync.h answer: UNAVAILABLE is tried again for a
// moment, any other failure ends it.
typedef enum charle_err (*ch_standby_read)(void *ctx, struct charle_db *db, const struct ch_standby *rule, struct charle_error *err);
// Runs `read` on a standby, on the caller's thread. OK: it has answered. Otherwise the primary is to be read: there is no standby that may be
// used, or the one that was tried could not answer. `standbys` NULL: there is none.
CHARLE_MUST_CHECK enum charle_err ch_standbys_read(struct ch_standbys *standbys, ch_standby_read read, void *ctx, struct charle_error *err);

size_t ch_standbys_figures(struct ch_standbys *standbys, struct ch_standby_figures out[CH_STANDBYS_MAX]); // how many there are

#endif
