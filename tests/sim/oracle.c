// What must be true, worked out a second time and in another way.
//
// History: after everything that may have committed, the whole database is read with the world's own SQL (who sees what is written here by
// hand, not taken from the schema) and kept as a version, with the heads of all scopes. The world runs one thing at a time, so
// these are all the moments the server ever had.
//
// A replica is right when there is a version that has exactly its cursors as heads, and its confirmed rows (the rows with the images of
// waiting calls put back) are exactly those of the scopes it holds, each with the union of the columns they show. Between two versions with
// the same head a scope may not differ: that would be a change without a stamp.
#include "sim/world.h"

#include "db/pg/pg.h"
#include "client/rebase.h"
#include "client/apply.h"
#include "msg/wire.h"
#include "sim.charle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 15, SCOPES_MAX = 24, SCOPE_SIZE = 80, TALLIES_MAX = 8, DEVICES_MAX = 64, VERSIONS_MAX = 20000, INTERN_SIZE = 1 << 16 };
static const int64_t all_money = 4000;
static const char no_value[] = "~";

// --- the schema, by hand ---------------------------------------------------------------------------------------------------------

struct column_spec {
    const char *name;
    char kind; // t text, i number, b bool, m moment, a array
};
struct view_spec {
    const char *audience;
    const char *columns; // names between blanks; NULL: all
};
struct table_spec {
    uint32_t id;
    const char *name;
    const char *key; // the same in both databases
    const char *scopes; // PostgreSQL: expressions, NULL for none
    struct column_spec columns[COLUMNS_MAX + 1];
    struct view_spec views[5];
};

static const struct table_spec tables[] = {
    {1, "person", "r.id", "'team', 'leads', 'person:' || r.id", {{"id", 't'}, {"name", 't'}, {"is_active", 'b'}, {"is_lead", 'b'}},
     {{"team", " id name "}, {"leads", NULL}, {"person", NULL}}},
    {2, "area", "r.id", "'team', 'area:' || r.id", {{"id", 't'}, {"name", 't'}, {"keeper_id", 't'}}, {{"team", " id name "}, {"area", NULL}}},
    {3, "job", "r.id",
     "case when r.state <> 'draft' then 'team' end, 'area:' || r.area_id, 'person:' || r.owner_id, "
     "(select string_agg('work:' || a.person_id, ' ' order by a.person_id) from assignee a where a.job_id = r.id)",
     {{"id", 't'}, {"number", 'i'}, {"title", 't'}, {"area_id", 't'}, {"owner_id", 't'}, {"state", 't'}, {"starts", 'i'}, {"ends", 'i'}, {"price", 'i'},
      {"hits", 'i'}, {"labels", 'a'}, {"first_by", 't'}, {"note", 't'}, {"code", 't'}, {"updated_at", 'm'}},
     {{"team", " id title state "},
      {"area", " id number title area_id owner_id state starts ends hits labels first_by note code updated_at "},
      {"person", NULL},
      {"work", " id number title area_id owner_id state starts ends hits labels first_by code updated_at "}}},
    {4, "assignee", "r.job_id || '/' || r.person_id", "(select 'area:' || j.area_id from job j where j.id = r.job_id), 'work:' || r.person_id",
     {{"job_id", 't'}, {"person_id", 't'}}, {{"area", NULL}, {"work", NULL}}},
    {5, "remark", "r.id",
     "(select 'area:' || j.area_id from job j where j.id = r.job_id), 'person:' || r.author_id, "
     "(select string_agg('work:' || a.person_id, ' ' order by a.person_id) from assignee a where a.job_id = r.job_id)",
     {{"id", 't'}, {"job_id", 't'}, {"author_id", 't'}, {"text", 't'}}, {{"area", NULL}, {"person", NULL}, {"work", " id job_id text "}}},
    {6, "account", "r.id", "'leads', 'person:' || r.owner_id", {{"id", 't'}, {"owner_id", 't'}, {"balance", 'i'}}, {{"leads", NULL}, {"person", NULL}}},
    {7, "transfer", "r.id", "'leads'", {{"id", 't'}, {"from_id", 't'}, {"to_id", 't'}, {"amount", 'i'}, {"at", 'm'}}, {{"leads", NULL}}},
    {8, "tally", "r.id", "'team'", {{"id", 't'}, {"n", 'i'}}, {{"team", NULL}}},
};
enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

static const struct table_spec *table_of(uint32_t id)
{
    return &tables[id - 1];
}

static bool has_word(const char *list, const char *word)
{
    char padded[64];
    snprintf(padded, sizeof(padded), " %s ", word);
    return strstr(list, padded) != NULL;
}

// Columns that a scope shows of a table, as bits; 0: none.
static uint32_t shown_by(const struct table_spec *table, const char *scope)
{
    size_t len = strcspn(scope, ":");
    uint32_t bits = 0;
    for (int i = 0; i < 5 && table->views[i].audience; i++) {
        const struct view_spec *view = &table->views[i];
        if (strlen(view->audience) != len || strncmp(view->audience, scope, len) != 0)
            continue;
        for (int c = 0; table->columns[c].name; c++)
            bits |= !view->columns || has_word(view->columns, table->columns[c].name) ? 1u << c : 0;
    }
    return bits;
}

static void add_column(struct charle_buf *sql, const struct column_spec *column, bool is_pg)
{
    charle_buf_add_text(sql, " || chr(31) || coalesce(");
    if (!is_pg)
        charle_buf_printf(sql, "cast(r.\"%s\" as text)", column->name);
    else if (column->kind == 'b')
        charle_buf_printf(sql, "r.\"%s\"::int::text", column->name);
    else if (column->kind == 'm')
        charle_buf_printf(sql, "(extract(epoch from r.\"%s\") * 1000000)::int8::text", column->name);
    else if (column->kind == 'a')
        charle_buf_printf(sql, "to_json(r.\"%s\")::text", column->name);
    else
        charle_buf_printf(sql, "r.\"%s\"::text", column->name);
    charle_buf_printf(sql, ", '%s')", no_value);
}

static void add_columns(struct charle_buf *sql, const struct table_spec *table, bool is_pg)
{
    charle_buf_add_text(sql, "''");
    for (int c = 0; table->columns[c].name; c++)
        add_column(sql, &table->columns[c], is_pg);
}

// --- history -------------------------------------------------------------------------------------------------------------------------

struct row { // one of its kind: equal rows are the same
    uint32_t table;
    const char *key, *scopes, *columns; // columns: each behind a unit separator
    uint64_t hash;
    struct row *next;
};

struct head {
    char scope[SCOPE_SIZE];
    int64_t stamp;
    uint64_t lineage;
    uint64_t content; // hash of what the scope shows
};

struct version {
    struct row **rows; // sorted by table and key
    size_t row_count;
    struct head *heads; // sorted by scope
    size_t head_count;
};

struct device {
    char id[CH_ID_LEN + 1];
    uint8_t *kinds; // by number - 1
    size_t count, capacity, saved_count;
    int64_t acknowledged; // verdicts up to this number may be forgotten: an old request that arrives late is told that all is well
};

struct tally {
    char id[16];
    int64_t n, saved_n, uncommitted;
};

struct oracle {
    struct world *world;
    struct charle_buf state_sql;
    struct row *interned[INTERN_SIZE];
    struct version *versions;
    size_t count, capacity;
    struct device devices[DEVICES_MAX];
    size_t device_count;
    uint64_t *effects; // seeds of the calls that took effect: a call keeps its seed whatever number and device it goes by
    size_t effect_count, effect_capacity, saved_effect_count;
    struct tally tallies[TALLIES_MAX];
    size_t tally_count;
    bool is_fresh; // the past was rewritten: the next version need not follow from the last
};

static uint64_t add_hash(uint64_t hash, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t add_text_hash(uint64_t hash, const char *text)
{
    return add_hash(hash, text, strlen(text) + 1);
}

static struct row *intern(struct oracle *oracle, uint32_t table, struct charle_str key, struct charle_str scopes, struct charle_str columns)
{
    uint64_t hash = add_hash(add_hash(add_hash(table + 77, key.ptr, key.len + 0), scopes.ptr, scopes.len), columns.ptr, columns.len);
    struct row **slot = &oracle->interned[hash % INTERN_SIZE];
    for (struct row *row = *slot; row; row = row->next) {
        if (row->hash == hash && row->table == table && charle_str_equal(charle_str(row->key), key) && charle_str_equal(charle_str(row->scopes), scopes) &&
            charle_str_equal(charle_str(row->columns), columns))
            return row;
    }
    struct row *row = malloc(sizeof(*row) + key.len + scopes.len + columns.len + 3);
    CHARLE_ASSERT(row);
    char *text = (char *)(row + 1);
    *row = (struct row){.table = table, .key = text, .scopes = text + key.len + 1, .columns = text + key.len + scopes.len + 2, .hash = hash, .next = *slot};
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

// The columns of a row that these bits show; the others are as if there were nothing.
static void project(const struct row *row, uint32_t bits, struct charle_buf *out)
{
    const char *at = row->columns;
    charle_buf_reset(out);
    for (int c = 0; *at == '\x1f'; c++) {
        size_t len = strcspn(at + 1, "\x1f");
        charle_buf_add_byte(out, 0x1f);
        if (bits >> c & 1)
            charle_buf_add(out, at + 1, len);
        else
            charle_buf_add_text(out, no_value);
        at += 1 + len;
    }
}

static struct head *find_head(const struct version *version, const char *scope)
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

// Goes through the scopes of a row; they are between blanks.
static const char *next_scope(const char *at, char out[SCOPE_SIZE])
{
    at += strspn(at, " ");
    size_t len = strcspn(at, " ");
    snprintf(out, SCOPE_SIZE, "%.*s", (int)len, at);
    return len ? at + len : NULL;
}

static void hash_contents(struct oracle *oracle, struct version *version)
{
    struct charle_buf shown = {0};
    char scope[SCOPE_SIZE];
    for (size_t i = 0; i < version->row_count; i++) {
        const struct row *row = version->rows[i];
        for (const char *at = row->scopes; (at = next_scope(at, scope));) {
            struct head *head = find_head(version, scope);
            if (!head) {
                world_fail(oracle->world, "%s %s is in the scope %s, which has no head: it was not stamped", table_of(row->table)->name, row->key, scope);
                continue;
            }
            project(row, shown_by(table_of(row->table), scope), &shown);
            head->content += add_hash(add_text_hash(add_text_hash(row->table, row->key), "shows"), shown.data, shown.size);
        }
    }
    charle_buf_deinit(&shown);
}

// --- reading the server ------------------------------------------------------------------------------------------------------------

static void make_state_sql(struct oracle *oracle)
{
    struct charle_buf *sql = &oracle->state_sql;
    for (int i = 0; i < TABLES; i++) {
        charle_buf_printf(sql, "%sselect %u as tab, %s as key, array_to_string(array[%s], ' ') as scopes, ", i ? " union all " : "", (unsigned)tables[i].id, tables[i].key, tables[i].scopes);
        add_columns(sql, &tables[i], true);
        charle_buf_printf(sql, " as columns from public.\"%s\" r", tables[i].name);
    }
    CHARLE_ASSERT(charle_buf_text(sql));
}

static enum charle_err read_rows(struct oracle *oracle, struct charle_db *db, struct version *version, struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    size_t capacity = 0;
    enum charle_err rc = charle_query(db, charle_buf_text(&oracle->state_sql), NULL, 0, &rows, err);
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
        version->rows[version->row_count++] = intern(oracle, (uint32_t)values[0].int4, values[1].text, values[2].text, values[3].text);
    }
    charle_rows_close(rows);
    if (rc != CHARLE_DONE)
        return rc;
    qsort(version->rows, version->row_count, sizeof(struct row *), by_key);
    return CHARLE_OK;
}

static enum charle_err read_heads(struct charle_db *db, struct version *version, struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    size_t capacity = 0;
    enum charle_err rc = charle_query(db, "select h.scope, h.v, e.lineage from charle.head h left join charle.epoch e on e.epoch = h.v >> 33 "
                                          "where h.scope not like 'device:%' order by h.scope collate \"C\"", NULL, 0, &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK) {
        struct charle_value scope, stamp, lineage;
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &scope, err);
        if (rc == CHARLE_OK)
            rc = charle_rows_value(rows, 1, CHARLE_TYPE_INT8, false, &stamp, err);
        if (rc == CHARLE_OK)
            rc = charle_rows_value(rows, 2, CHARLE_TYPE_INT8, false, &lineage, err);
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

static void free_version(struct version *version)
{
    free(version->rows);
    free(version->heads);
    *version = (struct version){0};
}

static bool is_same(const struct version *a, const struct version *b)
{
    if (a->head_count != b->head_count || a->row_count != b->row_count)
        return false;
    for (size_t i = 0; i < a->head_count; i++) {
        if (strcmp(a->heads[i].scope, b->heads[i].scope) != 0 || a->heads[i].stamp != b->heads[i].stamp || a->heads[i].lineage != b->heads[i].lineage)
            return false;
    }
    return a->row_count == 0 || memcmp(a->rows, b->rows, a->row_count * sizeof(struct row *)) == 0;
}

static void check_stamps(struct oracle *oracle, const struct version *before, const struct version *now, const char *by)
{
    for (size_t i = 0; i < now->head_count; i++) {
        const struct head *head = &now->heads[i], *old = find_head(before, head->scope);
        if (old && old->stamp == head->stamp && old->lineage == head->lineage && old->content != head->content)
            world_fail(oracle->world, "a commit by %s changed what scope %s shows without a stamp", by, head->scope);
        if (old && old->stamp > head->stamp)
            world_fail(oracle->world, "a commit by %s turned the head of %s back", by, head->scope);
    }
}

static int64_t number_in(const struct row *row, int column)
{
    const char *at = row->columns;
    for (int c = 0; c <= column; c++)
        at = strchr(at, '\x1f') + 1;
    return strtoll(at, NULL, 10);
}

static struct tally *tally_named(struct oracle *oracle, const char *id)
{
    for (size_t i = 0; i < oracle->tally_count; i++) {
        if (strcmp(oracle->tallies[i].id, id) == 0)
            return &oracle->tallies[i];
    }
    CHARLE_ASSERT(oracle->tally_count < TALLIES_MAX);
    struct tally *tally = &oracle->tallies[oracle->tally_count++];
    snprintf(tally->id, sizeof(tally->id), "%s", id);
    return tally;
}

// Money is neither made nor lost, and every count that took effect did so once.
static void check_sums(struct oracle *oracle, const struct version *version, const char *by)
{
    int64_t money = 0;
    for (size_t i = 0; i < version->row_count; i++) {
        const struct row *row = version->rows[i];
        if (row->table == 6)
            money += number_in(row, 2);
        if (row->table != 8)
            continue;
        const struct tally *tally = tally_named(oracle, row->key);
        if (number_in(row, 1) != tally->n)
            world_fail(oracle->world, "after a commit by %s tally %s is %" PRId64 ", but the calls that took effect add up to %" PRId64, by, row->key, number_in(row, 1), tally->n);
    }
    if (money != all_money)
        world_fail(oracle->world, "after a commit by %s there is %" PRId64 " in all accounts instead of %" PRId64, by, money, all_money);
}

void oracle_commit(struct oracle *oracle, const char *by)
{
    struct charle_error err = {0};
    struct version version = {0};
    struct charle_db *db = server_db(oracle->world->server);
    enum charle_err rc = read_heads(db, &version, &err);
    if (rc == CHARLE_OK)
        rc = read_rows(oracle, db, &version, &err);
    if (rc) {
        world_fail(oracle->world, "the oracle cannot read the database: %s", err.text);
        free_version(&version);
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
        free_version(&version);
        return;
    }
    if (last && !oracle->is_fresh)
        check_stamps(oracle, last, &version, by);
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

// --- what the server said about calls ---------------------------------------------------------------------------------------------------

void oracle_told_foreign_tally(struct oracle *oracle, const char *id, int64_t delta)
{
    tally_named(oracle, id)->uncommitted += delta;
}

static struct device *device_named(struct oracle *oracle, struct charle_str id)
{
    for (size_t i = 0; i < oracle->device_count; i++) {
        if (charle_str_equal(charle_str(oracle->devices[i].id), id))
            return &oracle->devices[i];
    }
    CHARLE_ASSERT(oracle->device_count < DEVICES_MAX);
    struct device *device = &oracle->devices[oracle->device_count++];
    snprintf(device->id, sizeof(device->id), "%.*s", CHARLE_FMT(id));
    return device;
}

static void count_effect(struct oracle *oracle, const struct charle_call *call)
{
    struct charle_arena arena = {0};
    struct charle_error err;
    struct sim_tally_update update;
    if (charle_str_equal(call->method, sim_tally_service_update_method.name) &&
        charle_message_read(&sim_tally_update_message, call->request, &arena, &update, &err) == CHARLE_OK) {
        char id[16];
        snprintf(id, sizeof(id), "%.*s", CHARLE_FMT(update.key->id));
        tally_named(oracle, id)->n += update.set->n.value - update.base->n.value;
    }
    charle_arena_deinit(&arena);
}

// Exactly once.
static void note_effect(struct oracle *oracle, const struct device *device, const struct charle_call *call)
{
    for (size_t i = 0; i < oracle->effect_count; i++) {
        if (oracle->effects[i] == call->seed)
            world_fail(oracle->world, "call %" PRId64 " of device %s, %.*s, took effect for the second time", call->sequence, device->id, CHARLE_FMT(call->method));
    }
    if (oracle->effect_count == oracle->effect_capacity) {
        oracle->effect_capacity = oracle->effect_capacity ? oracle->effect_capacity * 2 : 128;
        oracle->effects = realloc(oracle->effects, oracle->effect_capacity * sizeof(*oracle->effects));
        CHARLE_ASSERT(oracle->effects);
    }
    oracle->effects[oracle->effect_count++] = call->seed;
    count_effect(oracle, call);
}

static void note_verdict(struct oracle *oracle, struct device *device, const struct charle_push_request *request, const struct charle_verdict *verdict)
{
    struct world *world = oracle->world;
    const struct charle_call *const *calls = request->call.items;
    if (verdict->sequence <= (int64_t)device->count) {
        if (device->kinds[verdict->sequence - 1] != verdict->kind && verdict->sequence > device->acknowledged)
            world_fail(world, "the verdict of call %" PRId64 " of device %s was %d and is %d now", verdict->sequence, device->id, device->kinds[verdict->sequence - 1], verdict->kind);
        return;
    }
    if (verdict->sequence != (int64_t)device->count + 1) {
        world_fail(world, "device %s: call %" PRId64 " was judged after %zu", device->id, verdict->sequence, device->count);
        return;
    }
    if (device->count == device->capacity) {
        device->capacity = device->capacity ? device->capacity * 2 : 64;
        device->kinds = realloc(device->kinds, device->capacity);
        CHARLE_ASSERT(device->kinds);
    }
    device->kinds[device->count++] = (uint8_t)verdict->kind;
    world->result.calls_judged++;
    world->result.calls_rejected += verdict->kind == CHARLE_REJECTED;
    world->result.calls_merged += verdict->kind == CHARLE_MERGED;
    for (size_t i = 0; i < request->call.count; i++) {
        if (calls[i]->sequence != verdict->sequence)
            continue;
        world_trace(world, "judged %.*s %" PRId64 " %.*s: %d %d", 4, device->id, verdict->sequence, CHARLE_FMT(calls[i]->method), verdict->kind, verdict->code.value);
        if (world->options.is_traced && verdict->text.has)
            printf("                          %.*s\n", CHARLE_FMT(verdict->text.value));
        if (verdict->kind == CHARLE_APPLIED || verdict->kind == CHARLE_MERGED)
            note_effect(oracle, device, calls[i]);
    }
}

void oracle_judged(struct oracle *oracle, const struct charle_push_request *request, const struct charle_push_reply *reply)
{
    struct device *device = device_named(oracle, request->device_id);
    const struct charle_verdict *const *verdicts = reply->verdict.items;
    if (request->acknowledged.has && request->acknowledged.value > device->acknowledged)
        device->acknowledged = request->acknowledged.value;
    for (size_t i = 0; i < reply->verdict.count; i++)
        note_verdict(oracle, device, request, verdicts[i]);
}

void oracle_saved(struct oracle *oracle)
{
    oracle->saved_effect_count = oracle->effect_count;
    for (size_t i = 0; i < oracle->device_count; i++)
        oracle->devices[i].saved_count = oracle->devices[i].count;
    for (size_t i = 0; i < oracle->tally_count; i++)
        oracle->tallies[i].saved_n = oracle->tallies[i].n;
}

void oracle_restored(struct oracle *oracle)
{
    oracle->effect_count = oracle->saved_effect_count;
    for (size_t i = 0; i < oracle->device_count; i++)
        oracle->devices[i].count = oracle->devices[i].saved_count;
    for (size_t i = 0; i < oracle->tally_count; i++)
        oracle->tallies[i].n = oracle->tallies[i].saved_n;
    oracle->is_fresh = true;
}

// --- a replica ------------------------------------------------------------------------------------------------------------------------

struct cursor {
    char scope[SCOPE_SIZE];
    int64_t stamp;
    uint64_t lineage;
    int state;
};
struct view { // of a laptop's file
    struct cursor cursors[SCOPES_MAX];
    size_t cursor_count;
    bool is_ready;
    struct charle_buf rows; // "table US key columns LF" in order
};

static bool sql_ok(struct world *world, struct laptop *laptop, int code)
{
    if (code == SQLITE_ROW || code == SQLITE_DONE || code == SQLITE_OK)
        return true;
    (void)world, (void)laptop; // the disk has died: the laptop is about to crash
    return false;
}

static bool read_cursors(struct laptop *laptop, struct view *view)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(laptop->replica.sql.db, "select scope, stamp, lineage, state from charle_cursor order by scope", -1, &stmt, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(stmt);
        if (code != SQLITE_ROW)
            break;
        CHARLE_ASSERT(view->cursor_count < SCOPES_MAX);
        struct cursor *cursor = &view->cursors[view->cursor_count++];
        snprintf(cursor->scope, sizeof(cursor->scope), "%s", (const char *)sqlite3_column_text(stmt, 0));
        cursor->stamp = sqlite3_column_int64(stmt, 1);
        cursor->lineage = (uint64_t)sqlite3_column_int64(stmt, 2);
        cursor->state = sqlite3_column_int(stmt, 3);
    }
    sqlite3_finalize(stmt);
    return sql_ok(laptop->world, laptop, code);
}

static bool read_table(struct laptop *laptop, const struct table_spec *table, struct charle_buf *out)
{
    struct charle_buf sql = {0};
    sqlite3_stmt *stmt = NULL;
    charle_buf_printf(&sql, "select %s, ", table->key);
    struct charle_buf columns = {0};
    add_columns(&columns, table, false);
    for (const char *at = charle_buf_text(&columns); *at; at++) { // SQLite says char() for chr()
        if (strncmp(at, "chr(31)", 7) == 0) {
            charle_buf_add_text(&sql, "char(31)");
            at += 6;
        } else {
            charle_buf_add_byte(&sql, (uint8_t)*at);
        }
    }
    charle_buf_printf(&sql, " from \"%s\" r order by 1", table->name);
    int code = sqlite3_prepare_v2(laptop->replica.sql.db, charle_buf_text(&sql), -1, &stmt, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(stmt);
        if (code == SQLITE_ROW)
            charle_buf_printf(out, "%s\x1f%s%s\n", table->name, (const char *)sqlite3_column_text(stmt, 0), (const char *)sqlite3_column_text(stmt, 1));
    }
    sqlite3_finalize(stmt);
    charle_buf_deinit(&sql);
    charle_buf_deinit(&columns);
    return sql_ok(laptop->world, laptop, code);
}

static bool read_tables(struct laptop *laptop, struct charle_buf *out)
{
    for (int i = 0; i < TABLES; i++) {
        if (!read_table(laptop, &tables[i], out))
            return false;
    }
    return true;
}

// Puts the confirmed images of all rows back that waiting calls touched. The transaction is rolled back afterwards.
static bool take_waiting_off(struct laptop *laptop)
{
    struct ch_replica *replica = &laptop->replica;
    sqlite3_stmt *stmt = NULL;
    struct charle_error err = {0};
    int code = sqlite3_prepare_v2(replica->sql.db, "select tab, key, image from charle_base", -1, &stmt, NULL);
    enum charle_err rc = CHARLE_OK;
    while (rc == CHARLE_OK && (code == SQLITE_OK || code == SQLITE_ROW)) {
        code = sqlite3_step(stmt);
        if (code == SQLITE_ROW)
            rc = ch_table_restore(&replica->tables, ch_table_by_id(&replica->tables, (uint32_t)sqlite3_column_int(stmt, 0)), ch_lite_text(stmt, 1), ch_lite_bytes(stmt, 2), &err);
    }
    sqlite3_finalize(stmt);
    return rc == CHARLE_OK && sql_ok(laptop->world, laptop, code);
}

static bool read_confirmed(struct laptop *laptop, struct view *view)
{
    struct charle_error err;
    int64_t ready = 0;
    if (ch_replica_begin(&laptop->replica, CH_FETCHABLE, &err))
        return false;
    bool is_read = ch_meta_number(&laptop->replica.sql, "ready", 0, &ready, &err) == CHARLE_OK && read_cursors(laptop, view) && take_waiting_off(laptop) &&
                   read_tables(laptop, &view->rows);
    view->is_ready = ready != 0;
    ch_replica_rollback(&laptop->replica);
    return is_read;
}

static bool is_at(const struct version *version, const struct view *view)
{
    for (size_t i = 0; i < view->cursor_count; i++) {
        const struct cursor *cursor = &view->cursors[i];
        const struct head *head = find_head(version, cursor->scope);
        if (cursor->state != CH_SCOPE_READY)
            continue;
        if (head ? head->stamp != cursor->stamp || head->lineage != cursor->lineage : cursor->stamp != 0)
            return false;
    }
    return true;
}

// Who may see what, once more by hand.
static bool holds(const struct version *version, const char *person, const char *scope)
{
    bool is_active = false, is_lead = false, keeps = false;
    const char *key = strchr(scope, ':') ? strchr(scope, ':') + 1 : "";
    for (size_t i = 0; i < version->row_count; i++) {
        const struct row *row = version->rows[i];
        char tail[40];
        if (row->table == 1 && strcmp(row->key, person) == 0) {
            is_active = number_in(row, 2) == 1;
            is_lead = number_in(row, 3) == 1;
        }
        snprintf(tail, sizeof(tail), "\x1f%s", person);
        size_t len = strlen(row->columns), tail_len = strlen(tail);
        if (row->table == 2 && strcmp(row->key, key) == 0)
            keeps = len >= tail_len && strcmp(row->columns + len - tail_len, tail) == 0;
    }
    if (!is_active)
        return false;
    if (strncmp(scope, "area:", 5) == 0)
        return keeps;
    if (strncmp(scope, "person:", 7) == 0 || strncmp(scope, "work:", 5) == 0)
        return strcmp(key, person) == 0;
    return strcmp(scope, "leads") == 0 ? is_lead : strcmp(scope, "team") == 0;
}

static bool grants_fit(const struct version *version, const struct laptop *laptop, const struct view *view)
{
    char own[3][SCOPE_SIZE];
    const char *possible[SCOPES_MAX] = {"team", "leads", own[0], own[1]};
    char areas[8][SCOPE_SIZE];
    size_t count = 4;
    snprintf(own[0], SCOPE_SIZE, "person:%s", laptop->person);
    snprintf(own[1], SCOPE_SIZE, "work:%s", laptop->person);
    for (size_t i = 0; i < version->row_count; i++) {
        if (version->rows[i]->table == 2 && count - 4 < 8) {
            snprintf(areas[count - 4], SCOPE_SIZE, "area:%.60s", version->rows[i]->key);
            possible[count] = areas[count - 4];
            count++;
        }
    }
    size_t held = 0;
    for (size_t i = 0; i < count; i++) {
        if (!holds(version, laptop->person, possible[i]))
            continue;
        bool is_there = false;
        for (size_t j = 0; j < view->cursor_count; j++)
            is_there = is_there || strcmp(view->cursors[j].scope, possible[i]) == 0;
        if (!is_there)
            return false;
        held++;
    }
    return held == view->cursor_count;
}

static void expect_rows(const struct version *version, const struct view *view, struct charle_buf *out)
{
    struct charle_buf shown = {0};
    char scope[SCOPE_SIZE];
    for (size_t i = 0; i < version->row_count; i++) {
        const struct row *row = version->rows[i];
        uint32_t bits = 0;
        for (const char *at = row->scopes; (at = next_scope(at, scope));) {
            for (size_t j = 0; j < view->cursor_count; j++) {
                if (view->cursors[j].state == CH_SCOPE_READY && strcmp(view->cursors[j].scope, scope) == 0)
                    bits |= shown_by(table_of(row->table), scope);
            }
        }
        if (!bits)
            continue;
        project(row, bits, &shown);
        charle_buf_printf(out, "%s\x1f%s", table_of(row->table)->name, row->key);
        charle_buf_add(out, shown.data, shown.size);
        charle_buf_add_byte(out, '\n');
    }
    charle_buf_deinit(&shown);
}

static void fail_on_rows(struct laptop *laptop, const char *what, struct charle_buf *expected, struct charle_buf *found)
{
    const char *a = charle_buf_text(expected), *b = charle_buf_text(found);
    char should[180], is[180];
    // To the first line that differs.
    while (*a && *b) {
        size_t line_a = strcspn(a, "\n"), line_b = strcspn(b, "\n");
        if (line_a != line_b || memcmp(a, b, line_a) != 0)
            break;
        a += line_a + 1;
        b += line_b + 1;
    }
    snprintf(should, sizeof(should), "%.*s", (int)strcspn(a, "\n"), a);
    snprintf(is, sizeof(is), "%.*s", (int)strcspn(b, "\n"), b);
    for (char *at = should; *at; at++)
        *at = *at == '\x1f' ? '|' : *at;
    for (char *at = is; *at; at++)
        *at = *at == '\x1f' ? '|' : *at;
    world_fail(laptop->world, "%s: %s: should be\n    %s\n  and is\n    %s", laptop->name, what, should[0] ? should : "nothing", is[0] ? is : "nothing");
}

static void fail_on_cursors(struct oracle *oracle, struct laptop *laptop, const struct view *view, const char *what)
{
    struct charle_buf words = {0};
    const struct version *newest = &oracle->versions[oracle->count - 1];
    for (size_t i = 0; i < view->cursor_count; i++) {
        const struct cursor *cursor = &view->cursors[i];
        const struct head *head = find_head(newest, cursor->scope);
        charle_buf_printf(&words, " %s(%d) %" PRId64 "/%" PRId64, cursor->scope, cursor->state, cursor->stamp & 0xffffff, head ? head->stamp & 0xffffff : 0);
    }
    world_fail(oracle->world, "%s: %s; scope(state) cursor/newest head:%s", laptop->name, what, view->cursor_count ? charle_buf_text(&words) : " none");
    charle_buf_deinit(&words);
}

// The newest version that the cursors name, at which the person held these scopes; -1: none.
static int64_t find_moment(struct oracle *oracle, const struct laptop *laptop, const struct view *view, int64_t *out_oldest, bool *out_grants)
{
    int64_t found = -1;
    *out_grants = false;
    for (int64_t i = (int64_t)oracle->count - 1; i >= 0; i--) {
        if (!is_at(&oracle->versions[i], view)) {
            if (found >= 0)
                break;
            continue;
        }
        if (found < 0)
            found = i;
        *out_oldest = i;
        *out_grants = *out_grants || grants_fit(&oracle->versions[i], laptop, view);
    }
    return found;
}

static void check_view(struct oracle *oracle, struct laptop *laptop, struct view *view, bool must_be_newest)
{
    struct charle_buf expected = {0};
    int64_t oldest = 0;
    bool grants_are_right;
    int64_t found = find_moment(oracle, laptop, view, &oldest, &grants_are_right);
    if (found < 0) {
        fail_on_cursors(oracle, laptop, view, "its cursors are of no single moment of the server");
        return;
    }
    if (!grants_are_right) {
        fail_on_cursors(oracle, laptop, view, "the scopes it holds are not those that its person held at that moment");
        return;
    }
    if (found < laptop->moment)
        fail_on_cursors(oracle, laptop, view, "it went back in time");
    if (must_be_newest && found != (int64_t)oracle->count - 1)
        fail_on_cursors(oracle, laptop, view, "it is not at the newest moment");
    laptop->moment = oldest;
    expect_rows(&oracle->versions[found], view, &expected);
    if (!charle_str_equal(charle_buf_str(&expected), charle_buf_str(&view->rows)))
        fail_on_rows(laptop, "its confirmed rows are not those of the server at that moment", &expected, &view->rows);
    oracle->world->result.moments_checked++;
    world_trace(oracle->world, "%s is right at version %" PRId64 ", hash %016" PRIx64, laptop->name, found, add_hash(1, view->rows.data, view->rows.size));
    charle_buf_deinit(&expected);
}

void oracle_check_laptop(struct oracle *oracle, struct laptop *laptop, bool must_be_newest)
{
    struct view view = {0};
    bool is_doubtful = false;
    if (oracle->world->result.has_failed)
        return;
    if (read_confirmed(laptop, &view) && view.is_ready) {
        for (size_t i = 0; i < view.cursor_count; i++)
            is_doubtful = is_doubtful || view.cursors[i].state == CH_SCOPE_REPAIR;
        if (is_doubtful && !must_be_newest) {
            oracle->world->result.moments_skipped++;
            oracle->world->result.repairs++;
        } else {
            check_view(oracle, laptop, &view, must_be_newest);
        }
    } else if (must_be_newest) {
        world_fail(oracle->world, "%s has no complete replica in the end", laptop->name);
    }
    charle_buf_deinit(&view.rows);
}

bool oracle_is_newest(struct oracle *oracle, struct laptop *laptop)
{
    struct view view = {0};
    bool is_so = read_cursors(laptop, &view) && is_at(&oracle->versions[oracle->count - 1], &view);
    charle_buf_deinit(&view.rows);
    return is_so;
}

// --- waiting calls ----------------------------------------------------------------------------------------------------------------------

static enum charle_err change_nothing(struct ch_replica *replica, void *ctx, struct charle_error *err)
{
    (void)replica, (void)ctx, (void)err;
    return CHARLE_OK;
}

// What is shown equals the confirmed rows with all waiting calls run again: taking everything off and on changes nothing.
void oracle_check_rebase(struct oracle *oracle, struct laptop *laptop)
{
    struct charle_buf before = {0}, after = {0};
    struct charle_error err;
    if (!oracle->world->result.has_failed && read_tables(laptop, &before) && ch_apply_rebase(&laptop->replica, CH_FETCHABLE, change_nothing, NULL, &err) == CHARLE_OK &&
        read_tables(laptop, &after)) {
        oracle->world->result.rebases_checked++;
        if (!charle_str_equal(charle_buf_str(&before), charle_buf_str(&after)))
            fail_on_rows(laptop, "what it shows is not the confirmed rows with its waiting calls on top", &after, &before);
    }
    charle_buf_deinit(&before);
    charle_buf_deinit(&after);
}

bool oracle_hash_call(struct laptop *laptop, int64_t ticket, uint64_t *out)
{
    static const char sql[] = "select method, request from charle_outbox where position = ?1";
    sqlite3_stmt *stmt = NULL;
    bool is_there = false;
    if (sqlite3_prepare_v2(laptop->replica.look.db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_bind_int64(stmt, 1, ticket) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        *out = add_hash(0xcbf29ce484222325u, sqlite3_column_text(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
        *out = add_hash(*out, sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1));
        is_there = true;
    }
    sqlite3_finalize(stmt);
    return is_there;
}

void oracle_check_seen(struct oracle *oracle, struct laptop *laptop)
{
    for (size_t i = 0; i < laptop->seen_count; i++) {
        uint64_t hash;
        if (!oracle_hash_call(laptop, laptop->seen[i].ticket, &hash))
            world_fail(oracle->world, "%s: call %" PRId64 ", which its user saw succeed, is gone", laptop->name, laptop->seen[i].ticket);
        else if (hash != laptop->seen[i].hash)
            world_fail(oracle->world, "%s: call %" PRId64 " is another one than its user made", laptop->name, laptop->seen[i].ticket);
    }
}

void oracle_check_outbox(struct oracle *oracle, struct laptop *laptop)
{
    sqlite3_stmt *stmt = NULL;
    char id[CH_ID_LEN + 1] = "";
    struct charle_error err;
    (void)!ch_meta_text(&laptop->replica.sql, "device_id", id, sizeof(id), &err);
    struct device *device = device_named(oracle, charle_str(id));
    int code = sqlite3_prepare_v2(laptop->replica.sql.db, "select position, state, kind, sequence from charle_outbox", -1, &stmt, NULL);
    while (code == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        int64_t position = sqlite3_column_int64(stmt, 0), sequence = sqlite3_column_int64(stmt, 3);
        int state = sqlite3_column_int(stmt, 1), kind = sqlite3_column_int(stmt, 2);
        if (state != 5 || !kind)
            world_fail(oracle->world, "%s: call %" PRId64 " is in state %d with verdict %d in the end", laptop->name, position, state, kind);
        if (!sequence)
            continue;
        if (sequence > (int64_t)device->count)
            world_fail(oracle->world, "%s: call %" PRId64 " has number %" PRId64 ", of which the server knows nothing", laptop->name, position, sequence);
        else if (device->kinds[sequence - 1] != kind)
            world_fail(oracle->world, "%s: call %" PRId64 ": the server's verdict was %d, the laptop has %d", laptop->name, position, device->kinds[sequence - 1], kind);
    }
    sqlite3_finalize(stmt);
}

// --- life -------------------------------------------------------------------------------------------------------------------------------

struct oracle *oracle_new(struct world *world)
{
    struct oracle *oracle = calloc(1, sizeof(*oracle));
    CHARLE_ASSERT(oracle);
    oracle->world = world;
    make_state_sql(oracle);
    return oracle;
}

void oracle_free(struct oracle *oracle)
{
    if (!oracle)
        return;
    for (size_t i = 0; i < oracle->count; i++)
        free_version(&oracle->versions[i]);
    free(oracle->versions);
    free(oracle->effects);
    for (size_t i = 0; i < INTERN_SIZE; i++) {
        for (struct row *row = oracle->interned[i], *next; row; row = next) {
            next = row->next;
            free(row);
        }
    }
    for (size_t i = 0; i < oracle->device_count; i++)
        free(oracle->devices[i].kinds);
    charle_buf_deinit(&oracle->state_sql);
    free(oracle);
}
