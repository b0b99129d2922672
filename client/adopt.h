// A seed file becomes the replica: all of its pages at once, in one transaction of the replica's file.
//
// The file that was fetched is opened as it lies, in WAL mode, and never changed: what is added to it stays in its log. Its tables must be exactly those
// that this program would make. To them come all other tables of the replica with what is in them (who it is, what waits, what is local), the
// scope's cursor, and the memberships of its rows. The result is written over the replica page by page (SQLite's backup), which is one
// transaction there: readers see the empty replica or the full one, whichever program they are in, and after a crash it is one of the two as well.
#ifndef CHARLE_CLIENT_ADOPT_H
#define CHARLE_CLIENT_ADOPT_H

#include "client/replica.h"

struct ch_adopt {
    struct charle_str scope;
    int64_t stamp; // of the moment that the file shows
    uint64_t lineage;
};

// The part (seed_part.h) must be closed. FAILED_PRECONDITION: the replica has rows; DATA_LOSS: the file is no seed file of this schema. The caller
// deletes the part. Holds the replica's lock meanwhile: about a second for each 500 MB.
CHARLE_MUST_CHECK enum charle_err ch_replica_adopt(struct ch_replica *replica, const struct ch_adopt *adopt, struct charle_error *err);

#endif
