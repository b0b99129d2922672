#include "oracle.h"

#include <stdlib.h>

static size_t hash_of(uint32_t table, struct charle_str key)
{
    size_t h = 14695981039346656037u ^ table;
    for (size_t i = 0; i < key.len; i++)
        h = (h ^ (unsigned char)key.ptr[i]) * 1099511628211u;
    return h;
}

struct replica_scope *replica_find(struct replica *replica, struct charle_str scope)
{
    for (size_t i = 0; i < replica->scope_count; i++) {
        if (charle_str_equal(charle_str(replica->scopes[i].name), scope))
            return &replica->scopes[i];
    }
    return NULL;
}

struct replica_scope *replica_add(struct replica *replica, struct charle_str name)
{
    replica->scopes = realloc(replica->scopes, (replica->scope_count + 1) * sizeof(*replica->scopes));
    struct replica_scope *scope = &replica->scopes[replica->scope_count++];
    *scope = (struct replica_scope){.capacity = 1024};
    memcpy(scope->name, name.ptr, name.len);
    scope->rows = calloc(scope->capacity, sizeof(*scope->rows));
    return scope;
}

static void free_rows(struct replica_row *rows, size_t capacity)
{
    for (size_t i = 0; i < capacity; i++) {
        free((void *)(uintptr_t)rows[i].key.ptr);
        free((void *)(uintptr_t)rows[i].bytes.ptr);
    }
    free(rows);
}

void replica_drop(struct replica *replica, struct charle_str name)
{
    struct replica_scope *scope = replica_find(replica, name);
    if (!scope)
        return;
    free_rows(scope->rows, scope->capacity);
    *scope = replica->scopes[--replica->scope_count];
}

static struct replica_row *slot_of(struct replica_scope *scope, uint32_t table, struct charle_str key)
{
    size_t at = hash_of(table, key) % scope->capacity;
    while (scope->rows[at].key.ptr && !(scope->rows[at].table == table && charle_str_equal(scope->rows[at].key, key)))
        at = (at + 1) % scope->capacity;
    return &scope->rows[at];
}

static void grow(struct replica_scope *scope)
{
    struct replica_row *rows = scope->rows;
    size_t capacity = scope->capacity;
    scope->capacity *= 2;
    scope->used = 0;
    scope->rows = calloc(scope->capacity, sizeof(*scope->rows));
    for (size_t i = 0; i < capacity; i++) {
        if (rows[i].bytes.ptr)
            replica_put(scope, rows[i].table, rows[i].key, rows[i].bytes);
    }
    free_rows(rows, capacity);
}

void replica_put(struct replica_scope *scope, uint32_t table, struct charle_str key, struct charle_bytes bytes)
{
    if (scope->used * 2 > scope->capacity)
        grow(scope);
    struct replica_row *row = slot_of(scope, table, key);
    uint8_t *copy = malloc(bytes.len + 1);
    memcpy(copy, bytes.ptr, bytes.len);
    if (!row->key.ptr) {
        row->key = charle_str_n(strndup(key.ptr, key.len), key.len);
        row->table = table;
        scope->used++;
    }
    free((void *)(uintptr_t)row->bytes.ptr);
    row->bytes = charle_bytes(copy, bytes.len);
}

struct replica_row *replica_row(struct replica_scope *scope, uint32_t table, struct charle_str key)
{
    struct replica_row *row = slot_of(scope, table, key);
    return row->bytes.ptr ? row : NULL;
}

void replica_remove(struct replica_scope *scope, uint32_t table, struct charle_str key)
{
    struct replica_row *row = replica_row(scope, table, key);
    if (!row)
        return;
    free((void *)(uintptr_t)row->bytes.ptr);
    row->bytes = (struct charle_bytes){0};
}

size_t replica_row_count(const struct replica_scope *scope)
{
    size_t count = 0;
    for (size_t i = 0; i < scope->capacity; i++)
        count += scope->rows[i].bytes.ptr != NULL;
    return count;
}

void replica_deinit(struct replica *replica)
{
    while (replica->scope_count)
        replica_drop(replica, charle_str(replica->scopes[0].name));
    free(replica->scopes);
}
