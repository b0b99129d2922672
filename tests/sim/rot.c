// Single bits of a laptop's files turn over, and its user takes what is left out of them.
//
// Only encrypted replicas promise to notice every bit that matters (db/sqlite/cipher.h), so all laptops of these worlds are encrypted: their files
// are sealed under one key over the disk in memory. From the first flip on a laptop may be told that its file is damaged: when it opens it, by a
// call, by the core that stops, or by whoever reads it, which here is the oracle as well. Then all programs on the replica end, its user rescues the
// calls into a new one, which begins with a first copy, and the old files are gone.
//
// What the oracle asks: nothing else than the truth is ever read (all its other rules go on); every call that can still be read is kept as it is; a
// call that cannot is lost, and its user knows. Without an identity the rescued replica cannot say which of its calls were on their way: they may
// be run twice, as the report says (charle/charle.h), and no others.
#include "client/core_parts.h"
#include "client/salvage.h"
#include "db/sqlite/cipher.h"
#include "services/crud.h"
#include "sim.schema.charle.h"
#include "sim/disk.h"
#include "sim/oracle.h"

#include <inttypes.h>
#include <stdio.h>

static const uint8_t data_key[CH_CIPHER_KEY_SIZE] = "not the least bit of a secret...";
static const char *const names[] = {"replica.db", "other.db"};

void rot_encrypt(struct laptop *laptop)
{
    struct charle_error err = {0};
    if (!laptop->world->swarm.rots || laptop->world->options.plant == PLANT_ROT_IN_CLEAR)
        return;
    if (ch_cipher_open(data_key, laptop->vfs, CH_REPLICA_PAGE_SIZE, &laptop->cipher, &err))
        world_fail(laptop->world, "no cipher: %s", err.text);
    laptop->env.vfs = ch_cipher_vfs(laptop->cipher);
}

const char *rot_file(struct laptop *laptop)
{
    return names[laptop_host(laptop)->file];
}

void rot_flip(struct world *world)
{
    struct laptop *host = laptop_host(&world->laptops[world_below(world, world->laptop_count)]);
    char name[40];
    snprintf(name, sizeof(name), "%s%s", rot_file(host), world_chance(world, 50) ? "-wal" : "");
    int64_t size = (int64_t)sim_disk_size(host->disk, name), at = world_below(world, size);
    uint8_t bit = (uint8_t)(1 << world_below(world, 8));
    if (!size)
        return;
    sim_disk_flip(host->disk, name, (size_t)at, bit);
    host->flips++;
    world->result.flips++;
    world_trace(world, "%s: byte %" PRId64 " of %s turns a bit", host->name, at, name);
}

bool rot_noticed(struct laptop *laptop, enum charle_err code)
{
    struct laptop *host = laptop_host(laptop);
    if (code != CHARLE_DATA_LOSS || !host->flips)
        return false;
    host->is_damaged = true;
    return true;
}

bool rot_is_told(struct laptop *laptop)
{
    if (laptop->is_on && laptop->core->problem_code == CHARLE_DATA_LOSS)
        (void)rot_noticed(laptop, CHARLE_DATA_LOSS);
    return laptop_host(laptop)->is_damaged;
}

static void stop_all(struct laptop *host)
{
    struct world *world = host->world;
    sim_disk_calm(host->disk);
    for (int i = 0; i < world->laptop_count; i++) {
        if (laptop_host(&world->laptops[i]) == host)
            laptop_stop(&world->laptops[i]);
    }
}

// A connection to the file as it is. Reads what can be read, or stops at the first damage.
static sqlite3 *open_file(struct laptop *host, bool forgives, struct ch_cipher **out)
{
    struct charle_error err = {0};
    sqlite3 *db = NULL;
    const char *vfs = host->vfs;
    if (host->cipher && ch_cipher_open(data_key, host->vfs, CH_REPLICA_PAGE_SIZE, out, &err))
        world_fail(host->world, "no cipher: %s", err.text);
    if (*out)
        vfs = ch_cipher_vfs(*out);
    if (*out && forgives)
        ch_cipher_forgive(*out);
    if (sqlite3_open_v2(rot_file(host), &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, vfs))
        world_trace(host->world, "%s: the file does not open", host->name);
    return db;
}

static bool read_call(sqlite3 *db, int64_t ticket, uint64_t *out)
{
    sqlite3_stmt *stmt = NULL;
    bool is_there = sqlite3_prepare_v2(db, "select method, request from charle_outbox where position = ?1", -1, &stmt, NULL) == SQLITE_OK &&
                    sqlite3_bind_int64(stmt, 1, ticket) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW;
    if (is_there)
        *out = oracle_hash_of(stmt);
    sqlite3_finalize(stmt);
    return is_there;
}

// What can be read is kept; of the rest the user was told.
static void compare_calls(struct laptop *host, sqlite3 *from, sqlite3 *to)
{
    size_t kept = 0;
    for (size_t i = 0; i < host->seen_count; i++) {
        const struct seen_call *seen = &host->seen[i];
        uint64_t old = 0, new = 0;
        bool was_there = read_call(from, seen->ticket, &old), is_there = to && read_call(to, seen->ticket, &new);
        if (was_there && !is_there)
            world_fail(host->world, "%s: call %" PRId64 " can be read in the damaged replica and was not rescued", host->name, seen->ticket);
        if (is_there && seen->hash && new != seen->hash)
            world_fail(host->world, "%s: call %" PRId64 " was rescued as another one", host->name, seen->ticket);
        if (is_there)
            host->seen[kept++] = *seen;
    }
    world_trace(host->world, "%s: %zu of %zu calls are rescued", host->name, kept, host->seen_count);
    host->seen_count = kept;
}

static void pardon(struct laptop *host, sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db, "select seed from charle_outbox where state < 5", -1, &stmt, NULL);
    while (code == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        oracle_pardon(host->world->oracle, (uint64_t)sqlite3_column_int64(stmt, 0));
    sqlite3_finalize(stmt);
}

static void remove_files(struct laptop *host, const char *name)
{
    static const char *const suffixes[] = {"", "-wal", "-journal", ".files", ".files-wal"};
    char path[40];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", name, suffixes[i]);
        sim_disk_remove(host->disk, path);
    }
}

static void rescue(struct laptop *host, sqlite3 *from, const char *name)
{
    struct world *world = host->world;
    struct charle_error err = {0};
    struct charle_rescue_report report = {0};
    struct ch_replica to;
    const struct ch_replica_options options = {.file = name, .schema = &sim_schema, .crud = ch_crud_run, .device_name = host->name};
    if (ch_replica_open(&to, &host->env, &options, &err)) {
        world_fail(world, "%s: no new replica: %s", host->name, err.text);
        return;
    }
    enum charle_err rc = ch_salvage_calls(rot_file(host), from, &to, &report, &err);
    world_trace(world, "%s: rescue: %s, %" PRId64 " calls wait, %s", host->name, charle_err_name(rc), report.calls,
                report.has_identity ? "under its name" : "nobody knows whose");
    if (rc && rc != CHARLE_DATA_LOSS)
        world_fail(world, "%s cannot be rescued: %s", host->name, err.text);
    compare_calls(host, from, rc ? NULL : to.sql.db);
    if (!rc && !report.has_identity)
        pardon(host, to.sql.db);
    ch_replica_close(&to);
    if (rc) // nothing is left: as new
        remove_files(host, name);
}

void rot_mend(struct laptop *laptop)
{
    struct laptop *host = laptop_host(laptop);
    struct ch_cipher *cipher = NULL;
    world_trace(host->world, "%s is damaged", host->name);
    host->world->result.rescues++;
    stop_all(host);
    sqlite3 *from = open_file(host, true, &cipher);
    remove_files(host, names[!host->file]);
    rescue(host, from, names[!host->file]);
    sqlite3_close(from);
    ch_cipher_close(cipher);
    remove_files(host, rot_file(host));
    host->file = !host->file;
    host->flips = 0;
    host->is_damaged = false;
    failover_forget(host->world, host);
    for (int i = 0; i < host->world->laptop_count; i++) {
        if (laptop_host(&host->world->laptops[i]) == host)
            host->world->laptops[i].moment = 0;
    }
    laptop_start_soon(host, 1 + world_below(host->world, 600000));
}

void rot_look(struct laptop *host)
{
    struct ch_cipher *cipher = NULL;
    sqlite3_stmt *stmt = NULL;
    if (!host->flips)
        return;
    stop_all(host);
    sqlite3 *db = open_file(host, false, &cipher);
    int code = sqlite3_prepare_v2(db, "pragma integrity_check", -1, &stmt, NULL);
    bool is_good = code == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    ch_cipher_close(cipher);
    if (!is_good)
        rot_mend(host);
    host->flips = 0;
}
