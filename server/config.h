// What an operator can set, from four places. The stronger place wins: flag, environment, charled.conf, default.
//
// One table (config_option.c) holds every setting with its flag, its environment variable and its help text, so that the
// three ways to set it and the help cannot drift apart. The address of the database may hold a password: it is read
// from the environment or a file, never from a flag (every user of the machine can read a command line), and it is
// never printed.
#ifndef CHARLE_SERVER_CONFIG_H
#define CHARLE_SERVER_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"

#define CH_CONFIG_LISTEN_MAX 8
#define CH_CONFIG_PEERS_MAX  15
#define CH_CONFIG_STANDBYS_MAX 4

enum ch_config_action { CH_CONFIG_SERVE, CH_CONFIG_CHECK, CH_CONFIG_HELP, CH_CONFIG_VERSION, CH_CONFIG_SCHEMA };

struct ch_config {
    enum ch_config_action action;
    const char *listen[CH_CONFIG_LISTEN_MAX]; // at least one when the program serves
    size_t listen_count;
    const char *data_dir;     // absolute
    char *database_url;       // NULL: a private cluster; may hold a password
    const char *postgres_bin; // folder of the PostgreSQL programs; NULL: looked for
    const char *log_file;     // NULL: standard error
    enum ch_log_format log_format;
    enum ch_log_level log_level;
    uint32_t pool_size; // connections to PostgreSQL that run calls
    const char *tls_cert_file, *tls_key_file;
    const char *operators_scope; // who holds it may see who is connected
    char *read_from[CH_CONFIG_STANDBYS_MAX]; // hot standbys (standby.h); may hold passwords
    size_t read_from_count;
    uint32_t read_lag_ms; // one that is further behind is left out
    const char *hints_listen;  // where other servers of the database are heard (hints.h); NULL: nowhere
    const char *peers[CH_CONFIG_PEERS_MAX]; // where they are
    size_t peer_count;
    const char *hints_secret_file, *hints_ca_file;
    uint32_t upkeep_every_s;   // between two rounds of thinning out the change log; 0: never
    uint32_t keep_log_days;    // how long changes are kept for replicas that are away
    uint32_t keep_files_days;  // how long files are kept that no row refers to
    uint32_t file_max_mib, files_max_mib; // of one file; of all
    bool makes_seeds;          // seed files for first copies: see seeds.h
    uint32_t seed_rows, seed_size_mib, seed_every_s;
    bool is_development;       // --development: migrate at start, whatever the database
    bool may_migrate;          // --migrate, --development, or a private cluster
    bool allow_plaintext;      // tcp:// beyond loopback without TLS
    bool database_only;        // run the private PostgreSQL and answer no calls
    struct charle_arena arena; // owns the texts
};

// Reads all places and checks what was set. A failure is INVALID_ARGUMENT with a sentence for the operator; config must
// be released in every case. `environment` is as environ; argv[0] is skipped.
CHARLE_MUST_CHECK enum charle_err ch_config_init(struct ch_config *config, int argc, char *const *argv,
                                                 char *const *environment, struct charle_error *err);
void ch_config_deinit(struct ch_config *config); // NULL and zeroed are fine; wipes the database's address

// The text of --help for a program of this name.
void ch_config_print_help(const char *program);

// Does the address reach beyond this machine without encryption?
bool ch_config_is_exposed(const char *address);

#endif
