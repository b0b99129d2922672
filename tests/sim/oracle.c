// What must be true, worked out a second time and in another way.
//
// History: after everything that may have committed, the whole database is read with the world's own SQL (who sees what
// is written here by hand, not taken from the schema) and kept as a version, with the heads of all scopes. The world
// runs one thing at a time, so these are all the moments the server ever had.
//
// A replica is right when there is a version that has exactly its cursors as heads, and its confirmed rows (the rows
// with the images of waiting calls put back) are exactly those of the scopes it holds, each with the union of the
// columns they show. Between two versions with the same head a scope may not differ: that would be a change without a
// stamp.
#include "sim/oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_at(const struct version *version, const struct view *view)
{
    for (size_t i = 0; i < view->cursor_count; i++) {
        const struct cursor *cursor = &view->cursors[i];
        const struct head *head = version_head(version, cursor->scope);
        bool has_no_rows_yet = view->masked[8] & ORACLE_ROWS_MASKED && cursor->stamp == 0 && strncmp(cursor->scope, "desk:", 5) == 0;
        if (cursor->state != CH_SCOPE_READY || has_no_rows_yet)
            continue;
        if (head ? head->stamp != cursor->stamp || head->lineage != cursor->lineage : cursor->stamp != 0)
            return false;
    }
    return true;
}

// Who may see what, once more by hand.
bool oracle_holds(const struct version *version, const char *person, const char *scope)
{
    bool is_active = false, is_lead = false, keeps = false;
    const char *key = strchr(scope, ':') ? strchr(scope, ':') + 1 : "";
    for (size_t i = 0; i < version->row_count; i++) {
        const struct row *row = version->rows[i];
        char tail[40];
        if (row->table == 1 && strcmp(row->key, person) == 0) {
            is_active = row_number(row, 2) == 1;
            is_lead = row_number(row, 3) == 1;
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
    if (strncmp(scope, "desk:", 5) == 0)
        return version->schema == VERSION_LATER && strcmp(key, person) == 0;
    if (strncmp(scope, "person:", 7) == 0 || strncmp(scope, "work:", 5) == 0)
        return strcmp(key, person) == 0;
    return strcmp(scope, "leads") == 0 ? is_lead : strcmp(scope, "team") == 0;
}

static bool grants_fit(const struct version *version, const struct laptop *laptop, const struct view *view)
{
    char own[3][SCOPE_SIZE];
    const char *possible[SCOPES_MAX] = {"team", "leads", own[0], own[1], own[2]};
    char areas[8][SCOPE_SIZE];
    size_t count = laptop_version(laptop) == VERSION_LATER ? 5 : 4, area_count = 0;
    snprintf(own[2], SCOPE_SIZE, "desk:%s", laptop->person);
    snprintf(own[0], SCOPE_SIZE, "person:%s", laptop->person);
    snprintf(own[1], SCOPE_SIZE, "work:%s", laptop->person);
    for (size_t i = 0; i < version->row_count; i++) {
        if (version->rows[i]->table == 2 && area_count < 8) {
            snprintf(areas[area_count], SCOPE_SIZE, "area:%.60s", version->rows[i]->key);
            possible[count++] = areas[area_count++];
        }
    }
    size_t held = 0;
    for (size_t i = 0; i < count; i++) {
        if (!oracle_holds(version, laptop->person, possible[i]))
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

static void expect_rows(const struct version *version, const struct view *view, int replica, struct charle_buf *out)
{
    const struct lens lens = {version->schema, replica, view->masked};
    struct charle_buf shown = {0};
    char scope[SCOPE_SIZE];
    for (size_t i = 0; i < version->row_count; i++) {
        const struct row *row = version->rows[i];
        const struct table_spec *table = oracle_table(row->table);
        uint32_t bits = 0, zeros = 0;
        if (view->masked[row->table - 1] & ORACLE_ROWS_MASKED)
            continue;
        for (const char *at = row->scopes; (at = oracle_next_scope(at, scope));) {
            for (size_t j = 0; j < view->cursor_count; j++) {
                uint32_t absent;
                if (view->cursors[j].state != CH_SCOPE_READY || strcmp(view->cursors[j].scope, scope) != 0)
                    continue;
                bits |= oracle_seen_by(&lens, table, scope, &absent);
                zeros |= absent;
            }
        }
        if (!bits)
            continue;
        oracle_see(&lens, row, bits, zeros & ~bits, &shown);
        charle_buf_printf(out, "%s\x1f%s", table->name, row->key);
        charle_buf_add(out, shown.data, shown.size);
        charle_buf_add_byte(out, '\n');
    }
    charle_buf_deinit(&shown);
}

static void fail_on_cursors(struct oracle *oracle, struct laptop *laptop, const struct view *view, const char *what)
{
    struct charle_buf words = {0};
    bool is_first = !oracle->world->result.has_failed;
    const struct version *newest = &oracle->versions[oracle->count - 1];
    for (size_t i = 0; i < view->cursor_count; i++) {
        const struct cursor *cursor = &view->cursors[i];
        const struct head *head = version_head(newest, cursor->scope);
        charle_buf_printf(&words, " %s(%d) %" PRId64 "/%" PRId64, cursor->scope, cursor->state,
                          cursor->stamp & 0xffffff, head ? head->stamp & 0xffffff : 0);
    }
    world_fail(oracle->world, "%s: %s; scope(state) cursor/newest head:%s", laptop->name, what,
               view->cursor_count ? charle_buf_text(&words) : " none");
    if (is_first)
        oracle->world->result.rule = what;
    charle_buf_deinit(&words);
}

// Versions that the cursors name, one behind the other: `newest` down to `oldest`.
struct run {
    int64_t newest, oldest;
    bool has_grants; // in one of them the person held these scopes
};

static bool next_run(struct oracle *oracle, const struct laptop *laptop, const struct view *view, int64_t below,
                     struct run *out)
{
    int64_t i = below - 1;
    while (i >= 0 && !is_at(&oracle->versions[i], view))
        i--;
    *out = (struct run){i, i, false};
    for (; i >= 0 && is_at(&oracle->versions[i], view); i--) {
        out->oldest = i;
        out->has_grants = out->has_grants || grants_fit(&oracle->versions[i], laptop, view);
    }
    return out->newest >= 0;
}

// The newest run in which the grants fit, or else the newest: an old copy that was put back makes moments that look
// like earlier ones, with grants that the laptop has not heard of at either of them.
static bool find_moment(struct oracle *oracle, const struct laptop *laptop, const struct view *view, struct run *out)
{
    struct run run;
    if (!next_run(oracle, laptop, view, (int64_t)oracle->count, out))
        return false;
    run = *out;
    while (!run.has_grants && next_run(oracle, laptop, view, run.oldest, &run))
        ;
    if (run.has_grants)
        *out = run;
    return true;
}

// A migration changes what scopes show without a stamp. A replica hears of it when it opens its next session: until then it is right as it was.
static bool is_before_migration(struct oracle *oracle, struct laptop *laptop, const struct view *view, const struct run *found)
{
    bool is_so = false;
    for (int64_t i = found->newest; i > found->oldest && !is_so; i--) {
        struct charle_buf expected = {0};
        if (oracle->versions[i].schema == oracle->versions[i - 1].schema)
            continue;
        expect_rows(&oracle->versions[i - 1], view, laptop_version(laptop), &expected);
        is_so = charle_str_equal(charle_buf_str(&expected), charle_buf_str(&view->rows));
        charle_buf_deinit(&expected);
    }
    return is_so;
}

static void check_view(struct oracle *oracle, struct laptop *laptop, struct view *view, bool must_be_newest)
{
    struct charle_buf expected = {0};
    struct run found;
    if (!find_moment(oracle, laptop, view, &found)) {
        fail_on_cursors(oracle, laptop, view, "its cursors are of no single moment of the server");
        return;
    }
    if (!found.has_grants) {
        fail_on_cursors(oracle, laptop, view, "the scopes it holds are not those that its person held at that moment");
        return;
    }
    if (found.newest < laptop->moment)
        fail_on_cursors(oracle, laptop, view, "it went back in time");
    if (must_be_newest && found.newest != (int64_t)oracle->count - 1)
        fail_on_cursors(oracle, laptop, view, "it is not at the newest moment");
    laptop->moment = found.oldest;
    expect_rows(&oracle->versions[found.newest], view, laptop_version(laptop), &expected);
    if (!charle_str_equal(charle_buf_str(&expected), charle_buf_str(&view->rows)) &&
        (must_be_newest || !is_before_migration(oracle, laptop, view, &found)))
        view_fail_on_rows(laptop, "its confirmed rows are not those of the server at that moment", &expected,
                          &view->rows);
    oracle->world->result.moments_checked++;
    world_trace(oracle->world, "%s is right at version %" PRId64 ", hash %016" PRIx64, laptop->name, found.newest,
                oracle_hash(1, view->rows.data, view->rows.size));
    charle_buf_deinit(&expected);
}

void oracle_check_laptop(struct oracle *oracle, struct laptop *laptop, bool must_be_newest)
{
    struct view view = {0};
    bool is_doubtful = false;
    if (oracle->world->result.has_failed)
        return;
    if (view_read(laptop, &view) && view.is_ready) {
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
    bool is_so = view_read_cursors(laptop, &view) && is_at(&oracle->versions[oracle->count - 1], &view);
    charle_buf_deinit(&view.rows);
    return is_so;
}

// --- life ------------------------------------------------------------------------------------------------------------

struct oracle *oracle_new(struct world *world)
{
    struct oracle *oracle = calloc(1, sizeof(*oracle));
    CHARLE_ASSERT(oracle);
    oracle->world = world;
    oracle_make_state_sql(oracle);
    return oracle;
}

void oracle_free(struct oracle *oracle)
{
    if (!oracle)
        return;
    for (size_t i = 0; i < oracle->count; i++)
        version_free(&oracle->versions[i]);
    free(oracle->versions);
    free(oracle->effects);
    free(oracle->answered);
    free(oracle->pardoned);
    for (size_t i = 0; i < INTERN_SIZE; i++) {
        for (struct row *row = oracle->interned[i], *next; row; row = next) {
            next = row->next;
            free(row);
        }
    }
    for (size_t i = 0; i < oracle->device_count; i++)
        free(oracle->devices[i].kinds);
    for (int i = 0; i < VERSIONS; i++)
        charle_buf_deinit(&oracle->state_sql[i]);
    free(oracle);
}
