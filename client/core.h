// The state machine that keeps a replica in step with its server. No threads, no blocking but on the disk, no globals: it is fed events and
// acts through its env (client/env.h). Whoever feeds it does so from one thread at a time.
//
//   STOPPED ──start──► FOLLOWING ──lead──► OFFLINE ──connected──► OPENING ──► COPYING ──► FINISHING ──► PULLING ──► LIVE
//                                             ▲                       └──────── replica is ready ──────────▲          │
//                                             └──────────── connection lost, or any call failed: back-off ────────────┘
//   BLOCKED: the server refuses this replica or its token: tried again slowly, or at once with a new token.
//
//   state       calls in flight        what moves it on
//   PAUSED      none                   a person resumes (meter.c)
//   HOLDING     none, or Push          the session is open; calls come first, or the budget of bytes is used (meter.c)
//   OPENING     Open                   its reply: who we are, which scopes, which calls the server knows
//   COPYING     up to three Copy       all tables of all scopes are here (copy.c)
//   FINISHING   none                   the indexes are made, one a timer event
//   PULLING     Pull (live)            the first complete moment: from then on the replica is ready
//   LIVE        Pull (live)            stays; each moment becomes one transaction
//
// Beside PULLING and LIVE run: pushing (push.c), at most one Push in flight; and in LIVE acquiring (acquire.c): scopes that were gained, are in
// doubt, or are to be verified are fetched or compared into a spool, then the pull is begun again with their cursors and both are
// applied as one moment.
//
// What survives a crash is in the replica's file; the state itself is not: a restart begins at STOPPED and finds its way from the
// cursors, the copy's progress and the outbox.
#ifndef CHARLE_CLIENT_CORE_H
#define CHARLE_CLIENT_CORE_H

#include "charle/charle.h"
#include "client/env.h"
#include "client/replica.h"

struct ch_client_core;

CHARLE_MUST_CHECK enum charle_err ch_client_core_new(const struct ch_client_env *env, struct ch_replica *replica,
                                                     struct ch_client_core **out, struct charle_error *err);
// Names of tables, audiences and scopes that a first copy fetches first, NULL at the end; NULL: none. They must outlive the core.
void ch_client_core_set_first(struct ch_client_core *core, const char *const *names);
void ch_client_core_ignore_seeds(struct ch_client_core *core); // a first copy goes row by row
// Compares one table of one scope with the server each time so long has passed, unless the file says otherwise. 0, the default: never.
void ch_client_core_set_audit(struct ch_client_core *core, int64_t period_us);
void ch_client_core_free(struct ch_client_core *core); // cancels calls in flight; NULL is fine

// --- wishes -------------------------------------------------------------------------------------------------------------

void ch_client_core_start(struct ch_client_core *core);
void ch_client_core_stop(struct ch_client_core *core);  // drops the lead; calls in flight are cancelled
void ch_client_core_kick(struct ch_client_core *core);  // a call was queued
void ch_client_core_files(struct ch_client_core *core); // a file was added, or is wanted
void ch_client_core_policy(struct ch_client_core *core); // the file says something new about pausing or the budget
void ch_client_core_retry(struct ch_client_core *core); // now: a new token, a wake from suspend, somebody is impatient

// Asks for one complete synchronisation: all calls queued by now confirmed, and a moment not older than now. Returns a ticket;
// done when ch_client_core_synced() >= ticket. In a follower the leader is asked to do it.
int64_t ch_client_core_sync(struct ch_client_core *core);
int64_t ch_client_core_synced(const struct ch_client_core *core);

// Asks for a comparison of everything with the server. Returns a ticket as above; *out is valid once
// ch_client_core_verified() >= ticket. Only the leader can: 0 otherwise.
int64_t ch_client_core_verify(struct ch_client_core *core);
int64_t ch_client_core_verified(const struct ch_client_core *core, struct charle_verify_report *out);
const struct charle_error *ch_client_core_verify_error(const struct ch_client_core *core); // code OK: it came to its end

// --- events -------------------------------------------------------------------------------------------------------------

void ch_client_core_on_connected(struct ch_client_core *core, bool is_connected);
// One message of call `id`; valid during the call. Unary calls have one before their done.
void ch_client_core_on_message(struct ch_client_core *core, uint64_t id, struct charle_bytes message);
void ch_client_core_on_done(struct ch_client_core *core, uint64_t id, enum charle_err code, struct charle_str text);
void ch_client_core_on_timer(struct ch_client_core *core);

// --- looking ------------------------------------------------------------------------------------------------------------

// What the core itself knows: state, problem, contact, progress. Everything about the file is left zero.
// The code behind the status' problem, and how many sessions have ended since the last one that went live.
enum charle_err ch_client_core_problem(const struct ch_client_core *core, int *out_failures);
bool ch_client_core_has_wide_line(const struct ch_client_core *core); // much may be on its way: the line is fast, and bytes are not counted
void ch_client_core_status(const struct ch_client_core *core, struct charle_client_status *out);

#endif
