// The data folder and its lock: one server at a time.
//
//   <data-dir>/charled.lock    flock, held as long as the server lives; its text says who holds it
//   <data-dir>/charled.conf    settings, optional
//   <data-dir>/database-url    the private PostgreSQL's address, for psql and the like
//   <data-dir>/seeds/         seed files (see seeds.h)
//   <data-dir>/postgres/       the private PostgreSQL (see cluster.h), or a link to it (see pghome.h)
//
// PostgreSQL refuses to run as root. Started by root, the server lets PostgreSQL run as the owner of the data folder,
// or as `postgres` when that is root too; the folder is then given to that user, for PostgreSQL must be able to enter
// it. A folder that has other things in it is refused rather than given away; with a database elsewhere nothing is given away.
// Everything is made with mode 0700 or 0600.
#ifndef CHARLE_SERVER_DATADIR_H
#define CHARLE_SERVER_DATADIR_H

#include "base/err.h"

#include <sys/types.h>

struct ch_datadir {
    const char *path; // the caller's
    int lock_fd;      // -1: not open
    bool is_locked;
    uid_t uid; // whom PostgreSQL's processes run as
    gid_t gid;
};

// Makes the folder where it is missing, decides on the user (has_cluster: PostgreSQL will run in it) and takes the lock without waiting. BUSY with the holder's
// process id when another server has it. `path` must outlive *dir. Only a single-threaded program may call this.
CHARLE_MUST_CHECK enum charle_err ch_datadir_open(struct ch_datadir *dir, const char *path, bool has_cluster, struct charle_error *err);
void ch_datadir_close(struct ch_datadir *dir); // lets go of the lock; zeroed with lock_fd -1 is fine

// Replaces a small file at once (write, fsync, rename), mode 0600, owned by the PostgreSQL user.
CHARLE_MUST_CHECK enum charle_err ch_datadir_write_file(const struct ch_datadir *dir, const char *name,
                                                        const char *text, struct charle_error *err);

#endif
