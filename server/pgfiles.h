// The files of the private PostgreSQL: where its programs are, how a data folder is made, what its settings are.
//
// <data-dir>/postgres may be a link (pghome.h).
//
//   <data-dir>/postgres/data          the cluster (PGDATA)
//   <data-dir>/postgres/data.new      being made by initdb; renamed when complete, so no half-made cluster is used
//   <data-dir>/postgres/socket        unix socket, mode 0700; in /tmp when the path is too long for a socket's address
//   <data-dir>/postgres/postgres.log  what PostgreSQL writes, kept below a size
//   <data-dir>/postgres/keeper.lock   held by the process that runs PostgreSQL
//
// There is no TCP port and no password: only processes that may enter the socket's folder can connect, and the kernel
// says who they are (peer authentication). All functions but ch_pgfiles_init run as PostgreSQL's user in a
// single-threaded process.
#ifndef CHARLE_SERVER_PGFILES_H
#define CHARLE_SERVER_PGFILES_H

#include "base/err.h"

#include <sys/types.h>

#define CH_PGFILES_PATH_SIZE 1024
#define CH_PGFILES_USER      "charle" // the role that owns everything
#define CH_PGFILES_DATABASE  "charle"

struct ch_pgfiles {
    char root[CH_PGFILES_PATH_SIZE]; // <data-dir>/postgres, without links
    char data[CH_PGFILES_PATH_SIZE];
    char socket[CH_PGFILES_PATH_SIZE];
    char log[CH_PGFILES_PATH_SIZE];
    char bin[CH_PGFILES_PATH_SIZE]; // empty until found
    int major;
    uid_t server_uid, postgres_uid; // who may connect
};

// Works out the paths below `root` (see pghome.h); touches nothing. postgres_bin may be NULL.
CHARLE_MUST_CHECK enum charle_err ch_pgfiles_init(struct ch_pgfiles *files, const char *root,
                                                  const char *postgres_bin, uid_t server_uid, uid_t postgres_uid,
                                                  struct charle_error *err);

// Makes what is missing: folders, the cluster itself, its settings. Refuses a cluster of a major version whose programs
// are not installed, a full disk, a folder that cannot be entered. `say` is told of long steps.
CHARLE_MUST_CHECK enum charle_err ch_pgfiles_prepare(struct ch_pgfiles *files, void (*say)(void *ctx, const char *text),
                                                     void *ctx, struct charle_error *err);

// The process id in postmaster.pid and whether it says "ready". 0: no such file.
pid_t ch_pgfiles_postmaster(const struct ch_pgfiles *files, bool *out_is_ready);
// Does the process have the cluster open? A number left in postmaster.pid may belong to something else by now.
bool ch_pgfiles_is_used_by(const struct ch_pgfiles *files, pid_t pid);
// Some process that has the cluster open (its working folder is PGDATA); 0: none.
pid_t ch_pgfiles_find_process(const struct ch_pgfiles *files);
void ch_pgfiles_forget_postmaster(const struct ch_pgfiles *files); // removes a postmaster.pid that nobody stands behind

// Opens the log for appending; cuts it when it has grown too large (the end is kept as postgres.log.1). -1 on failure.
int ch_pgfiles_open_log(const struct ch_pgfiles *files);
// The last FATAL, PANIC or ERROR written at or behind `offset`, or a plain sentence.
void ch_pgfiles_last_words(const struct ch_pgfiles *files, off_t offset, char *out, size_t out_size);

#endif
