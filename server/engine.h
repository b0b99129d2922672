// Everything that answers calls: the pool, the worker threads, sessions, sync, and the RPC server in front of them.
//
// Started after the database is migrated, stopped before the private PostgreSQL is. Start, listen and stop belong to
// the main thread.
#ifndef CHARLE_SERVER_ENGINE_H
#define CHARLE_SERVER_ENGINE_H

#include "server/hints.h"
#include "server/migrate.h"

#define CH_ENGINE_DISPLAY_SIZE CH_DATABASE_DISPLAY_SIZE
#define CH_ENGINE_ADDRESS_SIZE 160

struct ch_engine;

struct ch_engine_options {
    const struct ch_server_app *app;
    const char *database_url; // must outlive the engine
    const char *display;      // of the database, for people; must outlive the engine
    uint32_t pool_size;
    const char *tls_cert_file, *tls_key_file;
    bool allow_plaintext;
    uint32_t upkeep_every_s, keep_log_days, keep_files_days; // see upkeep.h
    int64_t file_size_max, file_store_max; // bytes; see sync/file.h
    const char *seeds_folder; // NULL: no seed files; the rest see seeds.h
    int64_t seed_rows_min, seed_size_max;
    uint32_t seed_every_s;
    const char *const *read_from; // URLs of standbys
    size_t read_from_count;
    uint32_t read_lag_ms;
    const char *operators_scope; // who holds it may ask Admin/Server
    struct ch_hints_options hints; // `database`, `look` and `ctx` are the engine's to fill; without addresses: none
    int64_t start_us; // monotonic, of the process
};

CHARLE_MUST_CHECK enum charle_err ch_engine_start(const struct ch_engine_options *options, struct ch_engine **out,
                                                  struct charle_error *err);
// Answers on one more address. out_address takes the real one: port 0 is replaced.
CHARLE_MUST_CHECK enum charle_err ch_engine_listen(struct ch_engine *engine, const char *address,
                                                   char out_address[CH_ENGINE_ADDRESS_SIZE], struct charle_error *err);
// Takes no new calls, lets those in flight finish for at most drain_ms, then cancels the rest. NULL is fine.
void ch_engine_stop(struct ch_engine *engine, uint32_t drain_ms);

// The platform's own SQL and the application's migrations.
struct ch_migration_list ch_engine_migrations(const struct ch_server_app *app);

#endif
