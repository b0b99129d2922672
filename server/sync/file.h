// The server's side of files (proto/charle/files.proto, docs/decisions/0015-attachments.md), over a database handle that the caller brings.
//
// Bytes lie in PostgreSQL, in pieces of 256 KiB: charle.content and charle.piece while they arrive and afterwards, charle.file once they are whole
// and have the name they were offered under. So a dump, a copy and a restore hold rows and files of one moment, and a foreign key is all it
// takes that nothing refers to what is not there.
//
// Who may do what. Bytes on their way belong to one person. Only who has sent all bytes of a file, or may read it, may refer to it; to others it is
// as if it were not there. Who sees a row and the column that refers to the file may read it. Both are asked anew at every piece.
#ifndef CHARLE_SERVER_SYNC_FILE_H
#define CHARLE_SERVER_SYNC_FILE_H

#include "charle/files.charle.h"
#include "server/sync/sync.h"

struct ch_file_limits {
    int64_t size_max;  // of a file
    int64_t store_max; // of all of them, with those on their way
};

// Somebody has a file. INVALID_ARGUMENT, TOO_LARGE, RESOURCE_EXHAUSTED (the store is full, or too many uploads of this person). The three
// functions begin and end their own transactions.
CHARLE_MUST_CHECK enum charle_err ch_file_offer(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                                                const struct ch_file_limits *limits, const struct charle_file_offer *request,
                                                struct charle_file_offer_reply *out, struct charle_error *err);

// The next piece of an offered file. A piece that is here already, or comes too early, changes nothing: the answer says which byte is next. With
// the last piece the whole is checked. INVALID_ARGUMENT: a damaged piece (send it again), FAILED_PRECONDITION: not offered, or forgotten;
// CONFLICT: all pieces together do not have the name; they are gone.
CHARLE_MUST_CHECK enum charle_err ch_file_put(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                                              const struct charle_file_piece *request, struct charle_file_offer_reply *out,
                                              struct charle_error *err);

// One piece of a file. `at` is a multiple of the size of a piece. NOT_FOUND: there is no such file, or none that the peer may see. *out is in
// the arena.
CHARLE_MUST_CHECK enum charle_err ch_file_get(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                                              const struct charle_file_request *request, struct charle_arena *arena,
                                              struct charle_file_piece *out, struct charle_error *err);

// Does a request mention a file that is here but that the person neither holds nor may read? FAILED_PRECONDITION then. In the transaction of
// the call. Costs nothing when no name stands in the request.
#define CH_FILE_REFUSAL "a file that this call refers to was not uploaded by you: upload it first"
CHARLE_MUST_CHECK enum charle_err ch_file_check_request(const struct ch_sync *sync, struct charle_db *db, const struct ch_sync_peer *peer,
                                                        const struct charle_str *scopes, size_t scope_count, struct charle_bytes request,
                                                        struct charle_arena *arena, struct charle_error *err);

// --- for the files of server/sync ---------------------------------------------------------------------------------------

// Prepares the text that tells who may read a file.
CHARLE_MUST_CHECK enum charle_err ch_file_access_init(struct ch_sync *sync, struct charle_error *err);
// May the holder of these scopes read the file?
CHARLE_MUST_CHECK enum charle_err ch_file_may_read(const struct ch_sync *sync, struct charle_db *db, struct charle_str name,
                                                   const struct charle_str *scopes, size_t count, bool *out, struct charle_error *err);

#endif
