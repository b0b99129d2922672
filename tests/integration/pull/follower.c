// A follower: a replica that pulls once and then lives on ticks, as a live stream does.
//
// Ticks have snapshots of their own, so the reader compares, in a snapshot that comes later, the scopes whose heads
// have not moved since.
#include "base/clock.h"
#include "oracle.h"
#include "server/sync/tick.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

struct follower {
    struct puller *puller;
    struct ch_ticks *ticks;
    struct ch_tick_stream *stream; // NULL: pull first
    struct charle_buf page;
};

// One pull, and the copies it asks for. When nothing was left to copy the stream can be opened where it ended.
static enum charle_err join(struct follower *follower, struct charle_error *err)
{
    struct ch_positions positions;
    enum charle_err rc = puller_pull(follower->puller, &positions, err);
    if (rc)
        return rc == CHARLE_ABORTED ? CHARLE_OK : rc;
    puller_copy(follower->puller);
    if (!positions.is_whole)
        return CHARLE_OK;
    atomic_fetch_add(&follower->puller->oracle->rejoined, 1);
    rc = ch_tick_stream_open(follower->ticks, &positions, &follower->stream, err);
    const struct ch_sync_peer peer = {.principal = CHARLE_STR("person"), .id = charle_str(follower->puller->person)};
    if (rc == CHARLE_OK)
        rc = ch_tick_stream_belongs_to(follower->stream, &peer, false, err);
    return rc == CHARLE_ABORTED ? CHARLE_OK : rc;
}

static enum charle_err follow(struct follower *follower, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    while (follower->stream && (rc = ch_tick_stream_next(follower->stream, false, &follower->page, err)) == CHARLE_OK) {
        atomic_fetch_add(&follower->puller->oracle->ticks, 1);
        rc = puller_take_page(follower->puller, charle_buf_bytes(&follower->page), err);
        if (rc)
            return rc;
    }
    if (rc == CHARLE_ABORTED) {
        ch_tick_stream_close(follower->stream);
        follower->stream = NULL;
        return CHARLE_OK;
    }
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static int64_t head_of(struct puller *puller, const char *scope)
{
    const char *values[] = {scope};
    PGresult *result = PQexecParams(ch_pg_connection(puller->db), "select v from charle.head where scope = $1", 1, NULL,
                                    values, NULL, NULL, 0);
    int64_t head = PQntuples(result) ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    return head;
}

static enum charle_err check(struct puller *puller, struct charle_error *err)
{
    const struct charle_begin_options snapshot = {.isolation = CHARLE_REPEATABLE_READ, .is_read_only = true};
    enum charle_err rc = charle_begin(puller->db, &snapshot, err);
    bool can_compare = rc == CHARLE_OK && reader_can_compare(puller->db);
    for (size_t i = 0; can_compare && i < puller->replica.scope_count; i++) {
        struct replica_scope *scope = &puller->replica.scopes[i];
        if (scope->is_whole && head_of(puller, scope->name) == scope->stamp &&
            reader_compare(puller->oracle, puller->db, scope))
            atomic_fetch_add(&puller->oracle->followed, 1);
    }
    return rc ? rc : charle_rollback(puller->db, err);
}

void *follower_run(void *ctx)
{
    struct follower follower = {.puller = ctx};
    struct puller *puller = ctx;
    struct charle_error err = {0};
    puller->db = oracle_connect(puller->oracle);
    enum charle_err rc = ch_ticks_new(puller->oracle->sync, &follower.ticks, &err);
    while (rc == CHARLE_OK && !atomic_load(&puller->oracle->is_over)) {
        bool has_moved;
        rc = ch_ticks_poll(follower.ticks, puller->db, ch_clock_mono_us(), false, &has_moved, &err);
        if (rc == CHARLE_OK && !follower.stream)
            rc = join(&follower, &err);
        if (rc == CHARLE_OK)
            rc = follow(&follower, &err);
        if (rc == CHARLE_OK && follower.stream)
            rc = check(puller, &err);
        charle_arena_reset(&puller->arena);
        usleep(3000);
    }
    if (rc)
        oracle_fail(puller->oracle, "the follower: %s", err.text);
    ch_tick_stream_close(follower.stream);
    ch_ticks_free(follower.ticks);
    charle_buf_deinit(&follower.page);
    puller_deinit(puller);
    return NULL;
}
