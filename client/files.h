// Files beside a replica (docs/decisions/0015-attachments.md): those that were added here and wait to be sent, and those that were fetched.
//
// They lie in a SQLite file of their own, "<replica>.files", in pieces of 256 KiB, sealed by the replica's key when that has one. A file's row
// and its pieces change in one transaction, so a crash leaves whole pieces. It is written under the replica's lock; `mutex` guards the one
// connection, and is taken after the lock. Nothing is opened or made until it is needed.
//
//   state      what moves it on
//   STORING    its last piece: it gets its name then. Without a piece for an hour it was given up
//   WHOLE      sent_at 0: it waits to be sent, and is never evicted; code other than 0: the server will not have it
//   FETCHING   `have` bytes are here; code other than 0: it cannot be had
//
// A WHOLE file that was sent is a copy of what the server has: the ones used longest ago go when there are more bytes than the budget.
#ifndef CHARLE_CLIENT_FILES_H
#define CHARLE_CLIENT_FILES_H

#include "charle/files.charle.h"
#include "client/lite.h"
#include "sync/file.h"

#include <pthread.h>

struct ch_replica;
struct charle_client_key; // charle/charle.h

// Piece n of a file has the id (file << bits) + n.
#define CH_FILES_PIECE_BITS 20

enum ch_file_state { CH_FILE_STORING = 1, CH_FILE_WHOLE = 2, CH_FILE_FETCHING = 3 };

struct ch_files {
    struct ch_replica *replica;
    pthread_mutex_t mutex;     // the rest
    struct charle_db *db;      // NULL: not open
    struct ch_lite sql;
    struct ch_cipher *cipher;  // when it lies under another key than the replica; NULL: the replica's
    const char *vfs;           // of the open store
    char *path;
    int pieces_in_log;         // since the last checkpoint
    int64_t seen_version;
};

struct ch_file {
    int64_t id;
    char name[CH_FILE_NAME_LEN + 1];
    int64_t size, have;        // bytes; size of a file that is only wanted: 0
    char media_type[128];      // empty: none
    enum ch_file_state state;
    int64_t sent_at;           // wall clock, microseconds; 0: not yet
    bool is_pinned;
    enum charle_err code;      // why it cannot be sent or had
    char text[240];
};

// `key` is the replica's; read only during the call. Opens the store when there is one.
CHARLE_MUST_CHECK enum charle_err ch_files_open(struct ch_replica *replica, const struct charle_client_key *key, struct ch_files **out,
                                                struct charle_error *err);
void ch_files_close(struct ch_files *files); // NULL is fine

// --- adding -------------------------------------------------------------------------------------------------------------

// A file that is being added: pieces in order, then its name. Dropped without ch_files_finish it is given up. Not thread-safe by itself.
struct ch_file_adding {
    struct ch_files *files;
    int64_t id, size;
};
CHARLE_MUST_CHECK enum charle_err ch_files_add(struct ch_files *files, const char *media_type, struct ch_file_adding *out,
                                               struct charle_error *err);
// Some bytes, at most 16 pieces; all but the last time a multiple of a piece.
CHARLE_MUST_CHECK enum charle_err ch_files_append(struct ch_file_adding *adding, struct charle_bytes bytes, struct charle_error *err);
// Durable on return. A file of that name that is here already stays, and this copy goes.
CHARLE_MUST_CHECK enum charle_err ch_files_finish(struct ch_file_adding *adding, const char *name, struct ch_file *out, struct charle_error *err);
void ch_files_give_up(struct ch_file_adding *adding);

// --- looking ------------------------------------------------------------------------------------------------------------

// NOT_FOUND: nothing is known of it here.
CHARLE_MUST_CHECK enum charle_err ch_files_find(struct ch_files *files, const char *name, struct ch_file *out, struct charle_error *err);
// The next one behind `id`; DONE after the last.
CHARLE_MUST_CHECK enum charle_err ch_files_next(struct ch_files *files, int64_t id, struct ch_file *out, struct charle_error *err);
// Bytes of a file that are here, from `at` on; 0 at its end.
CHARLE_MUST_CHECK enum charle_err ch_files_read(struct ch_files *files, const struct ch_file *file, int64_t at, void *out, size_t size,
                                                size_t *out_size, struct charle_error *err);

// Another connection, to copy the store as of one moment; on `out_vfs`, a name that lives as long as `files`. NOT_FOUND: there is no store.
CHARLE_MUST_CHECK enum charle_err ch_files_open_reader(struct ch_files *files, struct charle_db **out, const char **out_vfs,
                                                       struct charle_error *err);

// --- wishes -------------------------------------------------------------------------------------------------------------

// It is needed here: fetched when it is not there, and counted as used. An earlier failure is forgotten.
CHARLE_MUST_CHECK enum charle_err ch_files_want(struct ch_files *files, const char *name, struct ch_file *out, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_files_pin(struct ch_files *files, const char *name, bool is_pinned, struct charle_error *err);
// FAILED_PRECONDITION for one that waits to be sent, or is pinned. Fine when it is not here.
CHARLE_MUST_CHECK enum charle_err ch_files_drop(struct ch_files *files, const char *name, struct charle_error *err);
// Bytes of files that may stay; evicts what is above it, now and whenever a file was sent or fetched.
CHARLE_MUST_CHECK enum charle_err ch_files_set_budget(struct ch_files *files, int64_t bytes, struct charle_error *err);

// --- for the core -------------------------------------------------------------------------------------------------------

// The smallest file to be sent, the next one to be fetched; DONE: none.
CHARLE_MUST_CHECK enum charle_err ch_files_unsent(struct ch_files *files, struct ch_file *out, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_files_missing(struct ch_files *files, struct ch_file *out, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_files_sent(struct ch_files *files, int64_t id, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_files_fail(struct ch_files *files, int64_t id, enum charle_err code, const char *text,
                                                struct charle_error *err);
// A piece that came for a file being fetched. INVALID_ARGUMENT: it is damaged or not the next one; CONFLICT: all pieces together do not have the
// name, and were thrown away.
CHARLE_MUST_CHECK enum charle_err ch_files_take(struct ch_files *files, const char *name, const struct charle_file_piece *piece,
                                                struct charle_error *err);
// Does a request mention a file that has to be sent first? Called with the replica's lock held. A file that was sent long ago is offered
// again: the server may have forgotten it, since nothing referred to it.
CHARLE_MUST_CHECK enum charle_err ch_files_hold(struct ch_files *files, struct charle_bytes request, bool *out, struct charle_error *err);
// A new session: the database may have gone back in time, so what it had of our files is asked again before a call mentions them. With the lock
// held.
CHARLE_MUST_CHECK enum charle_err ch_files_doubt(struct ch_files *files, struct charle_error *err);
// Did another program write to the store, or make it?
bool ch_files_were_changed(struct ch_files *files);

#endif
