// All moments the server had: after everything that may have committed, the whole database is read with the world's own
// SQL.
#include "db/pg/pg.h"
#include "sim/oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { VERSIONS_MAX = 20000 };
static const int64_t all_money = 4000;

uint64_t oracle_hash(uint64_t hash, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t add_text_hash(uint64_t hash, const char *text)
{
    return oracle_hash(hash, text, strlen(text) + 1);
}

static struct row *intern(struct oracle *oracle, uint32_t table, struct charle_str key, struct charle_str scopes,
                          struct charle_str columns)
{
    uint64_t hash = oracle_hash(oracle_hash(oracle_hash(table + 77, key.ptr, key.len + 0), scopes.ptr, scopes.len),
                                columns.ptr, columns.len);
    struct row **slot = &oracle->interned[hash % INTERN_SIZE];
    for (struct row *row = *slot; row; row = row->next) {
        if (row->hash == hash && row->table == table && charle_str_equal(charle_str(row->key), key) &&
            charle_str_equal(charle_str(row->scopes), scopes) && charle_str_equal(charle_str(row->columns), columns))
            return row;
    }
    struct row *row = malloc(sizeof(*row) + key.len + scopes.len + columns.len + 3);
    CHARLE_ASSERT(row);
    char *text = (char *)(row + 1);
    *row = (struct row){.table = table,
                        .key = text,
                        .scopes = text + key.len + 1,
                        .columns = text + key.len + scopes.len + 2,
                        .hash = hash,
                        .next = *slot};
    snprintf(text, key.len + 1, "%.*s", CHARLE_FMT(key));
    snprintf(text + key.len + 1, scopes.len + 1, "%.*s", CHARLE_FMT(scopes));
    snprintf(text + key.len + scopes.len + 2, columns.len + 1, "%.*s", CHARLE_FMT(columns));
    *slot = row;
    return row;
}

static int by_key(const void *a, const void *b)
{
    const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;
    return x->table != y->table ? (x->table > y->table) - (x->table < y->table) : strcmp(x->key, y->key);
}

struct head *version_head(const struct version *version, const char *scope)
{
    size_t low = 0, high = version->head_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(version->heads[middle].scope, scope);
        if (order == 0)
            return &version->heads[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void hash_contents(struct oracle *oracle, struct version *version)
{
    struct charle_buf shown = {0};
    char scope[SCOPE_SIZE];
    for (size_t i = 0; i < version->row_count; i++) {
        const struct row *row = version->rows[i];
        for (const char *at = row->scopes; (at = oracle_next_scope(at, scope));) {
            struct head *head = version_head(version, scope);
            if (!head) {
                world_fail(oracle->world, "%s %s is in the scope %s, which has no head: it was not stamped",
                           oracle_table(row->table)->name, row->key, scope);
                continue;
            }
            uint32_t bits = oracle_shown_by(oracle_table(row->table), scope, version->schema);
            if (!bits)
                continue;
            oracle_project(row, bits, &shown);
            head->content +=
                oracle_hash(add_text_hash(add_text_hash(row->table, row->key), "shows"), shown.data, shown.size);
        }
    }
    charle_buf_deinit(&shown);
}

// --- reading the server ----------------------------------------------------------------------------------------------

void oracle_make_state_sql(struct oracle *oracle)
{
    for (int n = 0; n < VERSIONS * ORACLE_TABLES; n++) {
        int version = n / ORACLE_TABLES;
        struct charle_buf *sql = &oracle->state_sql[version];
        const struct table_spec *table = &oracle_tables[n % ORACLE_TABLES];
        if (!oracle_has_table(table, version))
            continue;
        charle_buf_printf(sql, "%sselect %u as tab, %s as key, array_to_string(array[%s], ' ') as scopes, ",
                          sql->size ? " union all " : "", (unsigned)table->id, table->key, table->scopes);
        oracle_add_columns(sql, table, true, version, 0);
        charle_buf_printf(sql, " as columns from public.\"%s\" r", table->name);
        CHARLE_ASSERT(charle_buf_text(sql));
    }
}

static enum charle_err read_rows(struct oracle *oracle, struct charle_db *db, struct version *version,
                                 struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    size_t capacity = 0;
    enum charle_err rc = charle_query(db, charle_buf_text(&oracle->state_sql[version->schema]), NULL, 0, &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK) {
        struct charle_value values[4];
        for (size_t i = 0; rc == CHARLE_OK && i < 4; i++)
            rc = charle_rows_value(rows, i, i ? CHARLE_TYPE_TEXT : CHARLE_TYPE_INT4, false, &values[i], err);
        if (rc)
            break;
        if (version->row_count == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            version->rows = realloc(version->rows, capacity * sizeof(struct row *));
            CHARLE_ASSERT(version->rows);
        }
        version->rows[version->row_count++] =
            intern(oracle, (uint32_t)values[0].int4, values[1].text, values[2].text, values[3].text);
    }
    charle_rows_close(rows);
    if (rc != CHARLE_DONE)
        return rc;
    qsort(version->rows, version->row_count, sizeof(struct row *), by_key);
    return CHARLE_OK;
}

static enum charle_err read_heads(struct world *world, struct charle_db *db, struct version *version,
                                  struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    size_t capacity = 0;
    enum charle_err rc = charle_query(db,
                                      "select h.scope, h.v, e.lineage, (select min(c.what) from sim.complaint c) from "
                                      "charle.head h left join charle.epoch e on e.epoch = h.v >> 33 "
                                      "where h.scope not like 'device:%' order by h.scope collate \"C\"",
                                      NULL, 0, &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK) {
        struct charle_value scope, stamp, lineage, complaint;
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &scope, err);
        if (rc == CHARLE_OK)
            rc = charle_rows_value(rows, 1, CHARLE_TYPE_INT8, false, &stamp, err);
        if (rc == CHARLE_OK)
            rc = charle_rows_value(rows, 2, CHARLE_TYPE_INT8, false, &lineage, err);
        if (rc == CHARLE_OK)
            rc = charle_rows_value(rows, 3, CHARLE_TYPE_TEXT, false, &complaint, err);
        if (rc == CHARLE_OK && !complaint.is_null)
            world_fail(world, "a transaction raised heads out of order: %.*s", CHARLE_FMT(complaint.text));
        if (rc)
            break;
        if (version->head_count == capacity) {
            capacity = capacity ? capacity * 2 : 32;
            version->heads = realloc(version->heads, capacity * sizeof(*version->heads));
            CHARLE_ASSERT(version->heads);
        }
        struct head *head = &version->heads[version->head_count++];
        *head = (struct head){.stamp = stamp.int8, .lineage = (uint64_t)lineage.int8};
        snprintf(head->scope, sizeof(head->scope), "%.*s", CHARLE_FMT(scope.text));
    }
    charle_rows_close(rows);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

void version_free(struct version *version)
{
    free(version->rows);
    free(version->heads);
    *version = (struct version){0};
}

static bool is_same(const struct version *a, const struct version *b)
{
    if (a->head_count != b->head_count || a->row_count != b->row_count || a->schema != b->schema)
        return false;
    for (size_t i = 0; i < a->head_count; i++) {
        if (strcmp(a->heads[i].scope, b->heads[i].scope) != 0 || a->heads[i].stamp != b->heads[i].stamp ||
            a->heads[i].lineage != b->heads[i].lineage)
            return false;
    }
    return a->row_count == 0 || memcmp(a->rows, b->rows, a->row_count * sizeof(struct row *)) == 0;
}

static void check_stamps(struct oracle *oracle, const struct version *before, const struct version *now, const char *by)
{
    for (size_t i = 0; i < now->head_count; i++) {
        const struct head *head = &now->heads[i], *old = version_head(before, head->scope);
        if (old && old->stamp == head->stamp && old->lineage == head->lineage && old->content != head->content)
            world_fail(oracle->world, "a commit by %s changed what scope %s shows without a stamp", by, head->scope);
        if (old && old->stamp > head->stamp)
            world_fail(oracle->world, "a commit by %s turned the head of %s back", by, head->scope);
    }
}

int64_t row_number(const struct row *row, int column)
{
    const char *at = row->columns;
    for (int c = 0; c <= column; c++)
        at = strchr(at, '\x1f') + 1;
    return strtoll(at, NULL, 10);
}

// Money is neither made nor lost, and every count that took effect did so once.
static void check_sums(struct oracle *oracle, const struct version *version, const char *by)
{
    int64_t money = 0;
    for (size_t i = 0; i < version->row_count; i++) {
        const struct row *row = version->rows[i];
        if (row->table == 6)
            money += row_number(row, 2);
        if (row->table != 8)
            continue;
        const struct tally *tally = oracle_tally(oracle, row->key);
        if (row_number(row, 1) != tally->n)
            world_fail(oracle->world,
                       "after a commit by %s tally %s is %" PRId64
                       ", but the calls that took effect add up to %" PRId64,
                       by, row->key, row_number(row, 1), tally->n);
    }
    if (money != all_money)
        world_fail(oracle->world, "after a commit by %s there is %" PRId64 " in all accounts instead of %" PRId64, by,
                   money, all_money);
}

static bool has_row(const struct version *version, const struct row *row)
{
    return version->row_count && bsearch(&row, version->rows, version->row_count, sizeof(row), by_key);
}

// What a program of the first schema made has the default of a column that it does not know.
static void check_defaults(struct oracle *oracle, const struct version *before, const struct version *now, const char *by)
{
    struct world *world = oracle->world;
    bool is_older = false;
    for (int i = 0; i < world->laptop_count; i++)
        is_older = is_older || (strcmp(world->laptops[i].name, by) == 0 && laptop_version(&world->laptops[i]) < now->schema);
    for (size_t i = 0; is_older && before->schema == now->schema && i < now->row_count; i++) {
        const struct row *row = now->rows[i];
        if (row->table == 3 && !has_row(before, row) && row_number(row, 15) != 1)
            world_fail(world, "%s, whose program knows no ranks, made job %s with the rank %" PRId64, by, row->key, row_number(row, 15));
    }
}

void oracle_commit(struct oracle *oracle, const char *by)
{
    struct charle_error err = {0};
    struct version version = {.schema = oracle->world->server_version};
    struct charle_db *db = server_db(oracle->world->server);
    enum charle_err rc = read_heads(oracle->world, db, &version, &err);
    if (rc == CHARLE_OK)
        rc = read_rows(oracle, db, &version, &err);
    if (rc) {
        world_fail(oracle->world, "the oracle cannot read the database: %s", err.text);
        version_free(&version);
        return;
    }
    hash_contents(oracle, &version);
    for (size_t i = 0; i < oracle->tally_count; i++) {
        oracle->tallies[i].n += oracle->tallies[i].uncommitted;
        oracle->tallies[i].uncommitted = 0;
    }
    check_sums(oracle, &version, by);
    const struct version *last = oracle->count ? &oracle->versions[oracle->count - 1] : NULL;
    if (last && is_same(last, &version)) {
        version_free(&version);
        return;
    }
    if (last && !oracle->is_fresh) {
        check_stamps(oracle, last, &version, by);
        check_defaults(oracle, last, &version, by);
    }
    oracle->is_fresh = false;
    if (oracle->count == oracle->capacity) {
        oracle->capacity = oracle->capacity ? oracle->capacity * 2 : 256;
        oracle->versions = realloc(oracle->versions, oracle->capacity * sizeof(*oracle->versions));
        CHARLE_ASSERT(oracle->versions && oracle->capacity <= VERSIONS_MAX);
    }
    oracle->versions[oracle->count++] = version;
    oracle->world->result.commits++;
    world_trace(oracle->world, "version %zu by %s: %zu rows", oracle->count - 1, by, version.row_count);
}
