#include "server/seeds.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "msg/wire.h"
#include "server/seed_file.h"
#include "server/sync/parts.h"
#include "server/sync/seed_build.h"
#include "sync/cursor.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

enum {
    PATH_SIZE = 4200,
    POOL_WAIT_MS = 5000,
    LOOK_US = 60000000,           // how often files are looked at for their age
    REPLACED_KEEP_US = 1800000000, // half an hour: replicas that fetch it go on to its end
    SMALL_KEEP_US = 600000000,    // a scope that was too small may have grown
    NICE = 15,                    // whoever waits for a call comes first
    ZSTD_LEVEL = 3,
};

struct small_scope { // not worth a file before that time
    char scope[CH_SCOPE_LEN_MAX + 1];
    int64_t until_us;
};

struct ch_seeds {
    struct ch_seeds_options options;
    char folder[PATH_SIZE - 100]; // of this schema
    pthread_t thread;
    pthread_mutex_t mutex; // guards the rest
    pthread_cond_t wake;
    bool is_stopping;
    struct charle_db *db;  // on which the thread works; NULL: none
    struct ch_seed_file *files;
    char queue[CH_SEED_QUEUE_MAX][CH_SCOPE_LEN_MAX + 1];
    size_t queue_count;
    struct small_scope small[CH_SEED_SMALL_MAX];
    size_t small_next;     // place of the next one
};

// --- the list (with the mutex) ----------------------------------------------------------------------------------------------

static void release(struct ch_seed_file *file)
{
    if (--file->users == 0)
        ch_seed_file_free(file);
}

static void drop(struct ch_seeds *seeds, struct ch_seed_file *file)
{
    struct ch_seed_file **at = &seeds->files;
    while (*at && *at != file)
        at = &(*at)->next;
    if (!*at)
        return; // somebody else did
    *at = file->next;
    ch_seed_file_delete(seeds->folder, file);
    release(file);
}

static bool is_of(const struct ch_seed_file *file, struct charle_str scope)
{
    return charle_str_equal(charle_str(file->scope), scope);
}

static struct ch_seed_file *newest_of(struct ch_seeds *seeds, struct charle_str scope)
{
    for (struct ch_seed_file *file = seeds->files; file; file = file->next) {
        if (is_of(file, scope) && !file->replaced_us)
            return file;
    }
    return NULL;
}

static struct ch_seed_file *file_named(struct ch_seeds *seeds, struct charle_str scope, struct charle_bytes hash)
{
    for (struct ch_seed_file *file = seeds->files; file; file = file->next) {
        if (is_of(file, scope) && hash.len == sizeof(file->hash) && memcmp(hash.ptr, file->hash, hash.len) == 0)
            return file;
    }
    return NULL;
}

static void add_newest(struct ch_seeds *seeds, struct ch_seed_file *file, int64_t now_us)
{
    struct ch_seed_file *before = newest_of(seeds, charle_str(file->scope)), *same;
    if (before)
        before->replaced_us = now_us;
    // Nothing has changed since: the names on the disk are those of the file before.
    for (same = seeds->files; same && !(is_of(same, charle_str(file->scope)) && memcmp(same->hash, file->hash, sizeof(file->hash)) == 0);)
        same = same->next;
    if (same) {
        same->replaced_us = 0;
        same->made_s = file->made_s;
        ch_seed_file_free(file);
        return;
    }
    file->next = seeds->files;
    seeds->files = file;
}

// What was replaced long ago goes, and what is too much: replaced files first, then those made first.
static void tidy(struct ch_seeds *seeds, int64_t now_us)
{
    for (;;) {
        int64_t size = 0;
        size_t count = 0;
        struct ch_seed_file *victim = NULL, *expired = NULL;
        for (struct ch_seed_file *file = seeds->files; file; file = file->next) {
            size += file->size;
            count++;
            if (file->replaced_us && now_us - file->replaced_us > REPLACED_KEEP_US)
                expired = file;
            if (!victim || (file->replaced_us && !victim->replaced_us) || (!file->replaced_us == !victim->replaced_us && file->made_s <= victim->made_s))
                victim = file;
        }
        if (expired)
            drop(seeds, expired);
        else if (victim && count > 1 && (size > seeds->options.size_max || count > CH_SEED_FILES_MAX))
            drop(seeds, victim);
        else
            return;
    }
}

static bool is_small(const struct ch_seeds *seeds, struct charle_str scope)
{
    for (size_t i = 0; i < CH_SEED_SMALL_MAX; i++) {
        if (seeds->small[i].until_us > ch_clock_mono_us() && charle_str_equal(charle_str(seeds->small[i].scope), scope))
            return true;
    }
    return false;
}

// False: there is no need, or no room.
static bool enqueue(struct ch_seeds *seeds, struct charle_str scope)
{
    if (is_small(seeds, scope) || scope.len > CH_SCOPE_LEN_MAX)
        return false;
    for (size_t i = 0; i < seeds->queue_count; i++) {
        if (charle_str_equal(charle_str(seeds->queue[i]), scope))
            return true;
    }
    if (seeds->queue_count == CH_SEED_QUEUE_MAX)
        return false;
    memcpy(seeds->queue[seeds->queue_count], scope.ptr, scope.len);
    seeds->queue[seeds->queue_count++][scope.len] = '\0';
    pthread_cond_signal(&seeds->wake);
    return true;
}

// --- making -----------------------------------------------------------------------------------------------------------------

static void note_small(struct ch_seeds *seeds, const char *scope, int64_t for_us)
{
    pthread_mutex_lock(&seeds->mutex);
    struct small_scope *small = &seeds->small[seeds->small_next++ % CH_SEED_SMALL_MAX];
    snprintf(small->scope, sizeof(small->scope), "%s", scope);
    small->until_us = ch_clock_mono_us() + for_us;
    pthread_mutex_unlock(&seeds->mutex);
}

// A file may take all that files may have, but never the last half of what the disk has left.
static int64_t room_for_file(const struct ch_seeds *seeds)
{
    struct statvfs disk;
    int64_t most = (int64_t)CH_SEED_RANGE_SIZE * CH_SEED_RANGES_MAX;
    int64_t room = seeds->options.size_max < most ? seeds->options.size_max : most;
    if (statvfs(seeds->folder, &disk) != 0)
        return room;
    int64_t half = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize / 2;
    return half < room ? half : room;
}

static void remove_making(const char *path)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
    char name[PATH_SIZE];
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, tails[i]);
        unlink(name);
    }
}

static enum charle_err make_file(struct ch_seeds *seeds, struct charle_db *db, const char *scope, struct charle_error *err)
{
    char path[PATH_SIZE];
    struct ch_seed_made made = {0};
    struct ch_seed_file *file = NULL;
    int64_t started_us = ch_clock_mono_us();
    snprintf(path, sizeof(path), "%s/making.tmp", seeds->folder);
    remove_making(path);
    enum charle_err rc = ch_seed_build(seeds->options.sync, db, charle_str(scope), path, room_for_file(seeds), &made, err);
    const struct charle_cursor head = {.scope = charle_str(scope), .stamp = made.stamp, .lineage = made.lineage};
    if (rc == CHARLE_OK)
        rc = ch_seed_file_keep(seeds->folder, path, charle_str(scope), &head, made.rows, &file, err);
    remove_making(path);
    if (rc)
        return rc;
    int64_t now_us = ch_clock_mono_us();
    ch_log(CH_LOG_INFO, "seeds", "a seed file was made scope=\"%s\" rows=%" PRId64 " bytes=%" PRId64 " ms=%" PRId64, scope, made.rows,
           file->size, (now_us - started_us) / 1000);
    pthread_mutex_lock(&seeds->mutex);
    add_newest(seeds, file, now_us);
    tidy(seeds, now_us);
    pthread_mutex_unlock(&seeds->mutex);
    return CHARLE_OK;
}

static enum charle_err work_on(struct ch_seeds *seeds, struct charle_db *db, const char *scope, struct charle_error *err)
{
    bool is_large = false;
    enum charle_err rc = ch_seed_is_large(seeds->options.sync, db, charle_str(scope), seeds->options.rows_min, &is_large, err);
    if (rc == CHARLE_OK && !is_large)
        note_small(seeds, scope, SMALL_KEEP_US);
    return rc || !is_large ? rc : make_file(seeds, db, scope, err);
}

static void work(struct ch_seeds *seeds, const char *scope)
{
    struct charle_error err = {0};
    struct charle_db *db = NULL;
    enum charle_err rc = ch_pg_pool_take(seeds->options.pool, POOL_WAIT_MS, &db, &err);
    pthread_mutex_lock(&seeds->mutex);
    seeds->db = seeds->is_stopping ? NULL : db;
    bool goes_on = seeds->db != NULL;
    pthread_mutex_unlock(&seeds->mutex);
    if (rc == CHARLE_OK && goes_on)
        rc = work_on(seeds, db, scope, &err);
    pthread_mutex_lock(&seeds->mutex);
    seeds->db = NULL;
    bool is_stopping = seeds->is_stopping;
    pthread_mutex_unlock(&seeds->mutex);
    ch_pg_pool_give(seeds->options.pool, db);
    if (rc && !is_stopping) {
        note_small(seeds, scope, SMALL_KEEP_US);
        ch_log(CH_LOG_WARN, "seeds", "no seed file could be made for the scope %s, replicas copy it instead: %s", scope, err.text);
    }
}

// Queues files that are too old; whether anything has changed shows when they are made: the same rows give the same file.
static void look_at_ages(struct ch_seeds *seeds)
{
    int64_t now_s = ch_clock_wall().us / 1000000;
    tidy(seeds, ch_clock_mono_us());
    for (struct ch_seed_file *file = seeds->files; seeds->options.every_s && file; file = file->next) {
        if (!file->replaced_us && now_s - file->made_s > (int64_t)seeds->options.every_s)
            enqueue(seeds, charle_str(file->scope));
    }
}

// The next scope; false: the server stops.
static bool next_scope(struct ch_seeds *seeds, char out[CH_SCOPE_LEN_MAX + 1])
{
    pthread_mutex_lock(&seeds->mutex);
    while (!seeds->is_stopping && !seeds->queue_count) {
        int64_t until_us = ch_clock_mono_us() + LOOK_US;
        struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
        if (pthread_cond_timedwait(&seeds->wake, &seeds->mutex, &until) == ETIMEDOUT)
            look_at_ages(seeds);
    }
    bool goes_on = !seeds->is_stopping;
    if (goes_on) {
        memcpy(out, seeds->queue[0], sizeof(seeds->queue[0]));
        seeds->queue_count--;
        memmove(seeds->queue[0], seeds->queue[1], seeds->queue_count * sizeof(seeds->queue[0]));
    }
    pthread_mutex_unlock(&seeds->mutex);
    return goes_on;
}

static void *run(void *ctx)
{
    struct ch_seeds *seeds = ctx;
    char scope[CH_SCOPE_LEN_MAX + 1];
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE); // of this thread alone, on Linux
    while (next_scope(seeds, scope))
        work(seeds, scope);
    return NULL;
}

// --- asking -----------------------------------------------------------------------------------------------------------------

// The best of what the peer may have, with a use of its own; NULL: none. *out_missing: another one will be there later.
static struct ch_seed_file *choose(struct ch_seeds *seeds, const struct charle_seed_request *request, const struct charle_str *held,
                                   size_t held_count, bool *out_missing)
{
    struct ch_seed_file *best = NULL;
    const struct charle_str *scopes = request->scope.items;
    pthread_mutex_lock(&seeds->mutex);
    for (size_t i = 0; i < request->scope.count; i++) {
        if (!ch_scopes_have(held, held_count, scopes[i]))
            continue;
        struct ch_seed_file *file = request->hash.has ? file_named(seeds, scopes[i], request->hash.value) : NULL;
        if (file) {
            best = file;
            break;
        }
        file = newest_of(seeds, scopes[i]);
        if (!file)
            *out_missing |= enqueue(seeds, scopes[i]);
        else if (!best || file->rows > best->rows)
            best = file;
    }
    if (best)
        best->users++;
    pthread_mutex_unlock(&seeds->mutex);
    return best;
}

static void let_go(struct ch_seeds *seeds, struct ch_seed_file *file, bool is_bad)
{
    pthread_mutex_lock(&seeds->mutex);
    if (is_bad) {
        enqueue(seeds, charle_str(file->scope));
        drop(seeds, file);
    }
    release(file);
    pthread_mutex_unlock(&seeds->mutex);
}

enum charle_err ch_seeds_find(struct ch_seeds *seeds, struct charle_db *db, const struct ch_sync_peer *peer,
                              const struct charle_seed_request *request, struct charle_arena *arena, struct charle_seed_reply *out,
                              struct charle_error *err)
{
    const struct charle_str *held;
    size_t held_count;
    bool is_missing = false, is_good = false;
    *out = (struct charle_seed_reply){0};
    enum charle_err rc = ch_sync_scopes_of(seeds->options.sync, db, peer, arena, &held, &held_count, err);
    if (rc)
        return rc;
    if (request->scope.count > CH_SCOPES_PER_SESSION_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a request for a seed file names at most %d scopes", CH_SCOPES_PER_SESSION_MAX);
    struct ch_seed_file *file = choose(seeds, request, held, held_count, &is_missing);
    if (file) {
        rc = ch_seed_is_good(db, charle_str(file->scope), file->stamp, file->lineage, &is_good, err);
        if (rc == CHARLE_OK && is_good)
            rc = ch_seed_file_describe(file, arena, out, err);
        let_go(seeds, file, rc == CHARLE_OK && !is_good);
    }
    out->is_coming = (struct charle_opt_bool){is_missing || (file && !is_good), true};
    return rc;
}

// --- reading ----------------------------------------------------------------------------------------------------------------

struct reading {
    const struct ch_seed_file *file;
    uint8_t *range;
    uint8_t *packed; // NULL: not wanted
    size_t packed_size;
    ch_sync_send send;
    void *ctx;
    struct charle_buf message;
};

static enum charle_err send_range(struct reading *reading, uint32_t range, struct charle_error *err)
{
    size_t size, packed = 0;
    enum charle_err rc = ch_seed_file_read(reading->file, range, reading->range, &size, err);
    if (rc)
        return rc;
    struct charle_seed_range message = {.range = range};
    if (reading->packed)
        packed = ZSTD_compress(reading->packed, reading->packed_size, reading->range, size, ZSTD_LEVEL);
    if (packed && !ZSTD_isError(packed) && packed < size)
        message.zstd = (struct charle_opt_bytes){charle_bytes(reading->packed, packed), true};
    else
        message.bytes = (struct charle_opt_bytes){charle_bytes(reading->range, size), true};
    charle_buf_reset(&reading->message);
    charle_message_write(&charle_seed_range_message, &message, &reading->message);
    if (reading->message.failed)
        return charle_fail(err, reading->message.failed, "no memory to send a range");
    return reading->send(reading->ctx, charle_buf_bytes(&reading->message), err);
}

static enum charle_err send_ranges(const struct ch_seed_file *file, const struct charle_seed_read_request *request, ch_sync_send send, void *ctx,
                                   struct charle_error *err)
{
    bool wants_zstd = request->wants_zstd.has && request->wants_zstd.value;
    struct reading reading = {.file = file, .send = send, .ctx = ctx, .packed_size = ZSTD_compressBound(CH_SEED_RANGE_SIZE)};
    uint32_t count = ch_seed_range_count(file->size);
    if (request->count < 1 || request->count > CH_SEED_READ_MAX || request->range >= count)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%u ranges from range %u were asked for: the file has %u, and a request 1 to %d",
                           request->count, request->range, count, CH_SEED_READ_MAX);
    reading.range = ch_alloc(CH_SEED_RANGE_SIZE);
    reading.packed = wants_zstd ? ch_alloc(reading.packed_size) : NULL;
    enum charle_err rc = reading.range && (reading.packed || !wants_zstd) ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory to send a range");
    for (uint32_t i = request->range; rc == CHARLE_OK && i < count && i - request->range < request->count; i++)
        rc = send_range(&reading, i, err);
    charle_buf_deinit(&reading.message);
    ch_free(reading.range);
    ch_free(reading.packed);
    return rc;
}

static enum charle_err check_scope(struct ch_seeds *seeds, struct charle_db *db, const struct ch_sync_peer *peer, struct charle_str scope,
                                   struct charle_error *err)
{
    const struct charle_str *held;
    size_t count;
    struct charle_arena arena = {0};
    enum charle_err rc = ch_sync_scopes_of(seeds->options.sync, db, peer, &arena, &held, &count, err);
    if (rc == CHARLE_OK && !ch_scopes_have(held, count, scope))
        rc = charle_fail(err, CHARLE_PERMISSION_DENIED, "scope \"%.*s\" is not granted to %.*s %.*s", CHARLE_FMT(scope),
                         CHARLE_FMT(peer->principal), CHARLE_FMT(peer->id));
    charle_arena_deinit(&arena);
    return rc;
}

enum charle_err ch_seeds_read(struct ch_seeds *seeds, struct charle_db *db, const struct ch_sync_peer *peer,
                              const struct charle_seed_read_request *request, ch_sync_send send, void *ctx, struct charle_error *err)
{
    enum charle_err rc = check_scope(seeds, db, peer, request->scope, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&seeds->mutex);
    struct ch_seed_file *file = file_named(seeds, request->scope, request->hash);
    if (file)
        file->users++;
    pthread_mutex_unlock(&seeds->mutex);
    if (!file)
        return charle_fail(err, CHARLE_NOT_FOUND, "this seed file is not here any more: ask for the present one");
    rc = send_ranges(file, request, send, ctx, err);
    let_go(seeds, file, false);
    return rc;
}

// --- life -------------------------------------------------------------------------------------------------------------------

static bool has_tail(const char *name, const char *tail)
{
    size_t n = strlen(name), t = strlen(tail);
    return n > t && strcmp(name + n - t, tail) == 0;
}

// Files of another schema, half-made ones, and those of which not all is known.
static bool is_known(struct ch_seeds *seeds, const char *path)
{
    struct stat about, mine;
    if (stat(path, &about) != 0)
        return true;
    for (struct ch_seed_file *file = seeds->files; file; file = file->next) {
        if (fstat(file->fd, &mine) == 0 && mine.st_ino == about.st_ino && mine.st_dev == about.st_dev)
            return true;
    }
    return false;
}

static void remove_strays(struct ch_seeds *seeds, const char *folder)
{
    char path[PATH_SIZE];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        bool is_ours = has_tail(path, ".seed") || strstr(entry->d_name, ".tmp") != NULL;
        if (is_ours && !is_known(seeds, path)) {
            unlink(path);
            snprintf(path + strlen(path) - 5, 6, ".info");
            unlink(path);
        }
    }
    if (dir)
        closedir(dir);
}

// Two servers that share a folder of programs never share a data folder, so whatever lies here is ours.
static void remove_other_schemas(struct ch_seeds *seeds)
{
    char path[PATH_SIZE];
    DIR *dir = opendir(seeds->options.folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", seeds->options.folder, entry->d_name);
        if (strlen(entry->d_name) != 16 || strspn(entry->d_name, "0123456789abcdef") != 16 || strcmp(path, seeds->folder) == 0)
            continue;
        remove_strays(seeds, path);
        rmdir(path);
    }
    if (dir)
        closedir(dir);
}

static void take_up_files(struct ch_seeds *seeds)
{
    DIR *dir = opendir(seeds->folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        struct ch_seed_file *file, *before;
        struct charle_error err = {0};
        if (!has_tail(entry->d_name, ".info"))
            continue;
        if (ch_seed_file_open(seeds->folder, entry->d_name, &file, &err)) {
            ch_log(CH_LOG_WARN, "seeds", "a seed file is not used any more: %s", err.text);
            continue;
        }
        before = newest_of(seeds, charle_str(file->scope));
        if (before && before->made_s >= file->made_s) {
            file->replaced_us = ch_clock_mono_us();
            file->next = seeds->files;
            seeds->files = file;
        } else {
            add_newest(seeds, file, ch_clock_mono_us());
        }
    }
    if (dir)
        closedir(dir);
    remove_strays(seeds, seeds->folder);
    remove_other_schemas(seeds);
    tidy(seeds, ch_clock_mono_us());
}

static enum charle_err make_folder(const char *path, struct charle_error *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return CHARLE_OK;
    return charle_fail_foreign(err, CHARLE_IO, CHARLE_DOMAIN_POSIX, errno, "%s: the folder of the seed files cannot be made: %s", path,
                               strerror(errno));
}

enum charle_err ch_seeds_start(const struct ch_seeds_options *options, struct ch_seeds **out, struct charle_error *err)
{
    *out = NULL;
    struct ch_seeds *seeds = ch_alloc_zeroed(1, sizeof(*seeds));
    if (!seeds)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    seeds->options = *options;
    int length = snprintf(seeds->folder, sizeof(seeds->folder), "%s/%016" PRIx64, options->folder, options->schema->hash);
    enum charle_err rc = length < (int)sizeof(seeds->folder) ? make_folder(options->folder, err)
                                                             : charle_fail(err, CHARLE_INVALID_ARGUMENT, "the data folder's path is too long");
    if (rc == CHARLE_OK)
        rc = make_folder(seeds->folder, err);
    if (rc) {
        ch_free(seeds);
        return rc;
    }
    take_up_files(seeds);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&seeds->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&seeds->mutex, NULL);
    bool is_running = pthread_create(&seeds->thread, NULL, run, seeds) == 0;
    if (is_running) {
        pthread_setname_np(seeds->thread, "seeds");
        *out = seeds;
        return CHARLE_OK;
    }
    while (seeds->files) {
        struct ch_seed_file *file = seeds->files;
        seeds->files = file->next;
        release(file);
    }
    ch_free(seeds);
    return charle_fail(err, CHARLE_NO_MEMORY, "cannot start another thread: raise the limit of processes");
}

void ch_seeds_stop(struct ch_seeds *seeds)
{
    if (!seeds)
        return;
    pthread_mutex_lock(&seeds->mutex);
    seeds->is_stopping = true;
    struct charle_error err;
    if (seeds->db && ch_pg_cancel(seeds->db, &err))
        ch_log(CH_LOG_WARN, "seeds", "a statement could not be cancelled: %s", err.text);
    pthread_cond_broadcast(&seeds->wake);
    pthread_mutex_unlock(&seeds->mutex);
    pthread_join(seeds->thread, NULL);
    while (seeds->files) {
        struct ch_seed_file *file = seeds->files;
        seeds->files = file->next;
        release(file);
    }
    pthread_cond_destroy(&seeds->wake);
    pthread_mutex_destroy(&seeds->mutex);
    ch_free(seeds);
}
