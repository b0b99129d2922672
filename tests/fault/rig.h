// A server, a database and replicas that a test may hurt: killed, crashed, put back to an older copy.
//
// The database is a cluster of the test's own (support/pg_cluster.h), so that charled and PostgreSQL can be hurt apart. Failures print
// what was expected and end the program: a fault test has nothing to clean up that the next one needs.
#ifndef CHARLE_TESTS_FAULT_RIG_H
#define CHARLE_TESTS_FAULT_RIG_H

#include "charle/charle.h"
#include "support/pg_cluster.h"

#include <libpq-fe.h>
#include <stdint.h>
#include <sys/types.h>

struct rig {
    struct ch_pg_cluster *cluster;
    char url[CH_PG_CLUSTER_URL_SIZE]; // of the application's database
    char folder[64];
    char address[64];
    int port;
    pid_t charled;
    uint64_t random; // state; seeded by rig_open
};

// Cluster, migrated and seeded database, running server. `is_durable`: PostgreSQL syncs to disk (for crashes of it).
void rig_open(struct rig *rig, uint64_t seed, bool is_durable);
void rig_close(struct rig *rig);

void rig_start_server(struct rig *rig); // waits until it listens
void rig_kill_server(struct rig *rig, int number);
uint64_t rig_random(struct rig *rig, uint64_t below);
void rig_pause(int ms);

// Signs a seeded person in; the token is good as long as the database.
void rig_login(struct rig *rig, const char *email, char token[256]);
struct charle_client *rig_client(struct rig *rig, const char *name, const char *token);

PGconn *rig_psql(struct rig *rig);
void rig_sql(PGconn *pg, const char *sql);
long rig_number(PGconn *pg, const char *sql);

// Says something about the first task, offline: one comment whose body tells it apart. OK, or the reason it was not taken.
int rig_comment(struct charle_client *client, const char *body, struct charle_error *err);

_Noreturn void rig_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
