// A server of the benchmark's own: charled with a private PostgreSQL in a temporary folder, seeded, on a free loopback port.
#ifndef CHARLE_BENCH_RIG_H
#define CHARLE_BENCH_RIG_H

#include "charle/charle.h"

#include <libpq-fe.h>

struct rig {
    char folder[128];       // removed by rig_stop
    char bin[512];          // where the programs of this build are
    char address[64];       // of the server
    char database_url[512]; // of its PostgreSQL
    char token[256];        // of the seeded administrator
    long server_pid;
};

// Starts it with `rows` rows of task and signs the administrator in. Ends the program with a sentence on failure.
void rig_start(struct rig *rig, long rows);
void rig_stop(struct rig *rig);

// One more server on the rig's database, with these flags (NULL-terminated). Stopped by its user with rig_stop_server.
struct rig_server {
    char address[64];
    long pid;
};
void rig_start_server(struct rig *rig, const char *name, const char *const *flags, struct rig_server *out);
void rig_stop_server(const struct rig_server *server);
int rig_free_port(void);
// As rig_client, at that server.
struct charle_client *rig_client_at(struct rig *rig, const char *address, const char *name, int is_fresh);

// A replica in the rig's folder, opened and signed in; `is_fresh` removes what was there before.
struct charle_client *rig_client(struct rig *rig, const char *name, int is_fresh);
void rig_sync(struct charle_client *client); // ends the program when it fails
// Updates a task's title by a service call; one that is not online stays on the replica until it is pushed.
void rig_edit(struct charle_client *client, const char *id, const char *title, bool is_online);
PGconn *rig_psql(struct rig *rig);
void rig_exec(PGconn *pg, const char *sql);
// Makes PostgreSQL's statistics current. Waits a second, since backends report theirs about once a second.
void rig_flush_statistics(PGconn *pg);
double rig_transactions(PGconn *pg); // that PostgreSQL has run; waits as well
double rig_cpu_seconds(struct rig *rig); // that all threads of the server have used
double rig_postgres_cpu_seconds(struct rig *rig); // that its PostgreSQL's processes have used, those that ended left out
double rig_own_cpu_seconds(void);        // that this process has used
double rig_number(PGconn *pg, const char *sql); // the first value of the first row

#endif
