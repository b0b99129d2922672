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

struct rig;

struct rig_options {
    const char *program;                   // the server, such as charled
    const struct charle_schema *schema;    // its schema
    void (*seed)(struct rig *rig, PGconn *pg); // fills the migrated database; people it makes sign in with rig_password
    uint64_t random;
    bool is_durable;                       // PostgreSQL syncs to disk (for crashes of it)
    const char *host;                      // the IPv4 address the server listens on; NULL: 127.0.0.1
};

struct rig {
    struct rig_options options;
    struct ch_pg_cluster *cluster;
    char url[CH_PG_CLUSTER_URL_SIZE]; // of the application's database
    char folder[64];
    char address[64];
    int port;
    pid_t charled;
    uint64_t random; // state
};

// Cluster, migrated and seeded database, running server.
void rig_open(struct rig *rig, const struct rig_options *options);
void rig_close(struct rig *rig);

void rig_start_server(struct rig *rig); // waits until it listens
void rig_kill_server(struct rig *rig, int number);
uint64_t rig_random(struct rig *rig, uint64_t below);
void rig_pause(int ms);

// Signs a seeded person in; the token is good as long as the database.
void rig_login(struct rig *rig, const char *email, char token[256]);
// Lets a person of the database sign in with that password.
extern const char rig_password[];
void rig_allow(PGconn *pg, const char *principal, const char *id);
struct charle_client *rig_client(struct rig *rig, const char *name, const char *token);
// The same with another address of the server, such as a proxy's.
struct charle_client *rig_client_at(struct rig *rig, const char *url, const char *name, const char *token);

PGconn *rig_psql(struct rig *rig);
void rig_sql(PGconn *pg, const char *sql);
long rig_number(PGconn *pg, const char *sql);

_Noreturn void rig_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
