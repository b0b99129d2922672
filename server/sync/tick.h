// Ticks: what changed from one moment of the server to the next, made once for everybody (docs/decisions/0003-ticks.md).
//
// One follower, owned by one thread, knows the newest stamp of every scope. ch_ticks_poll asks PostgreSQL whether heads moved; if so it reads
// one snapshot and appends one tick to the ring: for each scope that moved, from which stamp to which, and, for scopes that somebody
// watches, the encoded pieces of its delta.
//
//   known heads   every scope there is
//   ring          the newest ticks, bounded by number and bytes; what falls out is forgotten
//   stream        a replica's position: for each of its scopes the stamp it has, and the tick it reads next
//
// A delta applies to a position between its two stamps, so a stream that comes from a snapshot of its own (ch_pull) joins at any tick. It is told
// to pull again (ABORTED) when the ring does not reach back to its position, when what its person may see has changed, or when the
// database went back in time. Nothing here is ever an error for the replica: a pull from its position is always right.
//
// A large tick is given out while it is still being read: ch_tick_stream_part. What it gives is void if the reading fails, which replicas hear by the
// first page of the pull that follows.
//
// Not thread-safe; nothing here waits but for PostgreSQL.
#ifndef CHARLE_SERVER_SYNC_TICK_H
#define CHARLE_SERVER_SYNC_TICK_H

#include "server/sync/sync.h"

struct ch_ticks;
struct ch_tick_stream;

CHARLE_MUST_CHECK enum charle_err ch_ticks_new(const struct ch_sync *sync, struct ch_ticks **out, struct charle_error *err);
void ch_ticks_free(struct ch_ticks *ticks); // all streams must be closed; NULL is fine

// Looks at the database. Cheap while nothing moved: one statement. `is_forced` reads the heads whether or not something seems to have moved
// (after an own commit). *out_moved says whether a tick was added. After a failure nothing is known to be current until the next success.
CHARLE_MUST_CHECK enum charle_err ch_ticks_poll(struct ch_ticks *ticks, struct charle_db *db, int64_t now_mono_us, bool is_forced,
                                                bool *out_moved, struct charle_error *err);

// Called in the middle of ch_ticks_poll, whenever about a page more of an unfinished tick is there: the time to ask streams for their part.
typedef void (*ch_ticks_part_fn)(void *ctx);
void ch_ticks_on_part(struct ch_ticks *ticks, ch_ticks_part_fn part, void *ctx);

// When the last successful poll began (monotonic, microseconds); 0: never. What the follower knows is true for that moment.
int64_t ch_ticks_polled_at_us(const struct ch_ticks *ticks);

void ch_ticks_ring(const struct ch_ticks *ticks, uint64_t *out_ticks, size_t *out_bytes); // how full it is

// The scopes that were raised most since about a minute or two ago, busiest first, in the arena. False: out of memory.
struct ch_tick_heat {
    struct charle_str scope;
    int64_t raises;
};
bool ch_ticks_hottest(const struct ch_ticks *ticks, size_t max, struct charle_arena *arena, struct ch_tick_heat **out, size_t *out_count);

// Counts ticks after which a person's scopes may be others than before: sessions compare it with what they saw, and so does who opens a stream with
// scopes that were read in another snapshot, since only streams that are open are looked at.
uint64_t ch_ticks_grants_generation(const struct ch_ticks *ticks);

// Is the replica at the newest moment that the follower knows, with exactly the scopes of its person? Then an empty page is the right answer to
// its pull, and PostgreSQL need not be asked. `scopes` are the session's, sorted, without the device's own. Only after a ch_ticks_note of the device.
bool ch_ticks_is_current(const struct ch_ticks *ticks, const struct charle_pull_request *request, const struct charle_str *scopes,
                         size_t scope_count);

// Remembers the device's last call as a ch_pull found it, so that the next pull need not ask.
CHARLE_MUST_CHECK enum charle_err ch_ticks_note(struct ch_ticks *ticks, struct charle_str device_id, const struct ch_positions *positions,
                                                struct charle_error *err);

// Opens a stream at the position that ch_pull left; positions are copied. ABORTED: pull again.
CHARLE_MUST_CHECK enum charle_err ch_tick_stream_open(struct ch_ticks *ticks, const struct ch_positions *positions,
                                                      struct ch_tick_stream **out, struct charle_error *err);
// The same for a replica of which ch_ticks_is_current has just said that it has everything.
CHARLE_MUST_CHECK enum charle_err ch_tick_stream_open_current(struct ch_ticks *ticks, const struct charle_pull_request *request,
                                                              struct ch_tick_stream **out, struct charle_error *err);
// Whose stream it is: from now on a change of grants sends it to a pull only if this person's scopes are others than the stream's. Without it any
// does, and with `is_partial`: the replica was told of scopes that it has yet to copy, and must hear when they are taken back.
CHARLE_MUST_CHECK enum charle_err ch_tick_stream_belongs_to(struct ch_tick_stream *stream, const struct ch_sync_peer *peer, bool is_partial,
                                                            struct charle_error *err);
// From now on the stream gives no pages: as soon as there is something for it, it is told to pull again. For a replica of another version of
// the schema, which cannot take the encoded changes that all others share.
void ch_tick_stream_only_tells(struct ch_tick_stream *stream);
// What the stream has not been given of what is in the ring: stamps of its scopes, and bytes.
void ch_tick_stream_backlog(const struct ch_tick_stream *stream, int64_t *out_stamps, size_t *out_bytes);
void ch_tick_stream_close(struct ch_tick_stream *stream); // NULL is fine

// The cursors of what was sent, in the arena: with them a pull goes on where the stream cannot. is_repeat: the last page was not sent. Repeated
// calls want is_repeat false only once for a page. False: out of memory.
bool ch_tick_stream_cursors(struct ch_tick_stream *stream, bool is_repeat, struct charle_arena *arena, struct charle_array *out);

// Writes what the unfinished tick has for the stream so far into `page` (emptied first), as a page that is not the moment's last. False: nothing yet, or
// it has to be asked for by ch_tick_stream_next. This one counts as sent like those of ch_tick_stream_next; is_repeat as there.
bool ch_tick_stream_part(struct ch_tick_stream *stream, bool is_repeat, struct charle_buf *page);

// Writes the next page for the stream into `page` (emptied first): OK; DONE when it has everything. ABORTED: pull again. A page that could not
// be sent is asked for again with is_repeat.
CHARLE_MUST_CHECK enum charle_err ch_tick_stream_next(struct ch_tick_stream *stream, bool is_repeat, struct charle_buf *page,
                                                      struct charle_error *err);

#endif
