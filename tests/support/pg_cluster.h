// A throw-away PostgreSQL cluster for a test program.
//
// The cluster lives in one directory (in /dev/shm when there is room, else in /tmp), listens on a unix socket in that
// directory and runs as the user `postgres` when the test runs as root, since PostgreSQL refuses to be root. It is a
// child of the test: it is shut down when the test stops it or exits, and also when the test is killed. Directories
// that killed tests left behind are removed by the next start. Start clusters from the main thread: the kernel ties the
// child to the thread that made it.
//
//   struct ch_pg_cluster *pg = ch_pg_cluster_shared();
//   struct charle_db *db; ch_pg_open(ch_pg_cluster_url(pg), …)
#ifndef CHARLE_TESTS_SUPPORT_PG_CLUSTER_H
#define CHARLE_TESTS_SUPPORT_PG_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ch_pg_cluster;

struct ch_pg_cluster_options {   // all zero is right for most tests
    const char *const *settings; // "work_mem=64MB", …, NULL-terminated; later ones win over the defaults
    bool is_durable;             // fsync and full_page_writes on; needed only by tests that cut the power
    int tcp_port;                // also listen on 127.0.0.1 at this port; 0: unix socket only
    const char *root;            // folder to make the directory in: a real disk for benchmarks; NULL: as said above
};

#define CH_PG_CLUSTER_URL_SIZE 512

// Makes a cluster and waits until it takes connections. NULL after printing why on stderr. NULL options are all zero.
struct ch_pg_cluster *ch_pg_cluster_start(const struct ch_pg_cluster_options *options);
// Ends the server and removes the directory. NULL is fine.
void ch_pg_cluster_stop(struct ch_pg_cluster *cluster);

// One cluster for the whole test program, made at the first call and stopped when the program exits. Prints and exits
// with status 1 when it cannot be made, so that callers need no check.
struct ch_pg_cluster *ch_pg_cluster_shared(void);

// A URL for libpq as superuser, of the database `postgres`. Valid as long as the cluster.
const char *ch_pg_cluster_url(const struct ch_pg_cluster *cluster);
// Makes an empty database (UTF-8, locale C) and writes its URL; drops one of that name first. False after printing why.
bool ch_pg_cluster_database(struct ch_pg_cluster *cluster, const char *name, char out_url[CH_PG_CLUSTER_URL_SIZE]);
// The URL of a database of the cluster, made or not; user NULL: postgres.
void ch_pg_cluster_database_url(const struct ch_pg_cluster *cluster, const char *name, const char *user,
                                char out_url[CH_PG_CLUSTER_URL_SIZE]);

const char *ch_pg_cluster_directory(const struct ch_pg_cluster *cluster); // holds data/, the socket and log
pid_t ch_pg_cluster_pid(const struct ch_pg_cluster *cluster);             // of the postmaster; 0 while halted
void ch_pg_cluster_print_log(const struct ch_pg_cluster *cluster);        // the server's log, on stderr

// Shuts the server down and keeps the data. A crash is `pg_ctl stop -m immediate`; otherwise a clean, fast shutdown.
bool ch_pg_cluster_halt(struct ch_pg_cluster *cluster, bool is_crash);
bool ch_pg_cluster_resume(struct ch_pg_cluster *cluster); // starts it again; waits for recovery
// A cold copy of the data, and putting it back. Both want the server halted. One copy is kept at a time.
bool ch_pg_cluster_save(struct ch_pg_cluster *cluster);
bool ch_pg_cluster_restore(struct ch_pg_cluster *cluster);
// A dump of a database (pg_dump), and loading it into an empty one (pg_restore). The server runs. One dump is kept at a time.
bool ch_pg_cluster_dump(struct ch_pg_cluster *cluster, const char *name);
bool ch_pg_cluster_load(struct ch_pg_cluster *cluster, const char *name);

// A standby's way of losing commits, in one cluster. The base is a cold copy; it wants the server halted. A point is a place in the log of the
// running server, safe when this returns. To fail over, the halted server's data become what a standby that began with the base had replayed at
// the newest point: recovered up to there and promoted, on a new timeline. One base is kept at a time; everything since must still be in the
// log (wal_keep_size).
bool ch_pg_cluster_base(struct ch_pg_cluster *cluster);
bool ch_pg_cluster_point(struct ch_pg_cluster *cluster, const char *name);
bool ch_pg_cluster_fail_over(struct ch_pg_cluster *cluster, const char *point);

// A new cluster with the data of a halted one, by pg_upgrade, as at a change of the major version.
struct ch_pg_cluster *ch_pg_cluster_upgrade(const struct ch_pg_cluster *old);

// A hot standby that streams from a running cluster, asynchronously; a cluster of its own otherwise. It may be stopped before or after
// the primary.
struct ch_pg_cluster *ch_pg_cluster_standby(const struct ch_pg_cluster *primary);
bool ch_pg_cluster_promote(struct ch_pg_cluster *standby); // returns when it takes writes
void ch_pg_cluster_kill(struct ch_pg_cluster *cluster);    // kill -9 of all its processes at once; it cannot be resumed

#endif
