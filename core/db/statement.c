// The cache of prepared statements: bounded, least recently used goes first.
//
// A caller gives SQL as a C string, mostly the same constant again and again. So the address is looked at first; since
// a buffer may be filled with another text, the text is always compared. Otherwise the text's hash decides.
#include "base/alloc.h"
#include "base/limits.h"
#include "db/driver.h"

static uint64_t hash_of(const char *text, size_t len)
{
    uint64_t hash = 0x9e3779b97f4a7c15u ^ len;
    for (; len >= 8; text += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, text, 8);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    for (; len > 0; text++, len--)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    return hash ^ (hash >> 29);
}

static size_t pointer_slot(const char *sql)
{
    uint64_t hash = (uint64_t)(uintptr_t)sql * 0x9e3779b97f4a7c15u;
    return (size_t)(hash >> 32) % CH_STATEMENT_POINTER_SLOTS;
}

static void list_remove(struct charle_db *db, struct ch_statement *statement)
{
    *(statement->newer ? &statement->newer->older : &db->newest) = statement->older;
    *(statement->older ? &statement->older->newer : &db->oldest) = statement->newer;
    statement->newer = statement->older = NULL;
}

static void list_push(struct charle_db *db, struct ch_statement *statement)
{
    statement->newer = NULL;
    statement->older = db->newest;
    *(db->newest ? &db->newest->newer : &db->oldest) = statement;
    db->newest = statement;
}

static struct ch_statement *find(struct charle_db *db, const char *sql, size_t len, uint64_t hash)
{
    struct ch_statement *found = db->by_hash[hash % CH_STATEMENT_HASH_SLOTS];
    while (found && (found->hash != hash || found->sql_len != len || memcmp(found->sql, sql, len) != 0))
        found = found->chain;
    return found;
}

static void uncache(struct charle_db *db, struct ch_statement *statement)
{
    struct ch_statement **link = &db->by_hash[statement->hash % CH_STATEMENT_HASH_SLOTS];
    while (*link != statement)
        link = &(*link)->chain;
    *link = statement->chain;
    for (size_t i = 0; i < CH_STATEMENT_POINTER_SLOTS; i++)
        if (db->by_pointer[i].statement == statement)
            db->by_pointer[i].statement = NULL;
    list_remove(db, statement);
    statement->is_cached = false;
    db->statement_count--;
}

static void discard(struct charle_db *db, struct ch_statement *statement)
{
    ch_free(statement->sql);
    statement->sql = NULL;
    db->driver->discard(db, statement);
}

static void make_room(struct charle_db *db)
{
    struct ch_statement *victim = db->oldest;
    while (victim && victim->is_busy)
        victim = victim->newer;
    if (victim) {
        uncache(db, victim);
        discard(db, victim);
    }
}

static enum charle_err prepare(struct charle_db *db, const char *sql, size_t len, uint64_t hash, bool cached,
                               struct ch_statement **out, struct charle_error *err)
{
    struct ch_statement *statement = NULL;
    enum charle_err rc = db->driver->prepare(db, charle_str_n(sql, len), &statement, err);
    if (rc)
        return rc;
    statement->sql = ch_strdup_n(sql, len);
    if (!statement->sql) {
        discard(db, statement);
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while preparing a statement");
    }
    statement->sql_len = len;
    statement->hash = hash;
    statement->is_cached = cached;
    if (cached) {
        if (db->statement_count >= CH_STATEMENTS_MAX)
            make_room(db);
        statement->chain = db->by_hash[hash % CH_STATEMENT_HASH_SLOTS];
        db->by_hash[hash % CH_STATEMENT_HASH_SLOTS] = statement;
        list_push(db, statement);
        db->statement_count++;
    }
    *out = statement;
    return CHARLE_OK;
}

struct ch_statement *ch_statement_find(struct charle_db *db, const char *sql)
{
    size_t slot = pointer_slot(sql), len = 0;
    struct ch_statement *found = db->by_pointer[slot].sql == sql ? db->by_pointer[slot].statement : NULL;
    if (found && strcmp(found->sql, sql) == 0)
        return found;
    len = strlen(sql);
    found = find(db, sql, len, hash_of(sql, len));
    if (found) {
        db->by_pointer[slot].sql = sql;
        db->by_pointer[slot].statement = found;
    }
    return found;
}

enum charle_err ch_db_statement(struct charle_db *db, const char *sql, struct ch_statement **out_statement,
                                struct charle_error *err)
{
    struct ch_statement *found = ch_statement_find(db, sql);
    if (!found) {
        size_t len = strlen(sql);
        enum charle_err rc = prepare(db, sql, len, hash_of(sql, len), true, &found, err);
        if (rc)
            return rc;
    }
    if (found != db->newest) {
        list_remove(db, found);
        list_push(db, found);
    }
    *out_statement = found;
    return CHARLE_OK;
}

enum charle_err ch_statement_take(struct charle_db *db, const char *sql, struct ch_statement **out_statement,
                                  struct charle_error *err)
{
    struct ch_statement *statement = NULL;
    enum charle_err rc = ch_db_statement(db, sql, &statement, err);
    if (!rc && statement->is_busy)
        rc = prepare(db, statement->sql, statement->sql_len, statement->hash, false, &statement, err);
    if (rc)
        return rc;
    statement->is_busy = true;
    *out_statement = statement;
    return CHARLE_OK;
}

void ch_statement_put(struct charle_db *db, struct ch_statement *statement)
{
    statement->is_busy = false;
    if (!statement->is_cached)
        discard(db, statement);
}

void ch_db_forget_statements(struct charle_db *db)
{
    for (struct ch_statement *statement = db->oldest, *newer; statement; statement = newer) {
        newer = statement->newer;
        uncache(db, statement);
        if (!statement->is_busy)
            discard(db, statement); // a busy one goes when its rows are closed
    }
}
