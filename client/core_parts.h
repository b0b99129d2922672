// What the files of the core share: the whole state, and the steps that lead from one file to the next.
#ifndef CHARLE_CLIENT_CORE_PARTS_H
#define CHARLE_CLIENT_CORE_PARTS_H

#include "client/apply.h"
#include "client/core.h"
#include "client/fill.h"
#include "client/outbox.h"
#include "client/seed_part.h"

enum ch_core_phase {
    CH_PHASE_STOPPED,
    CH_PHASE_FOLLOWING,
    CH_PHASE_PAUSED,
    CH_PHASE_OFFLINE,
    CH_PHASE_OPENING,
    CH_PHASE_HOLDING,
    CH_PHASE_COPYING,
    CH_PHASE_FINISHING,
    CH_PHASE_PULLING,
    CH_PHASE_LIVE,
    CH_PHASE_BLOCKED,
    CH_PHASE_WIPING,
    CH_PHASE_WIPED,
};

// One table of one scope on its way.
struct ch_copy_stream {
    uint64_t call; // 0: free
    char scope[CH_SCOPE_LEN_MAX + 1];
    uint32_t table;
    bool has_ended;          // the last page has come
    bool is_flowing;         // a page has come: the way of the request is over
    struct charle_buf pages; // arrived and not written yet: each with its size (size_t) before it
    bool has_head;
    int64_t head_stamp;      // of the first chunk
    uint64_t head_lineage;
    struct ch_seen seen;     // the heads of all chunks so far
    int64_t rows_total;      // -1: not said
    char last_key[CH_KEY_TEXT_MAX];
    size_t last_key_len;     // 0: none yet
};

// How fast bytes come while the client does nothing but wait for them.
struct ch_line {
    int64_t bytes, waited_us;
    int64_t since_us; // when the waiting began
};
void ch_line_begin(struct ch_line *line, int64_t now_us);
void ch_line_arrived(struct ch_line *line, size_t bytes, int64_t now_us);
void ch_line_dealt(struct ch_line *line, int64_t now_us); // what has arrived is dealt with: waits again
bool ch_line_is_slower(const struct ch_line *line, int64_t rate);

// A seed file on its way (seed.c).
enum ch_seed_step {
    CH_SEED_IDLE,
    CH_SEED_ASKING,  // a Seed call is in flight
    CH_SEED_READING, // ranges are on their way
};
enum { CH_SEED_READS = 2 };
struct ch_seed_read {
    uint64_t call;      // 0: free
    uint32_t next, end; // the range that comes next, and the one behind the last
};
struct ch_seed {
    enum ch_seed_step step;
    bool is_refused;          // as long as the program runs: it did not work, or is done
    bool is_packed;           // ranges come compressed
    uint64_t call;
    struct charle_buf reply;
    struct ch_seed_part part;
    char scope[CH_SCOPE_LEN_MAX + 1];
    uint8_t hash[CH_SEED_HASH_SIZE];
    struct charle_buf hashes; // of the ranges
    int64_t size, rows, stamp;
    uint64_t lineage;
    uint32_t range_count;
    uint32_t next;            // the first one not asked for
    uint32_t good;            // that have come
    struct ch_seed_read reads[CH_SEED_READS];
    struct charle_buf unpacked;
    struct ch_line line;
    int tries;                // ranges that did not fit their hash
};

// A range of keys of a table; bounds in the server's text.
struct ch_key_range {
    struct charle_buf after, until;
    bool has_after, has_until;
    int64_t rows; // the server has about so many; -1: not known
    int tries;    // how often it was compared and differed
};

// Scopes that are fetched or compared beside a replica in use.
enum ch_acquire_step {
    CH_ACQUIRE_IDLE,
    CH_ACQUIRE_NEXT,   // look for the next table, scope or range
    CH_ACQUIRE_HASH,   // a Hash call is in flight for `range`
    CH_ACQUIRE_WAIT,   // verify: `range` differs; wait a while for the cursor to reach the head it was hashed at
    CH_ACQUIRE_FETCH,  // a Copy call is in flight for `range`
    CH_ACQUIRE_DESCRIBE, // an Open call is in flight that describes what is missing (fill.h)
    CH_ACQUIRE_STAGED, // everything is in the spool: the pull has been begun again and will apply it
};
struct ch_acquire {
    enum ch_acquire_step step;
    bool is_audit;            // a verification in the background, of one table
    size_t only_table;        // its index
    bool was_cut;             // more differed than it may fetch
    bool is_verify, is_doubtful; // asked for by a person; because a scope is in doubt
    bool is_fill;                // only what is missing since the schema changed (fill.h)
    int64_t cursor_stamp;        // of the present scope when it was begun
    uint64_t cursor_lineage;
    uint64_t call;
    struct ch_spool spool;
    bool has_spool;
    struct charle_buf scopes; // names of the scopes to do, each with a NUL
    size_t scope_at;
    int scope_state;          // of the present scope; 0: it was lost meanwhile
    bool compares;            // it has rows here; otherwise it is simply fetched
    bool is_in_table;         // the present table was begun
    bool scope_is_staged;     // its SCOPE item is in the spool
    size_t table_at;          // index in the replica's tables
    bool has_head;
    int64_t head_stamp;       // of the scope when its first chunk or hash was made
    uint64_t head_lineage;
    struct ch_seen seen;      // the heads of all of them
    struct ch_staged_scope *staged; // scopes that are done and differ; their names are in `scopes`
    size_t staged_count, staged_capacity;
    struct ch_key_range range; // at hand
    int64_t hashed_stamp;     // the head of the last Hash
    int64_t wait_until;       // in the step WAIT: then it is asked again in any case
    struct ch_key_range *ranges; // still to compare, last first
    size_t range_count, range_capacity;
    bool range_is_staged;     // its RANGE item is in the spool
    bool has_ended;           // the last page of the Copy has come
    struct charle_buf reply;  // of a Hash
    struct charle_buf last_key; // of the last page that arrived, to go on behind
    struct charle_verify_report report;
};
// What people wish about synchronising, and the bytes of this period (meter.c).
struct ch_meter {
    bool is_loaded, is_paused;
    int64_t version;    // grows when somebody sets it
    int64_t budget;     // bytes a period; 0: no limit
    int64_t period_us;
    int64_t started_us; // the period, wall clock
    int64_t used;       // in it
    int64_t saved;      // of `used`, in the file
    bool is_refusing;   // to open a session now
};

// Files on their way (transfer.c).
struct ch_transfer {
    uint64_t up_call, down_call;
    struct charle_buf up_reply, down_reply;
    struct ch_file up, down;            // what the calls are about
    int64_t up_at;                      // the byte that the server wants next of `up`; -1: it has to be asked (Offer)
    bool has_upload, has_download;      // there may be something to do: look
    int up_failures, down_failures;     // one after another
    int64_t up_retry_at, down_retry_at; // not before
};

// Comparing in the background (audit.c).
struct ch_audit {
    int64_t default_us;   // between two audits when the file says nothing; 0: never
    bool is_loaded;
    int64_t period_us;    // 0: switched off
    int64_t due_at, quiet_at;
};

// The order to wipe this replica (order.c).
struct ch_order {
    uint64_t call;           // Order, or after the wipe Wiped
    struct charle_buf reply;
    bool is_wanted;          // there may be an order: ask
    uint32_t order;          // 0: none
    int64_t until;           // pushing goes on so long
    bool is_wiped, is_reported;
    int64_t calls_lost;
    int failures;
    int64_t retry_at;
    char device_id[CH_ID_LEN + 1], device_key[80];
};

struct ch_client_core {
    const struct ch_client_env *env;
    struct ch_replica *replica;
    enum ch_core_phase phase;
    bool is_started, is_connected, is_ready;
    const char *const *first; // see ch_client_core_set_first
    bool copies_part;         // the copy in progress leaves out scopes that are not among the first
    uint64_t last_id;
    struct charle_arena arena; // of the event at hand
    struct charle_buf out;     // a request being written
    char problem[240];
    enum charle_err problem_code;

    // Trying again.
    int failures;
    int64_t retry_at;   // of the phase OFFLINE or BLOCKED; 0: as soon as connected
    int64_t lead_at;    // of the phase FOLLOWING
    struct ch_meter meter;
    int64_t poll_at;    // look whether another program wrote
    int64_t watch_at;   // the live stream has been silent for too long
    int64_t contact_at_us; // wall clock

    uint64_t open_call;
    struct charle_opt_uint8 lineage; // of the session's database; absent while only probing whose the numbers are
    bool has_sent_shape; // with the Open in flight, or the one before it
    struct charle_buf reply; // of the unary call in flight that is Open or Hash

    // Copying.
    bool offers_seeds;  // the server of this session
    bool ignores_seeds; // the application does not want them
    bool wants_zstd;    // the line is slow, or bytes are counted
    bool has_wide_line; // much may be on its way: the line was seen to be fast
    struct ch_line line; // while rows are copied
    struct ch_seed seed;
    struct ch_copy_stream copies[CH_COPY_STREAMS_MAX];
    struct charle_buf scratch;
    int64_t copy_started_at, rows_copied, rows_before, rows_total;

    // Pulling.
    uint64_t pull_call;
    struct ch_moment moment;
    bool pull_completes_copy; // its first moment is the exact delta behind the first copy
    bool has_moment;          // since the pull began
    int64_t contained;        // the number of the last call that a moment contained
    uint64_t pages_applied, calls_run_again;
    // A pull that is answered once, for somebody who waits for a moment not older than now.
    uint64_t probe_call;
    struct ch_moment probe;
    int64_t probe_ticket;
    // Stream and single pull overtake each other. Changes of rows have stamps; which scopes are held has none, so what one of them says of that
    // makes the other's answers that are on their way too old to be believed.
    uint64_t holdings, probe_holdings; // how often it changed; when the pull was asked

    struct ch_acquire acquire;
    int acquire_failures;     // since the last one that succeeded
    struct ch_fill fill;      // what is missing since the schema changed
    bool acquire_wanted;      // a moment said that scopes are gained or in doubt

    // Pushing.
    uint64_t push_call;
    struct charle_buf push_reply;
    struct ch_push_sent {
        int64_t first_number, last_number;
        size_t count;
        bool is_full; // more calls may wait behind it
    } push_sent,              // of the call in flight
        push_next;            // of the batch that is ready to follow; count 0: none
    struct charle_buf push_next_request;
    size_t push_count_max;  // after trouble with a batch: less than it had, or 1 to find the call that makes it; 0: the usual
    size_t push_most;       // calls that this server takes at once; 0: it has not said
    int push_successes;     // batches in a row that went well since
    int push_failures;
    int64_t push_at;        // not before
    bool push_wanted;
    bool push_is_probing;   // the server says this device's numbers are somebody else's: which of our calls has it seen?
    int64_t recall_after;   // the server lost calls behind this number; -1: none. Nothing is pushed until the next moment
    bool renew_after_recall;

    struct ch_transfer transfer;
    struct ch_order order;
    struct ch_audit audit;

    // People who wait.
    int64_t sync_wanted, sync_done, sync_mark; // sync_mark: the outbox's last position when it was asked for
    int64_t file_sync_wanted; // of followers, by charle_meta
    int64_t verify_wanted, verify_done;
    struct charle_verify_report verify_report;
    struct charle_error verify_error; // why the last one came to nothing; code OK: it did not
};

// Starts an RPC with a message of this type; 0 when it could not be encoded (the session is then over).
uint64_t ch_core_call(struct ch_client_core *core, const char *method, const struct charle_message *type, const void *message,
                      uint32_t timeout_ms);
void ch_core_cancel(struct ch_client_core *core, uint64_t *call);

// The session with the server is over: cancels everything, remembers why, waits, opens again. Codes that only a person can mend block.
void ch_core_end_session(struct ch_client_core *core, enum charle_err code, const char *text);
// The same for a failure in *err.
void ch_core_fail(struct ch_client_core *core, const struct charle_error *err);
void ch_core_set_phase(struct ch_client_core *core, enum ch_core_phase phase);
void ch_core_changed(struct ch_client_core *core, unsigned events); // tells watchers, with the tables that changed
int64_t ch_core_now(const struct ch_client_core *core);
void ch_core_contact(struct ch_client_core *core); // the server gave a sign
void ch_core_want_push(struct ch_client_core *core); // there may be calls to push: looks as soon as the server can be asked

void ch_core_cancel_all(struct ch_client_core *core);
void ch_core_settle(struct ch_client_core *core); // at the end of every event and wish: begins what has become possible, sets the timer

// open.c
void ch_core_open_begin(struct ch_client_core *core); // from OFFLINE or BLOCKED, connected; may end in either again
void ch_core_open_on_done(struct ch_client_core *core, enum charle_err code, struct charle_str text);
void ch_core_open_cancel(struct ch_client_core *core);
// An Open request with everything but the schema.
CHARLE_MUST_CHECK enum charle_err ch_core_fill_open(struct ch_client_core *core, struct charle_open_request *request, struct charle_error *err);

// meter.c
void ch_meter_roll(struct ch_meter *meter, int64_t now_us); // into the period of now
CHARLE_MUST_CHECK enum charle_err ch_meter_read(struct ch_lite *sql, int64_t now_us, struct ch_meter *out, struct charle_error *err);
void ch_core_meter_load(struct ch_client_core *core);       // what the file says; of the bytes only when somebody set them anew
void ch_core_meter_note(struct ch_client_core *core, size_t bytes); // were sent or received
void ch_core_meter_step(struct ch_client_core *core);       // pauses, holds, goes on
bool ch_core_meter_may_open(struct ch_client_core *core);   // a session; says why not
bool ch_core_meter_may_push(const struct ch_client_core *core);
int64_t ch_core_meter_wish(const struct ch_client_core *core);
void ch_core_go_on(struct ch_client_core *core);            // with an open session: copies or pulls, if the budget allows

// copy.c
void ch_core_copy_begin(struct ch_client_core *core);  // or goes on where it was
void ch_core_copy_go_on(struct ch_client_core *core);  // behind a seed file, or without one
void ch_core_copy_on_message(struct ch_client_core *core, struct ch_copy_stream *stream, struct charle_bytes message);
void ch_core_copy_on_done(struct ch_client_core *core, struct ch_copy_stream *stream);
void ch_core_copy_finish_step(struct ch_client_core *core);
void ch_core_copy_flush(struct ch_client_core *core);  // writes what has arrived; may end the session
void ch_core_copy_cancel(struct ch_client_core *core);

// seed.c
bool ch_core_seed_begin(struct ch_client_core *core);  // false: nothing for it here; true: ch_core_copy_go_on follows
bool ch_core_seed_on_message(struct ch_client_core *core, uint64_t id, struct charle_bytes message); // false: not one of its calls
bool ch_core_seed_on_done(struct ch_client_core *core, uint64_t id, enum charle_err code, struct charle_str text); // the same
void ch_core_seed_cancel(struct ch_client_core *core); // the session ended: what has come stays
void ch_core_seed_deinit(struct ch_client_core *core);

// pull.c
void ch_core_pull_begin(struct ch_client_core *core, bool completes_copy);
void ch_core_pull_on_message(struct ch_client_core *core, struct charle_bytes message);
void ch_core_probe_step(struct ch_client_core *core);
void ch_core_probe_on_message(struct ch_client_core *core, struct charle_bytes message);
void ch_core_pull_cancel(struct ch_client_core *core);

// push.c
void ch_core_push_step(struct ch_client_core *core);
void ch_core_push_on_done(struct ch_client_core *core, enum charle_err code, struct charle_str text);
void ch_core_push_cancel(struct ch_client_core *core);

// transfer.c
void ch_core_transfer_step(struct ch_client_core *core); // whenever something may have become possible
void ch_core_transfer_look(struct ch_client_core *core); // there may be new files or wishes
bool ch_core_transfer_on_message(struct ch_client_core *core, uint64_t id, struct charle_bytes message); // false: not its call
bool ch_core_transfer_on_done(struct ch_client_core *core, uint64_t id, enum charle_err code, struct charle_str text);
void ch_core_transfer_pause(struct ch_client_core *core); // the session ended: its calls are gone
int64_t ch_core_transfer_wish(const struct ch_client_core *core);
bool ch_core_files_are_stuck(const struct ch_client_core *core); // nobody should wait for calls that wait for files

// audit.c
bool ch_core_audit_is_due(struct ch_client_core *core);
// The next table to compare; scope ptr NULL: there is none. In the core's arena.
CHARLE_MUST_CHECK enum charle_err ch_core_audit_pick(struct ch_client_core *core, struct charle_str *out_scope, size_t *out_table,
                                                     struct charle_error *err);
void ch_core_audit_finished(struct ch_client_core *core, struct charle_str scope, uint32_t table, const struct charle_verify_report *report,
                            bool is_whole);
void ch_core_audit_note(struct ch_client_core *core);   // something was written
void ch_core_audit_reload(struct ch_client_core *core); // the file says something new
int64_t ch_core_audit_wish(const struct ch_client_core *core);

// order.c
void ch_core_order_step(struct ch_client_core *core);
void ch_core_order_take(struct ch_client_core *core, uint32_t order); // the server says so
void ch_core_order_hint(struct ch_client_core *core);                 // there may be one
bool ch_core_order_holds(const struct ch_client_core *core);          // nothing is to be fetched any more
bool ch_core_order_on_message(struct ch_client_core *core, uint64_t id, struct charle_bytes message);
bool ch_core_order_on_done(struct ch_client_core *core, uint64_t id, enum charle_err code);
int64_t ch_core_order_wish(const struct ch_client_core *core);

// acquire.c
void ch_core_acquire_step(struct ch_client_core *core); // whenever something may have become possible
void ch_core_acquire_on_message(struct ch_client_core *core, struct charle_bytes message);
void ch_core_acquire_on_done(struct ch_client_core *core);
void ch_core_acquire_applied(struct ch_client_core *core, int64_t rows_different); // the staged rows are in
void ch_core_acquire_refused(struct ch_client_core *core); // the server does not take the description of what is missing
void ch_core_acquire_pause(struct ch_client_core *core); // the session ended: its call is gone, what is staged stays
void ch_core_acquire_reset(struct ch_client_core *core);
// What is staged, when everything is; NULL before.
// newest.c: the newest stamps seen of each scope, in the event's arena, for `at_least`; cursors are left out where the request names them
// anyway. False: they cannot be named, so only the primary may be read.
bool ch_core_newest(struct ch_client_core *core, bool with_cursors, struct charle_array *out);
const struct ch_staged *ch_core_acquire_staged(struct ch_client_core *core, struct ch_staged *room);
int64_t ch_core_acquire_wish(const struct ch_client_core *core); // when it wants to be stepped again; INT64_MAX: not by time

#endif
