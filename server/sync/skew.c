#include "server/sync/skew.h"

#include "base/alloc.h"
#include "server/sync/parts.h"
#include "server/sync/skew_schema.h"
#include "sync/shape.h"

#include <inttypes.h>
#include <pthread.h>

enum {
    SHAPES_MAX = 64, // at a time; a release a week makes 52 in the year that they are served
    SHAPES_STORED_MAX = 1024
};

struct entry {
    struct ch_skew_schema schema; // what `sync` reads
    struct ch_sync *sync;         // NULL: cannot be bridged, and `refusal` says why
    uint64_t hash;
    uint64_t used_at;             // counts uses, to find the one that was not used for longest
    uint32_t users;
    char refusal[sizeof(((struct charle_error *)0)->text)];
};

struct ch_skews {
    const struct ch_sync *current;
    const struct charle_method_table *methods;
    pthread_mutex_t mutex; // guards the list, and used_at and users of its entries; the rest of an entry does not change
    struct entry *entries[SHAPES_MAX];
    size_t count;
    uint64_t uses;
};

bool ch_sync_is_skewed(const struct ch_sync *sync)
{
    return sync->is_skewed;
}

uint64_t ch_sync_schema_hash(const struct ch_sync *sync)
{
    return sync->schema->hash;
}

// --- life ---------------------------------------------------------------------------------------------------------------

enum charle_err ch_skews_new(const struct ch_sync *current, const struct charle_method_table *methods, struct ch_skews **out,
                             struct charle_error *err)
{
    struct ch_skews *skews = ch_alloc_zeroed(1, sizeof(*skews));
    if (!skews)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the versions of the schema");
    skews->current = current;
    skews->methods = methods;
    pthread_mutex_init(&skews->mutex, NULL);
    *out = skews;
    return CHARLE_OK;
}

static void free_entry(struct entry *entry)
{
    if (!entry)
        return;
    ch_sync_free(entry->sync);
    ch_skew_schema_deinit(&entry->schema);
    ch_free(entry);
}

void ch_skews_free(struct ch_skews *skews)
{
    if (!skews)
        return;
    for (size_t i = 0; i < skews->count; i++)
        free_entry(skews->entries[i]);
    pthread_mutex_destroy(&skews->mutex);
    ch_free(skews);
}

// --- entries ------------------------------------------------------------------------------------------------------------

// The mutex is held.
static struct entry *find_held(struct ch_skews *skews, uint64_t hash)
{
    for (size_t i = 0; i < skews->count; i++) {
        if (skews->entries[i]->hash == hash) {
            skews->entries[i]->users++;
            skews->entries[i]->used_at = ++skews->uses;
            return skews->entries[i];
        }
    }
    return NULL;
}

// NULL: not in memory. Otherwise the caller has to release it.
static struct entry *find_entry(struct ch_skews *skews, uint64_t hash)
{
    pthread_mutex_lock(&skews->mutex);
    struct entry *found = find_held(skews, hash);
    pthread_mutex_unlock(&skews->mutex);
    return found;
}

static void release_entry(struct ch_skews *skews, struct entry *entry)
{
    pthread_mutex_lock(&skews->mutex);
    entry->users--;
    pthread_mutex_unlock(&skews->mutex);
}

// Takes the entry that nobody uses and nobody used for longest out of the list. NULL: all are in use.
static struct entry *take_idle(struct ch_skews *skews)
{
    size_t idle = SHAPES_MAX;
    for (size_t i = 0; i < skews->count; i++) {
        if (!skews->entries[i]->users && (idle == SHAPES_MAX || skews->entries[i]->used_at < skews->entries[idle]->used_at))
            idle = i;
    }
    if (idle == SHAPES_MAX)
        return NULL;
    struct entry *entry = skews->entries[idle];
    skews->entries[idle] = skews->entries[--skews->count];
    return entry;
}

// Two threads may make the same one; the first is kept. NULL: the list is full.
static struct entry *keep_entry(struct ch_skews *skews, struct entry *entry)
{
    struct entry *dropped = NULL;
    pthread_mutex_lock(&skews->mutex);
    struct entry *kept = find_held(skews, entry->hash);
    if (!kept && skews->count == SHAPES_MAX)
        dropped = take_idle(skews);
    if (!kept && skews->count < SHAPES_MAX) {
        entry->users = 1;
        entry->used_at = ++skews->uses;
        kept = skews->entries[skews->count++] = entry;
    }
    pthread_mutex_unlock(&skews->mutex);
    free_entry(dropped);
    if (kept != entry)
        free_entry(entry);
    return kept;
}

// A shape that cannot be bridged gets an entry too, so that its replicas are refused without much ado.
static enum charle_err make_entry(struct ch_skews *skews, struct charle_bytes shape, struct entry **out, struct charle_error *err)
{
    struct entry *entry = ch_alloc_zeroed(1, sizeof(*entry));
    if (!entry)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a version of the schema");
    entry->hash = ch_shape_hash(shape);
    enum charle_err rc = ch_skew_schema_init(&entry->schema, skews->current->schema, shape, entry->hash, err);
    if (rc == CHARLE_OK)
        rc = ch_sync_new_skewed(&entry->schema.schema, entry->schema.expressions, skews->methods, &entry->sync, err);
    if (rc == CHARLE_OK)
        entry->sync->gaps = entry->schema.gaps;
    if (rc == CHARLE_SCHEMA_MISMATCH) {
        snprintf(entry->refusal, sizeof(entry->refusal), "%s", err->text);
        rc = CHARLE_OK;
    }
    if (rc) {
        free_entry(entry);
        return rc;
    }
    *out = keep_entry(skews, entry);
    return *out ? CHARLE_OK
                : charle_fail(err, CHARLE_RESOURCE_EXHAUSTED, "replicas of %d other versions of the schema are being served: try again", SHAPES_MAX);
}

static enum charle_err use_entry(struct ch_skews *skews, struct entry *entry, const struct ch_sync **out, struct charle_error *err)
{
    *out = entry->sync;
    if (entry->sync)
        return CHARLE_OK;
    enum charle_err rc = charle_fail(err, CHARLE_SCHEMA_MISMATCH, "%s", entry->refusal);
    release_entry(skews, entry);
    return rc;
}

void ch_skews_release(struct ch_skews *skews, const struct ch_sync *sync)
{
    if (!sync || sync == skews->current)
        return;
    pthread_mutex_lock(&skews->mutex);
    for (size_t i = 0; i < skews->count; i++)
        skews->entries[i]->users -= skews->entries[i]->sync == sync;
    pthread_mutex_unlock(&skews->mutex);
}

// --- the database -------------------------------------------------------------------------------------------------------

// NOT_FOUND: nobody has sent it yet.
static enum charle_err load_shape(struct charle_db *db, uint64_t hash, struct charle_arena *arena, struct charle_bytes *out,
                                  struct charle_error *err)
{
    const struct charle_value param = charle_int8((int64_t)hash);
    struct charle_rows *rows = NULL;
    struct charle_value value;
    enum charle_err rc = charle_query(db, "select shape from charle.shape where hash = $1", &param, 1, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_BYTES, false, &value, err);
    if (rc == CHARLE_OK)
        *out = charle_arena_bytes(arena, value.bytes);
    charle_rows_close(rows);
    if (rc == CHARLE_OK && !out->ptr)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a version of the schema");
    return rc == CHARLE_DONE ? CHARLE_NOT_FOUND : rc;
}

// Versions that no device used for long make room for new ones.
static enum charle_err store_shape(struct charle_db *db, uint64_t hash, struct charle_bytes shape, struct charle_error *err)
{
    const struct charle_value params[] = {charle_int8((int64_t)hash), {.type = CHARLE_TYPE_BYTES, .bytes = shape},
                                          charle_int8(SHAPES_STORED_MAX)};
    enum charle_err rc = charle_exec(db, "delete from charle.shape where hash in (select hash from charle.shape order by met_at desc offset $1)",
                                     &params[2], 1, NULL, err);
    return rc ? rc : charle_exec(db, "insert into charle.shape (hash, shape) values ($1, $2) on conflict (hash) do update set met_at = now()",
                                 params, 2, NULL, err);
}

// OK with NULL: the database does not have it either.
static enum charle_err find_or_load(struct ch_skews *skews, struct charle_db *db, uint64_t hash, struct entry **out, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct charle_bytes shape;
    *out = find_entry(skews, hash);
    if (*out)
        return CHARLE_OK;
    enum charle_err rc = load_shape(db, hash, &arena, &shape, err);
    if (rc == CHARLE_OK && ch_shape_hash(shape) != hash)
        rc = charle_fail(err, CHARLE_DATA_LOSS, "charle.shape holds another shape under the hash %016" PRIx64 ": delete that row", hash);
    if (rc == CHARLE_OK)
        rc = make_entry(skews, shape, out, err);
    charle_arena_deinit(&arena);
    return rc == CHARLE_NOT_FOUND ? CHARLE_OK : rc;
}

enum charle_err ch_skews_find(struct ch_skews *skews, struct charle_db *db, uint64_t schema_hash, const struct ch_sync **out,
                              struct charle_error *err)
{
    struct entry *entry = NULL;
    *out = skews->current;
    if (schema_hash == skews->current->schema->hash)
        return CHARLE_OK;
    enum charle_err rc = find_or_load(skews, db, schema_hash, &entry, err);
    if (rc == CHARLE_OK && !entry)
        return ch_sync_check_schema(skews->current, schema_hash, err);
    return rc ? rc : use_entry(skews, entry, out, err);
}

enum charle_err ch_skews_meet(struct ch_skews *skews, struct charle_db *db, const struct charle_open_request *request,
                              const struct ch_sync **out, struct charle_error *err)
{
    struct entry *entry = NULL;
    *out = skews->current;
    if (request->schema_hash == skews->current->schema->hash)
        return CHARLE_OK;
    if (!request->shape_hash.has) // a client from before there were shapes
        return ch_sync_check_schema(skews->current, request->schema_hash, err);
    *out = NULL;
    enum charle_err rc = find_or_load(skews, db, request->shape_hash.value, &entry, err);
    if (rc || (!entry && !request->shape.has))
        return rc;
    if (!entry && ch_shape_hash(request->shape.value) != request->shape_hash.value)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the shape of the replica's schema is not the one that its hash names");
    if (!entry)
        rc = make_entry(skews, request->shape.value, &entry, err);
    if (rc)
        return rc;
    if (request->shape.has)
        rc = store_shape(db, request->shape_hash.value, request->shape.value, err);
    if (rc)
        release_entry(skews, entry);
    return rc ? rc : use_entry(skews, entry, out, err);
}
