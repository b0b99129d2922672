#include "client/live_rows.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <string.h>

enum tag { TAG_NULL, TAG_INT, TAG_REAL, TAG_TEXT, TAG_BLOB };

// --- rows ---------------------------------------------------------------------------------------------------------------------

void ch_live_rows_reset(struct ch_live_rows *rows)
{
    charle_buf_reset(&rows->bytes);
    rows->count = 0;
}

void ch_live_rows_deinit(struct ch_live_rows *rows)
{
    charle_buf_deinit(&rows->bytes);
    ch_free(rows->items);
    *rows = (struct ch_live_rows){0};
}

static void add_sized(struct charle_buf *buf, uint8_t tag, const void *data, size_t size)
{
    charle_buf_add_byte(buf, tag);
    charle_buf_add(buf, &size, sizeof(size));
    charle_buf_add(buf, data, size);
}

static void add_value(struct charle_buf *buf, const struct charle_value *value)
{
    if (value->is_null) {
        charle_buf_add_byte(buf, TAG_NULL);
    } else if (value->type == CHARLE_TYPE_INT8) {
        charle_buf_add_byte(buf, TAG_INT);
        charle_buf_add(buf, &value->int8, sizeof(value->int8));
    } else if (value->type == CHARLE_TYPE_FLOAT8) {
        charle_buf_add_byte(buf, TAG_REAL);
        charle_buf_add(buf, &value->float8, sizeof(value->float8));
    } else if (value->type == CHARLE_TYPE_BYTES) {
        add_sized(buf, TAG_BLOB, value->bytes.ptr, value->bytes.len);
    } else {
        add_sized(buf, TAG_TEXT, value->text.ptr, value->text.len);
    }
}

// FNV-1a, eight bytes at a time, with a final mix: keys are short and nobody outside chooses the table's size.
static uint64_t hash_of(const uint8_t *data, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size;) {
        uint64_t word = 0;
        size_t len = size - i < sizeof(word) ? size - i : sizeof(word);
        memcpy(&word, data + i, len);
        hash = (hash ^ word) * 0x100000001b3u;
        hash ^= hash >> 29;
        i += len;
    }
    return (hash ^ size) * 0x9e3779b97f4a7c15u;
}

static enum charle_err make_room(struct ch_live_rows *rows, struct charle_error *err)
{
    if (rows->count < rows->capacity)
        return CHARLE_OK;
    size_t capacity = rows->capacity ? rows->capacity * 2 : 64;
    struct ch_live_row *items = ch_realloc_array(rows->items, capacity, sizeof(*items));
    if (!items)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the result of a live query");
    rows->items = items;
    rows->capacity = capacity;
    return CHARLE_OK;
}

enum charle_err ch_live_rows_add(struct ch_live_rows *rows, const struct ch_live_shape *shape, struct charle_rows *from,
                                 size_t size_max, struct charle_error *err)
{
    struct ch_live_row row = {.at = rows->bytes.size};
    enum charle_err rc = make_room(rows, err);
    for (size_t i = 0; !rc && i < shape->column_count; i++) {
        struct charle_value value;
        rc = charle_rows_value(from, shape->order[i], 0, false, &value, err);
        if (rc)
            return rc;
        add_value(&rows->bytes, &value);
        if (i + 1 == shape->key_count)
            row.key_size = (uint32_t)(rows->bytes.size - row.at);
    }
    if (rc)
        return rc;
    if (rows->bytes.failed || rows->bytes.size + rows->count * sizeof(row) > size_max)
        return charle_fail(err, rows->bytes.failed == CHARLE_NO_MEMORY ? CHARLE_NO_MEMORY : CHARLE_TOO_LARGE,
                           "the result of the live query has more than %zu rows and %zu bytes, its limit; narrow it or allow it more", rows->count,
                           size_max);
    row.size = (uint32_t)(rows->bytes.size - row.at);
    row.key_size = shape->key_count ? row.key_size : row.size;
    row.key_hash = hash_of(rows->bytes.data + row.at, row.key_size);
    rows->items[rows->count++] = row;
    return CHARLE_OK;
}

void ch_live_rows_values(const struct ch_live_rows *rows, const struct ch_live_shape *shape, size_t index, struct charle_value *out)
{
    const uint8_t *at = rows->bytes.data + rows->items[index].at;
    for (size_t i = 0; i < shape->column_count; i++) {
        struct charle_value *value = &out[shape->order[i]];
        size_t size = sizeof(int64_t);
        uint8_t tag = *at++;
        *value = (struct charle_value){.type = 0, .is_null = tag == TAG_NULL};
        if (tag == TAG_NULL)
            continue;
        if (tag == TAG_TEXT || tag == TAG_BLOB) {
            memcpy(&size, at, sizeof(size));
            at += sizeof(size);
        }
        if (tag == TAG_INT) {
            value->type = CHARLE_TYPE_INT8;
            memcpy(&value->int8, at, sizeof(value->int8));
        } else if (tag == TAG_REAL) {
            value->type = CHARLE_TYPE_FLOAT8;
            memcpy(&value->float8, at, sizeof(value->float8));
        } else if (tag == TAG_TEXT) {
            *value = charle_text(charle_str_n((const char *)at, size));
        } else {
            *value = charle_blob(charle_bytes(at, size));
        }
        at += size;
    }
}

bool ch_live_rows_are_same(const struct ch_live_rows *a, const struct ch_live_rows *b)
{
    // Rows of equal bytes are cut at the same places: a row says how long it is.
    return a->count == b->count && a->bytes.size == b->bytes.size &&
           (a->bytes.size == 0 || memcmp(a->bytes.data, b->bytes.data, a->bytes.size) == 0);
}

// --- matching -----------------------------------------------------------------------------------------------------------------

struct matching {
    const struct ch_live_rows *old;
    uint32_t *slots; // first old row of a key that has no new one yet, or CH_LIVE_NONE; a slot is claimed by `claims`
    uint32_t *claims; // an old row of the key that owns the slot
    uint32_t *next;  // for each old row the next one of the same key
    size_t mask;
};

static bool has_key(const struct ch_live_rows *rows, size_t index, const struct ch_live_rows *other, const struct ch_live_row *row)
{
    const struct ch_live_row *own = &rows->items[index];
    return own->key_hash == row->key_hash && own->key_size == row->key_size &&
           memcmp(rows->bytes.data + own->at, other->bytes.data + row->at, row->key_size) == 0;
}

// The slot of a key: its own, or the empty one where it would be.
static size_t slot_of(const struct matching *m, const struct ch_live_rows *rows, const struct ch_live_row *row)
{
    size_t slot = (size_t)(row->key_hash >> 32) & m->mask;
    while (m->claims[slot] != CH_LIVE_NONE && !has_key(m->old, m->claims[slot], rows, row))
        slot = (slot + 1) & m->mask;
    return slot;
}

// Last row first, so that each key's list begins with its first row.
static void fill_slots(struct matching *m)
{
    for (size_t i = m->old->count; i-- > 0;) {
        size_t slot = slot_of(m, m->old, &m->old->items[i]);
        m->next[i] = m->claims[slot] == CH_LIVE_NONE ? CH_LIVE_NONE : m->slots[slot];
        m->slots[slot] = m->claims[slot] = (uint32_t)i;
    }
}

static enum charle_err match(struct ch_live_diff *diff, const struct ch_live_rows *old, const struct ch_live_rows *now,
                             struct charle_error *err)
{
    struct matching m = {.old = old, .mask = 15};
    while (m.mask < 2 * old->count)
        m.mask = m.mask * 2 + 1;
    m.slots = ch_alloc(2 * (m.mask + 1) * sizeof(*m.slots));
    m.next = ch_alloc_zeroed(old->count + 1, sizeof(*m.next));
    enum charle_err rc = m.slots && m.next ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory to compare the results of a live query");
    if (!rc) {
        memset(m.slots, 0xff, 2 * (m.mask + 1) * sizeof(*m.slots)); // CH_LIVE_NONE everywhere
        m.claims = m.slots + m.mask + 1;
        fill_slots(&m);
    }
    for (size_t i = 0; !rc && i < now->count; i++) {
        size_t slot = slot_of(&m, now, &now->items[i]);
        uint32_t at = m.claims[slot] == CH_LIVE_NONE ? CH_LIVE_NONE : m.slots[slot];
        diff->old_of[i] = at;
        if (at == CH_LIVE_NONE)
            continue;
        diff->was_kept[at] = true;
        m.slots[slot] = m.next[at];
    }
    ch_free(m.slots);
    ch_free(m.next);
    return rc;
}

// --- places -------------------------------------------------------------------------------------------------------------------

// The longest run of rows whose old places rise stays where it is; the others moved. tails[k]: the new row with the smallest old place that
// ends a rising run of k + 1 rows; before[i]: the row before i in the best run that ends with i.
static void find_staying(struct ch_live_diff *diff, size_t count, uint32_t *tails, uint32_t *before)
{
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t low = 0, high = longest;
        if (diff->old_of[i] == CH_LIVE_NONE)
            continue;
        if (longest && diff->old_of[tails[longest - 1]] < diff->old_of[i])
            low = high; // nearly always: the order is as it was
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (diff->old_of[tails[middle]] < diff->old_of[i])
                low = middle + 1;
            else
                high = middle;
        }
        before[i] = low ? tails[low - 1] : CH_LIVE_NONE;
        tails[low] = (uint32_t)i;
        longest = low == longest ? longest + 1 : longest;
    }
    for (uint32_t i = longest ? tails[longest - 1] : CH_LIVE_NONE; i != CH_LIVE_NONE; i = before[i])
        diff->stays[i] = true;
}

enum charle_err ch_live_diff_make(struct ch_live_diff *diff, const struct ch_live_rows *old, const struct ch_live_rows *now,
                                  struct charle_error *err)
{
    *diff = (struct ch_live_diff){.old_of = ch_alloc_zeroed(now->count + 1, sizeof(uint32_t)),
                                  .stays = ch_alloc_zeroed(now->count + 1, sizeof(bool)),
                                  .was_kept = ch_alloc_zeroed(old->count + 1, sizeof(bool))};
    uint32_t *work = ch_alloc_zeroed(2 * (now->count + 1), sizeof(*work));
    enum charle_err rc = diff->old_of && diff->stays && diff->was_kept && work
                             ? CHARLE_OK
                             : charle_fail(err, CHARLE_NO_MEMORY, "no memory to compare the results of a live query");
    if (!rc)
        rc = match(diff, old, now, err);
    if (!rc)
        find_staying(diff, now->count, work, work + now->count + 1);
    ch_free(work);
    if (rc)
        ch_live_diff_deinit(diff);
    return rc;
}

void ch_live_diff_deinit(struct ch_live_diff *diff)
{
    ch_free(diff->old_of);
    ch_free(diff->stays);
    ch_free(diff->was_kept);
    *diff = (struct ch_live_diff){0};
}
