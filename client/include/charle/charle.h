// libcharle: a replica of the part of a CharleOS database that its user may see, in one SQLite file.
//
// Open a client with a file, a server and a token; read with the typed query builder or plain SQL at memory speed; call services.
// A call that can be made offline runs at once on the replica, is on the disk when it returns, and reaches the server when there is a
// network. docs/client.md is the guide; this header is the contract. What is not declared here is not supported.
//
// Errors. Functions that can fail return a code of enum charle_err (base/err.h); 0 is success. The last parameter takes the detail, a
// plain sentence, and may be NULL.
// Threads. A client may be used from any thread unless a comment says otherwise. It does not survive fork().
// Zero means the default in every options struct, so `{0}` or {.file = "…"} is a good start.
#ifndef CHARLE_CHARLE_H
#define CHARLE_CHARLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHARLE_VERSION_MAJOR 0
#define CHARLE_VERSION_MINOR 1
#define CHARLE_VERSION_PATCH 0

#ifndef CHARLE_MUST_CHECK
#define CHARLE_MUST_CHECK __attribute__((warn_unused_result))
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct charle_client;
struct charle_client_live;
struct charle_arena;  // base/arena.h
struct charle_db;     // db/db.h
struct charle_error;  // base/err.h
struct charle_method; // call/method.h
struct charle_query;  // db/query.h
struct charle_schema; // db/schema.h; the generated code defines one
struct charle_value;  // db/value.h

// "0.1.0" of the library, which may differ from that of the header.
const char *charle_version(void);

// --- life cycle -------------------------------------------------------------------------------------------------------

// What opens an encrypted replica: a passphrase, or 32 bytes that the application keeps elsewhere (a key ring, a smart card). One of
// the two. Only read during the call.
struct charle_client_key {
    const char *passphrase;
    const uint8_t *bytes;
};

struct charle_client_options {
    const char *file;                    // the replica; made with its folder when missing. Required.
    const struct charle_schema *schema;  // required
    const char *url;                     // "tcp://host:4317", "tls+tcp://…", "ipc:///…"; NULL: as kept in the file, else offline
    const char *token;                   // of charle_login; NULL: calls go out unsigned and synchronisation waits for a token
    const char *device_name;             // what people see in the list of devices; NULL: the host's name
    const char *tls_ca_file;             // pins the authority that signed the server's certificate
    const char *tls_server_name;
    uint32_t lock_timeout_ms;            // how long to wait for another program that writes to the replica; 30,000
    // What a first copy fetches first, in this order; NULL at the end. "user", "client:42": audiences and scopes. They alone make the
    // replica ready: it then shows one moment of these scopes, can be called on and is kept in step, while the rest is fetched beside it and
    // shown at a later moment, all at once. "task": a table; it only comes before others, nothing is shown for it earlier.
    const char *const *first;
    bool ignores_seed_files;             // a first copy goes row by row, even when the server has a file that would be quicker
    bool is_read_only;                   // queries only: the file is not written, not even created
    const struct charle_client_key *key; // a new replica is made encrypted, an encrypted one is opened; NULL: in clear
};

// Opens the replica; needs no network and does not start synchronising. *out is set on success only.
// Errors: INVALID_ARGUMENT (options), READ_ONLY, DISK_FULL, IO, DATA_LOSS (the file is damaged or no replica), SCHEMA_MISMATCH
// (made for another schema by name), BUSY, PERMISSION_DENIED (an encrypted replica without its key, or with a wrong one),
// FAILED_PRECONDITION (a key for a replica that is not encrypted), NOT_FOUND (the key file is missing).
CHARLE_MUST_CHECK int charle_client_open(const struct charle_client_options *options, struct charle_client **out,
                                         struct charle_error *err);

// Stops synchronising, waits for calls in progress, closes the file. Handles of charle_client_db_open must be closed before.
// NULL is fine. Not from a watch callback.
void charle_client_close(struct charle_client *client);

// Synchronises in the background from now on: first copy, then live. Of several programs on one replica one does the work; when it
// ends another takes over within two seconds. Idempotent.
CHARLE_MUST_CHECK int charle_client_start(struct charle_client *client, struct charle_error *err);

// Stops it and waits until it has stopped. Idempotent. Not from a watch callback.
void charle_client_stop(struct charle_client *client);

// Synchronises once and waits: every call made before is confirmed or refused by the server, and the replica shows a moment of the
// server that is not older than this call. Works whether or not the background is started. timeout_ms 0: no limit.
// Errors: DEADLINE_EXCEEDED and UNAVAILABLE say how far it came; what arrived stays.
CHARLE_MUST_CHECK int charle_client_sync(struct charle_client *client, uint32_t timeout_ms, struct charle_error *err);

// Pauses synchronising, or lets it go on: nothing is sent or asked for but the connection's own heartbeat. Reading and offline calls go on; calls
// are kept. Kept in the file, so it holds for every program on this replica and after a restart. While it is paused
// charle_client_sync and charle_client_verify fail with FAILED_PRECONDITION.
CHARLE_MUST_CHECK int charle_client_set_paused(struct charle_client *client, bool is_paused, struct charle_error *err);

// Metered mode: at most `budget` bytes of synchronisation, both directions, without framing, in each period of period_s seconds (0: a day);
// the first one begins now. budget 0: no limit; less than 64 KiB is INVALID_ARGUMENT. Kept in the file, as above.
// With a budget waiting calls go out first, and nothing is fetched before they have. At nine tenths of it nothing more is fetched; the last tenth is
// for calls and their verdicts. What waits then is the copy (it goes on where it was) or the next moment (the replica stays at the
// last one). A moment that has begun to arrive is finished, and up to 1 MiB may be on its way: that much can be used
// too much, and is taken from the next period. charle_client_sync fails with RESOURCE_EXHAUSTED once the bytes are used.
CHARLE_MUST_CHECK int charle_client_set_meter(struct charle_client *client, int64_t budget, uint32_t period_s, struct charle_error *err);

// The audit: each every_s seconds (0: the default, an hour; negative: never) one table of one scope is compared with the server in the
// background and mended, as charle_client_verify does with all of them, while the replica is live and nothing else goes on, and never with a
// budget of bytes. Kept in the file, as above. The status counts what it found.
CHARLE_MUST_CHECK int charle_client_set_audit(struct charle_client *client, int32_t every_s, struct charle_error *err);

// Takes effect with the next call.
void charle_client_set_token(struct charle_client *client, const char *token);

// --- encryption at rest ---------------------------------------------------------------------------------------------------
//
// An encrypted replica is `file` and `file`.key: the first is sealed under a data key, which the second keeps wrapped by the user's key.
// docs/client.md says what it protects against. All three work on paths, without an open client.

// Changes the passphrase or key at once; the data key and the file stay, and programs that have it open go on.
// Errors: PERMISSION_DENIED for a wrong old key, INVALID_ARGUMENT for a new one that is too short, IO, DISK_FULL, BUSY.
CHARLE_MUST_CHECK int charle_replica_rekey(const char *file, const struct charle_client_key *old_key,
                                           const struct charle_client_key *new_key, struct charle_error *err);

// Writes the whole replica anew under a new data key: encrypts one in clear, or renews the data key of an encrypted one, whose key is
// `key` and stays so. A crash leaves the old or the new replica. Needs the space of a second copy.
// Errors: BUSY while any program has it open, and those of charle_client_open.
CHARLE_MUST_CHECK int charle_replica_encrypt(const char *file, const struct charle_client_key *key, struct charle_error *err);

// Writes the replica into one file to take elsewhere: its rows as of one moment, its unsent calls, its attachments, its key file when it is
// encrypted (sealed as it is). The file is complete or not there, and carries a hash. Mode 0600: it is as secret as the replica. Reading and calling go on.
// Errors: ALREADY_EXISTS, IO, DISK_FULL (a second copy and the file itself need room), NO_MEMORY.
CHARLE_MUST_CHECK int charle_client_export(struct charle_client *client, const char *file, struct charle_error *err);

// Makes a replica of an export at options->file, which must not exist; options as for charle_client_open, with the original's key. The new
// replica has the unsent calls and becomes a device of its own at its first contact; calls that the original has sent, or will
// send, are run once. It belongs to the same person. Nothing is left behind on failure.
// Errors: DATA_LOSS (no export, incomplete, damaged), NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED (key), SCHEMA_MISMATCH, IO, DISK_FULL.
CHARLE_MUST_CHECK int charle_replica_import(const char *export_file, const struct charle_client_options *options, struct charle_error *err);

struct charle_rescue_report {
    int64_t calls;          // that were not confirmed and are kept
    int64_t calls_skipped;  // numbers of calls that could not be read; some of them were never given
    int64_t verdicts;       // kept in the inbox
    int64_t files;          // attachments that were not sent and are kept
    int64_t files_skipped;  // that could not be read whole; -1: nobody can say how many there were
    bool has_identity;      // calls keep their numbers, so that none is run twice; otherwise one that was on its way may be
};

// Takes what was not sent, calls and attachments, out of a damaged replica into a new one at options->file, which must not exist; options as for charle_client_open, with
// the damaged one's key. The damaged file is only read. Rows come again with the first copy, on which the calls then run.
// Errors: DATA_LOSS (nothing can be read), NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, IO, DISK_FULL.
CHARLE_MUST_CHECK int charle_replica_rescue(const char *damaged, const struct charle_client_options *options,
                                            struct charle_rescue_report *out, struct charle_error *err);

// Destroys the key, then removes the replica and everything beside it, unsent calls too. A replica in clear is overwritten first, which a
// flash disk may not honour. Goes on after a failure, and reports the first. A program that still has it open cannot write to it
// any more.
CHARLE_MUST_CHECK int charle_replica_wipe(const char *file, struct charle_error *err);

// --- reading ----------------------------------------------------------------------------------------------------------

// The client's own read handle, for the thread that uses it first; opened then. NULL when that fails (the status says why).
// Valid until charle_client_close; not to be closed. It sees every local write as soon as the call that made it returned.
struct charle_db *charle_client_db(struct charle_client *client);

// One more read handle, for another thread. Close it with charle_db_close before the client.
CHARLE_MUST_CHECK int charle_client_db_open(struct charle_client *client, struct charle_db **out, struct charle_error *err);

// --- live queries -----------------------------------------------------------------------------------------------------
//
// A live is a view of the replica at one moment, with any number of queries. It tells each query's first result row by row, and from then on
// which rows came, changed and went. All its queries are always shown at the same moment, one snapshot of the replica; moments may be
// skipped, never mixed. Nothing is told before the first copy is complete.
//
// Where the callbacks run is chosen once: inside charle_client_live_take, on the thread that calls it (with charle_client_live_fd for event
// loops), or on a thread of the live's own. They never run anywhere else.
//
// A query is run again only when a table it reads was changed, and tells nothing when its result is the same. What it read last is kept, at most
// size_max bytes; while two results are compared there is one more of that size and 40 bytes a row.

enum charle_live_event {
    CHARLE_LIVE_INSERTED = 1,
    CHARLE_LIVE_UPDATED = 2, // the key and the place are the same, other values differ
    CHARLE_LIVE_DELETED = 3,
    CHARLE_LIVE_SETTLED = 4, // everything that differs at this moment has been told
    CHARLE_LIVE_FAILED = 5,  // could not be run: what was told before stays, it is tried again after the next change
};

// One change. Each is meant for the list of rows as the changes before left it: first the rows that go, the last of them first, then, in
// rising order of places, those that come and those that differ. A row that only changed its place is DELETED and INSERTED
// with has_moved. Everything in it is valid during the callback.
struct charle_live_change {
    enum charle_live_event event;
    int64_t query;                       // of charle_client_live_add
    int64_t at;                          // the row's place, from 0; SETTLED: how many rows the result has
    bool has_moved;                      // DELETED: it comes again; INSERTED: it was there before
    const struct charle_value *values;   // as SQLite stores them (db/db.h); DELETED: as they were; NULL: no row
    const struct charle_value *old_values; // UPDATED
    const void *row, *old_row;           // the same of a typed query, as structs of its row; NULL: not typed
    size_t column_count;
    const char *const *columns;          // their names
    int code;                            // FAILED: enum charle_err and a sentence
    const char *text;
};
typedef void (*charle_live_fn)(void *ctx, const struct charle_live_change *change);

struct charle_client_live_options {
    bool has_thread;             // callbacks run on a thread of the live's own, soon after each change; at most half of the time
};

struct charle_live_query {
    const struct charle_query *query;  // &charle_select(…).query; only read by charle_client_live_add. Or:
    const char *sql;                   // one select, for SQLite; values are $1, $2, …
    const struct charle_value *params; // copied; no arrays
    size_t param_count;
    const char *key;             // names of the result's columns that tell rows apart, "id" or "note_id,person_id"; NULL: all columns
    size_t size_max;             // bytes of the result; 16 MiB, at most 64 MiB. A larger result is FAILED with TOO_LARGE
    charle_live_fn fn;           // required
    void *ctx;
};

// Opens a live without queries; options may be NULL. Close it before the client. Errors: those of charle_client_db_open, NO_MEMORY.
CHARLE_MUST_CHECK int charle_client_live_open(struct charle_client *client, const struct charle_client_live_options *options,
                                              struct charle_client_live **out, struct charle_error *err);

// Ends its thread and waits for a callback that runs. Not from a callback. NULL is fine.
void charle_client_live_close(struct charle_client_live *live);

// Adds a query; its first result comes with the next take, or soon on the live's thread. From any thread, also from a callback; waits while
// queries run. Errors: INVALID_ARGUMENT (not one select, an unknown column in `key`, arrays), RESOURCE_EXHAUSTED (256 queries).
CHARLE_MUST_CHECK int charle_client_live_add(struct charle_client_live *live, const struct charle_live_query *query, int64_t *out_id,
                                             struct charle_error *err);

// Removes a query: after the return its callback is not called again. From any thread; from a callback it may be the callback's own.
// An unknown id is fine.
void charle_client_live_remove(struct charle_client_live *live, int64_t id);

// Brings all queries to the present moment and tells what differs, through the callbacks, on this thread. Cheap when nothing was
// written. One thread at a time, and not from a callback: FAILED_PRECONDITION, as for a live that has its own thread. Trouble with one
// query is told to its callback; what is returned concerns all: IO, BUSY, NO_MEMORY.
CHARLE_MUST_CHECK int charle_client_live_take(struct charle_client_live *live, struct charle_error *err);

// A descriptor that polls readable when charle_client_live_take may have something to tell; that call clears it. It belongs to the live. What
// another program writes is noticed while the client synchronises; without that, call charle_client_live_take now and then.
// -1 when the system has none to give.
int charle_client_live_fd(const struct charle_client_live *live);

// --- calling ----------------------------------------------------------------------------------------------------------

enum charle_client_verdict {
    CHARLE_VERDICT_NONE = 0,     // not known yet
    CHARLE_VERDICT_APPLIED = 1,
    CHARLE_VERDICT_MERGED = 2,   // applied together with someone else's change; the text says how
    CHARLE_VERDICT_REJECTED = 3, // had no effect; the text says why
    CHARLE_VERDICT_PARKED = 4,   // failed for a reason that may pass; tried again by itself
};

// What became of a call.
struct charle_client_outcome {
    int64_t ticket;              // of a queued call, for charle_client_wait; 0: it went to the server directly
    enum charle_client_verdict verdict;
    int code;                    // enum charle_err: why it was rejected or parked
    bool is_confirmed;           // the verdict is here and the replica shows the call's true effect
    char text[240];              // a sentence for a person, empty when there is nothing to say
};

struct charle_client_call_options {
    uint32_t timeout_ms;         // of a call to the server, or of waiting for the verdict; 0: the method's, else 30,000
    bool wait_for_verdict;       // return when the server has confirmed; a rejection is then this function's error
    bool is_online;              // go to the server even if the method could run here
    struct charle_client_outcome *outcome; // filled when not NULL, also on failure
};

// Calls a method. `request` and `reply` are the method's C structs; the reply's memory is the arena's. A method that can run offline
// runs here once the first copy is complete: in one transaction with its entry in the outbox, which is durable on return. Every other
// method goes to the server. `options` may be NULL.
// Errors: the method's own; UNAVAILABLE without a server; DISK_FULL, BUSY, READ_ONLY of the replica (nothing was queued).
CHARLE_MUST_CHECK int charle_client_call(struct charle_client *client, const struct charle_method *method,
                                         const void *request, struct charle_arena *arena, void *reply,
                                         const struct charle_client_call_options *options, struct charle_error *err);

// The method of this name ("charleos.TaskService/Update") of the client's schema or the platform's; NULL when there is none.
const struct charle_method *charle_client_method(const struct charle_client *client, const char *name);

// Waits for the verdict of a queued call and until the replica shows its effect. timeout_ms 0: asks without waiting.
// OK with *out when it is confirmed, rejected ones too; DEADLINE_EXCEEDED with what is known so far; NOT_FOUND for an unknown or long
// forgotten ticket.
CHARLE_MUST_CHECK int charle_client_wait(struct charle_client *client, int64_t ticket, uint32_t timeout_ms,
                                         struct charle_client_outcome *out, struct charle_error *err);

// The server's reply of a queued call that made provisional numbers (generate: SERIAL), once its verdict is here; the one that
// charle_client_call gave had those that count on this device only. `method` and the reply's struct are those of the call; the reply's memory is
// the arena's. With wait_for_verdict charle_client_call gives it by itself. The newest 1,000 are kept.
// Errors: NOT_FOUND while it waits, for a call that was refused or has made no numbers, and when it is too old.
CHARLE_MUST_CHECK int charle_client_reply(struct charle_client *client, int64_t ticket, const struct charle_method *method,
                                          struct charle_arena *arena, void *reply, struct charle_error *err);

// --- attachments ------------------------------------------------------------------------------------------------------
//
// Files that rows refer to by columns with `attachment: true`: the column holds a file's name, which is the BLAKE2b-256 of its bytes. A file is
// added here, with or without a network, and then mentioned in an ordinary call, in a field of its own; the library sends it before that call,
// in pieces, and goes on where it was after any interruption. Calls that have nothing to do with the file do not wait for it. Who sees a
// row that refers to a file may fetch it.
//
// Files lie beside the replica in "<file>.files", encrypted as it is. What was fetched or sent is kept up to a budget of bytes; the file used
// longest ago goes first, pinned ones and those that wait to be sent never do.

struct charle_attachment_ref {
    char hash[65];           // what the column holds: 64 hexadecimal digits
    int64_t size;            // bytes
    char media_type[128];    // "image/png"; empty: nobody said
};

struct charle_attachment_source { // one of path, fd and bytes; an empty file is bytes of size 0
    const char *path;
    int fd;                  // read from its present position to the end; only with has_fd
    bool has_fd;
    const void *bytes;
    size_t size;
    const char *media_type;  // NULL: nobody says
};

// Adds a file: a copy of it is durable on return, and sent when there is a network. Adding the same bytes again is fine.
// Only queued calls wait for their files: before one that goes to the server directly, wait until charle_attachments says HERE. Errors: INVALID_ARGUMENT, NOT_FOUND, IO (the source), DISK_FULL, TOO_LARGE (64 GiB; what the server takes is its own setting), READ_ONLY, BUSY.
CHARLE_MUST_CHECK int charle_attachment_put(struct charle_client *client, const struct charle_attachment_source *source,
                                            struct charle_attachment_ref *out, struct charle_error *err);

// Told on the calling thread now and then while a file is fetched. total 0: not known yet. false gives up waiting; what came is kept.
typedef bool (*charle_attachment_fn)(void *ctx, int64_t have, int64_t total);

struct charle_attachment_options {
    uint32_t timeout_ms;     // 0: no limit
    bool is_local;           // do not ask the server: NOT_FOUND when the file is not here
    const char *path;        // writes the file there as well: it is complete or not there; an older one is replaced
    charle_attachment_fn fn; // may be NULL
    void *ctx;
};

// Hands out a file, fetched when it is not here. out_ref and out_fd may be NULL; the descriptor reads from the first byte, is the
// caller's to close and has no name anywhere (in memory when the replica is encrypted). `options` may be NULL.
// Errors: NOT_FOUND (no such file, or no row that refers to it may be seen), DATA_LOSS, DISK_FULL, CANCELLED (by fn), and those of
// charle_client_sync. Asking again goes on where it was.
CHARLE_MUST_CHECK int charle_attachment_get(struct charle_client *client, const char *hash, const struct charle_attachment_options *options,
                                            struct charle_attachment_ref *out_ref, int *out_fd, struct charle_error *err);

// Asks for a file without waiting; charle_attachments shows how far it is, and CHARLE_EVENT_STATUS tells of progress.
CHARLE_MUST_CHECK int charle_attachment_want(struct charle_client *client, const char *hash, struct charle_error *err);

enum charle_attachment_state {
    CHARLE_ATTACHMENT_UNSENT = 1,   // nowhere but here
    CHARLE_ATTACHMENT_HERE = 2,     // a copy of what the server has
    CHARLE_ATTACHMENT_FETCHING = 3, // `have` bytes are here
    CHARLE_ATTACHMENT_REFUSED = 4,  // the server will not take it, or not give it: `problem`
};
struct charle_attachment_entry { // valid during the callback
    const char *hash;
    const char *media_type; // NULL: not known
    int64_t size;           // 0 and FETCHING: not known yet
    int64_t have;
    enum charle_attachment_state state;
    bool is_pinned;
    const char *problem;    // NULL: none
};
typedef bool (*charle_attachment_list_fn)(void *ctx, const struct charle_attachment_entry *entry); // false ends the walk

// Walks through the files on this replica, in the order they came.
CHARLE_MUST_CHECK int charle_attachments(struct charle_client *client, charle_attachment_list_fn fn, void *ctx, struct charle_error *err);

// A pinned file is never evicted. NOT_FOUND when it is not here.
CHARLE_MUST_CHECK int charle_attachment_pin(struct charle_client *client, const char *hash, bool is_pinned, struct charle_error *err);
// Lets go of a file. FAILED_PRECONDITION when it waits to be sent, or is pinned.
CHARLE_MUST_CHECK int charle_attachment_drop(struct charle_client *client, const char *hash, struct charle_error *err);
// How many bytes of files may stay here, kept in the store; 0: the default, 256 MiB. Evicts at once what is above it.
CHARLE_MUST_CHECK int charle_client_set_attachment_budget(struct charle_client *client, int64_t bytes, struct charle_error *err);
// Writes to the schema's local tables (local_only): calls `write` once, on this thread, with a handle inside a transaction. It may write local tables and read
// all tables, through the query builder or SQL; the handle is valid until it returns. OK commits, durably; anything else undoes
// everything and is returned. Works without a server and before the first copy. Short, please: calls and pages wait for it. Not from a
// callback, and no function of this header may be called in it.
// Errors: those of `write`; FAILED_PRECONDITION for a statement that writes another table; READ_ONLY, BUSY, DISK_FULL, IO.
typedef int (*charle_local_fn)(void *ctx, struct charle_db *db, struct charle_error *err);
CHARLE_MUST_CHECK int charle_client_write_local(struct charle_client *client, charle_local_fn write, void *ctx, struct charle_error *err);

// --- what waits, and what the server said -----------------------------------------------------------------------------

enum charle_call_state {
    CHARLE_CALL_QUEUED = 1, // not sent yet
    CHARLE_CALL_SENT = 2,   // on its way, or sent and the answer was lost
    CHARLE_CALL_JUDGED = 3, // the verdict is here, its effect not yet in the confirmed rows
};

struct charle_outbox_entry { // valid during the callback
    int64_t ticket;
    enum charle_call_state state;
    int64_t at_us;            // when the call was made, microseconds since 1970
    const char *method;
    const void *request;      // the request's bytes
    size_t request_size;
    const char *local_error;  // why the call has no effect here at present; NULL: it has
};
typedef bool (*charle_outbox_fn)(void *ctx, const struct charle_outbox_entry *entry); // false ends the walk

// Walks through the calls that the server has not confirmed, in the order they are sent.
CHARLE_MUST_CHECK int charle_client_outbox(struct charle_client *client, charle_outbox_fn fn, void *ctx,
                                           struct charle_error *err);

// The same for a replica that charle_client_open refuses because it is damaged: by its path, without an open client, reading only. What
// can still be read is handed out, then DATA_LOSS says where it is damaged; OK when all of it could be read. An entry is valid during the
// callback. The key as in charle_client_open. BUSY while a program has the replica open.
CHARLE_MUST_CHECK int charle_replica_calls(const char *file, const struct charle_client_key *key, charle_outbox_fn fn, void *ctx,
                                           struct charle_error *err);

struct charle_inbox_entry { // valid during the callback
    int64_t id;
    int64_t ticket;
    enum charle_client_verdict verdict;
    int code;                 // enum charle_err
    int64_t at_us;            // when the verdict came
    int64_t call_at_us;       // when the call was made
    const char *text;         // a sentence for a person
    const char *method;
    const void *request;
    size_t request_size;
    const char *table;        // the row it is about, as the server has it now; NULL: none
    const char *key;
    const void *row;          // its bytes (the table's patch message); NULL: the row is gone or not for this user
    size_t row_size;
};
typedef bool (*charle_inbox_fn)(void *ctx, const struct charle_inbox_entry *entry); // false ends the walk

// Walks through the verdicts that nobody has dealt with yet, oldest first: merged, rejected, parked.
CHARLE_MUST_CHECK int charle_client_inbox(struct charle_client *client, charle_inbox_fn fn, void *ctx,
                                          struct charle_error *err);

// Forgets the verdict `id`; 0: all of them. NOT_FOUND for another id.
CHARLE_MUST_CHECK int charle_client_inbox_dismiss(struct charle_client *client, int64_t id, struct charle_error *err);

// Makes the call of a rejected or parked verdict again, with the same request at the present time, and dismisses the verdict.
// out_ticket may be NULL. When it fails here the verdict stays.
CHARLE_MUST_CHECK int charle_client_inbox_retry(struct charle_client *client, int64_t id, int64_t *out_ticket,
                                                struct charle_error *err);

// Makes the call of a verdict again on top of the row as it is now, and dismisses the verdict: what others did meanwhile is taken as seen, so their
// values no longer stand against it. `request` NULL: the same request (keep mine); otherwise the method's C struct of an edited one. As above.
CHARLE_MUST_CHECK int charle_client_inbox_redo(struct charle_client *client, int64_t id, const void *request, int64_t *out_ticket,
                                               struct charle_error *err);

// Takes a call that was not sent yet back: its effect vanishes here and the server never sees it. A call that was sent is
// FAILED_PRECONDITION.
CHARLE_MUST_CHECK int charle_client_discard(struct charle_client *client, int64_t ticket, struct charle_error *err);

// --- looking ----------------------------------------------------------------------------------------------------------

enum charle_client_state {
    CHARLE_CLIENT_STOPPED = 0,    // nobody asked for synchronisation
    CHARLE_CLIENT_OFFLINE = 1,    // the server cannot be reached; trying again
    CHARLE_CLIENT_CONNECTING = 2,
    CHARLE_CLIENT_COPYING = 3,    // first copy, a newly granted scope, or a repair
    CHARLE_CLIENT_SYNCING = 4,    // catching up
    CHARLE_CLIENT_LIVE = 5,       // every change arrives as it happens
    CHARLE_CLIENT_FOLLOWING = 6,  // another program keeps this replica in step
    CHARLE_CLIENT_BLOCKED = 7,    // needs a person: see `problem`
    CHARLE_CLIENT_PAUSED = 8,     // somebody paused it
    CHARLE_CLIENT_METERED = 9,    // calls come first, or the bytes of this period are used: see `problem`
    CHARLE_CLIENT_WIPED = 10,     // the owner or an operator has ordered it: key and files are gone. Close it; a new one can be made
};

struct charle_client_status {
    enum charle_client_state state;
    bool is_ready;           // the replica shows a complete moment of the server
    bool is_connected;
    int64_t rows_copied;     // of the copy in progress
    int64_t rows_total;      // an estimate; 0: not known
    int64_t eta_ms;          // an estimate; -1: not known
    int64_t pending_calls;   // not confirmed yet
    int64_t inbox_count;     // verdicts that wait for somebody
    int64_t contact_at_us;   // the last sign of the server, microseconds since 1970; 0: never
    uint64_t bytes_received; // by this client since it was opened, messages without framing
    uint64_t bytes_sent;
    uint64_t pages_applied;
    uint64_t calls_run_again; // waiting calls that had to be made once more because rows under them changed
    int64_t file_size;
    bool is_paused;
    int64_t meter_budget;    // bytes a period; 0: no limit
    int64_t meter_used;      // in this period; may be more than the budget, then the next one has less
    int64_t meter_ends_at_us; // when the next period begins
    int64_t audited_tables;  // by the audit so far; of one scope each
    int64_t audit_repaired;  // rows that it found different, and mended
    int64_t audited_at_us;   // when it compared last; 0: never
    int64_t wiped_calls;     // WIPED: calls that had not been sent
    char principal[64];      // "user"; empty: never signed in
    char principal_id[64];
    char device_id[32];
    char problem[240];       // why it is not live, as a sentence; empty: nothing is wrong
};
void charle_client_status(struct charle_client *client, struct charle_client_status *out);
const char *charle_client_state_name(enum charle_client_state state); // "live"

enum charle_client_event {
    CHARLE_EVENT_ROWS = 1,    // rows changed
    CHARLE_EVENT_CALLS = 2,   // calls were queued, sent or confirmed
    CHARLE_EVENT_INBOX = 4,   // a verdict came or went
    CHARLE_EVENT_STATUS = 8,  // the state, the progress or the problem changed
};
struct charle_client_change { // valid during the callback
    unsigned events;          // enum charle_client_event, added up
    const uint32_t *tables;   // ids of the tables with changed rows; NULL: any (another program wrote)
    size_t table_count;
};

// Told after each change, on the client's own thread for what came from the server or another program, on the caller's thread for its
// own calls. It may read and make calls, must return soon, and must not stop or close the client. One callback; NULL removes it.
typedef void (*charle_watch_fn)(void *ctx, const struct charle_client_change *change);
void charle_client_watch(struct charle_client *client, charle_watch_fn fn, void *ctx);

// The same for an event loop: a descriptor that polls readable while events wait, and a function that takes them.
// The descriptor belongs to the client. -1 when the system has none to give.
int charle_client_fd(struct charle_client *client);
unsigned charle_client_take_events(struct charle_client *client);

enum charle_scope_state {
    CHARLE_SCOPE_READY = 1,     // shown, as of the moment that all ready scopes show
    CHARLE_SCOPE_COPYING = 2,   // not shown yet
    CHARLE_SCOPE_REPAIRING = 3, // shown, and being compared with the server
    CHARLE_SCOPE_EVICTED = 4,   // may be seen, and is not here
};
struct charle_scope_entry { // valid during the callback
    const char *scope;
    enum charle_scope_state state;
    bool is_pinned;
    int64_t stamp;      // its version here
    int64_t true_at_us; // READY: what is here was true on the server at this time, or later; microseconds since 1970. Else 0
    int64_t rows;       // with storage, else -1; a row of several scopes counts in each
    int64_t bytes;      // their share of the file, with indexes
};
typedef bool (*charle_scope_fn)(void *ctx, const struct charle_scope_entry *entry); // false ends the walk

// Walks through the scopes that the user may see, by name, as of one moment. with_storage takes as long as reading the whole file.
CHARLE_MUST_CHECK int charle_client_scopes(struct charle_client *client, bool with_storage, charle_scope_fn fn, void *ctx,
                                           struct charle_error *err);

// Lets go of a scope's rows to save space; it stays evicted, also after a restart, until it is pinned. Rows that another scope shows stay, without
// the columns that only this one showed. A replica made anew (another schema) fetches all scopes again.
// FAILED_PRECONDITION, with a sentence and nothing changed: it is pinned, being copied or repaired; waiting calls have touched rows of it;
// rows that stay refer to rows that would go. NOT_FOUND: no such scope. Fine when it is evicted already.
CHARLE_MUST_CHECK int charle_client_evict(struct charle_client *client, const char *scope, struct charle_error *err);

// A pinned scope cannot be evicted; pinning an evicted one fetches it again, shown when it is complete. NOT_FOUND: no such scope.
CHARLE_MUST_CHECK int charle_client_pin(struct charle_client *client, const char *scope, bool is_pinned, struct charle_error *err);

struct charle_verify_report {
    int64_t tables;           // compared, once for each scope
    int64_t rows;             // of the server that were compared, once for each scope
    int64_t rows_different;   // differed, were missing here, or were too many here
    int64_t rows_repaired;
    int64_t ranges_fetched;
};

// Compares every row with the server by hashes of key ranges, fetches what differs, keeps unsent calls. For a replica that is in step
// rows_different is 0. timeout_ms 0: no limit.
CHARLE_MUST_CHECK int charle_client_verify(struct charle_client *client, uint32_t timeout_ms,
                                           struct charle_verify_report *out, struct charle_error *err);

// --- signing in -------------------------------------------------------------------------------------------------------

struct charle_login_options {
    const char *url;          // required
    const char *principal;    // "user" (default) or "client_user"
    const char *email;
    const char *password;
    const char *device_name;
    const char *tls_ca_file;
    const char *tls_server_name;
    uint32_t timeout_ms;      // 30,000
};
struct charle_login_result {
    char token[256];          // keep it where only the user can read it
    int64_t expires_at_us;
    char principal[64];
    char principal_id[64];
    char name[128];
};
// Trades a password for a token. UNAUTHENTICATED when they do not fit; nothing tells whether the account exists.
CHARLE_MUST_CHECK int charle_login(const struct charle_login_options *options, struct charle_login_result *out,
                                   struct charle_error *err);
// Ends the session of the client's token on the server. The replica and its unsent calls stay.
CHARLE_MUST_CHECK int charle_client_logout(struct charle_client *client, struct charle_error *err);

#ifdef __cplusplus
}
#endif

#endif
