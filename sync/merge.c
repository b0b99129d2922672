#include "base/buf.h"
#include "base/slow.h"
#include "msg/json.h"
#include "sync/merge_parts.h"

#include <stdarg.h>
#include <stdio.h>

enum { SHOWN_SIZE_MAX = 48 }; // of a value in a sentence

// One column being merged.
struct merging {
    struct ch_merge *merge;
    const struct charle_column *column;
    const struct charle_field *field; // of table->patch
    bool has_moved;
    struct charle_buf *note;
    struct charle_error *err;
};

typedef enum charle_err (*policy)(const struct merging *m);

// --- helpers -----------------------------------------------------------------------------------------------

static const struct charle_field *patch_field(const struct charle_table *table, const struct charle_column *column)
{
    const struct charle_field *field = charle_message_field(table->patch, column->field->number);
    CHARLE_ASSERT(field); // a patch has a field for each column
    return field;
}

// A value as a person reads it, cut when it is long.
static const char *shown(const struct merging *m, const void *message)
{
    struct charle_buf buf = {0};
    charle_field_write_json(m->field, message, &buf);
    if (buf.size > SHOWN_SIZE_MAX) {
        buf.size = SHOWN_SIZE_MAX;
        while ((buf.data[buf.size] & 0xc0) == 0x80) // not within a character; the first one of a value is a single byte
            buf.size--;
        charle_buf_add_text(&buf, "…");
    }
    struct charle_str text = charle_arena_buf(m->merge->arena, &buf);
    charle_buf_deinit(&buf);
    return text.ptr ? text.ptr : "…";
}

CHARLE_PRINTF(2, 3)
static void add_note(const struct merging *m, const char *format, ...)
{
    va_list args;
    char text[3 * SHOWN_SIZE_MAX + 200];
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    charle_buf_add_text(m->note, m->note->size ? "; " : "");
    charle_buf_printf(m->note, "%.*s %s", CHARLE_FMT(m->column->name), text);
}

static void take_field(const struct merging *m, const void *from)
{
    struct ch_merge *merge = m->merge;
    CHARLE_ASSERT(charle_column_set_has(&merge->mask, m->column->index)); // only columns that the edit is about are written
    size_t size = m->field->label == CHARLE_REPEATED ? sizeof(struct charle_array)
                                                     : charle_type_size((enum charle_type)m->field->type);
    memcpy(charle_field_ptr(m->field, merge->merged), charle_field_ptr(m->field, from), size);
    if (m->field->label == CHARLE_OPTIONAL)
        *((bool *)merge->merged + m->field->has_offset) = charle_field_has(m->field, from);
    charle_column_set_add(&merge->changed, m->column->index);
}

static bool is_same(const struct merging *m, const void *a, const void *b)
{
    return ch_merge_is_equal(m->field, a, b, m->merge->arena);
}

static enum charle_err conflict(const struct merging *m)
{
    return charle_fail(
        m->err, CHARLE_CONFLICT,
        "%.*s of this %.*s was changed by someone else meanwhile: it is %s now; look at it and change it again",
        CHARLE_FMT(m->column->name), CHARLE_FMT(m->merge->table->name), shown(m, m->merge->stored));
}

static enum charle_err no_room(const struct merging *m)
{
    return charle_fail(m->err, CHARLE_NO_MEMORY, "no room to merge %.*s", CHARLE_FMT(m->column->name));
}

// --- policies: wanted is not what is stored, counters aside ------------------------------------------------

static enum charle_err merge_lww(const struct merging *m)
{
    if (m->has_moved)
        add_note(m, "had been changed to %s meanwhile; it is %s now", shown(m, m->merge->stored),
                 shown(m, m->merge->wanted));
    take_field(m, m->merge->wanted);
    return CHARLE_OK;
}

static enum charle_err merge_server(const struct merging *m)
{
    CHARLE_ASSERT(!m->has_moved || m->merge->base);
    if (m->has_moved)
        return conflict(m);
    take_field(m, m->merge->wanted);
    return CHARLE_OK;
}

// Does the edit's base say anything about a column outside its mask?
static bool base_tells(const struct ch_merge *merge, size_t index)
{
    CHARLE_ASSERT(merge->base && index < merge->table->column_count);
    return charle_column_set_has(&merge->mask, index) ||
           charle_field_has(patch_field(merge->table, &merge->table->columns[index]), merge->base);
}

static enum charle_err merge_group(const struct merging *m)
{
    const struct ch_merge *merge = m->merge;
    const struct charle_table *table = merge->table;
    for (size_t i = 0; merge->base && i < table->column_count; i++) {
        const struct charle_column *column = &table->columns[i];
        if (column->merge != CHARLE_MERGE_GROUP || column->merge_group != m->column->merge_group ||
            !base_tells(merge, i))
            continue;
        struct merging other = *m;
        other.column = column;
        other.field = patch_field(table, column);
        // Someone who made the very same change is no conflict.
        bool is_wanted = charle_column_set_has(&merge->mask, i) && is_same(&other, merge->stored, merge->wanted);
        if (!is_wanted && !is_same(&other, merge->stored, merge->base))
            return conflict(&other);
    }
    take_field(m, merge->wanted);
    return CHARLE_OK;
}

static enum charle_err illegal_step(const struct merging *m, int32_t from)
{
    char legal[120] = "";
    size_t used = 0;
    for (size_t i = 0; i < m->column->transition_count && used < sizeof(legal) - 1; i++) {
        const struct charle_transition *step = &m->column->transitions[i];
        if (step->from != from)
            continue;
        const struct charle_enum_value *to = charle_enum_by_number(m->field->enumeration, step->to);
        CHARLE_ASSERT(to); // the schema compiler knows no other steps
        const char *separator = used ? ", " : "";
        used += (size_t)snprintf(legal + used, sizeof(legal) - used, "%s%.*s", separator, CHARLE_FMT(to->name));
    }
    return charle_fail(m->err, CHARLE_FAILED_PRECONDITION,
                       "%.*s of this %.*s cannot go from %s to %s; from there it may go to %s",
                       CHARLE_FMT(m->column->name), CHARLE_FMT(m->merge->table->name), shown(m, m->merge->stored),
                       shown(m, m->merge->wanted), used ? legal : "nothing else");
}

static enum charle_err merge_fsm(const struct merging *m)
{
    const struct ch_merge *merge = m->merge;
    CHARLE_ASSERT(m->field->enumeration); // the schema compiler knows no other
    int32_t from = *(const int32_t *)charle_field_ptr(m->field, merge->stored);
    int32_t to = *(const int32_t *)charle_field_ptr(m->field, merge->wanted);
    bool is_legal = !charle_field_has(m->field, merge->stored); // a first status may be any
    for (size_t i = 0; i < m->column->transition_count; i++)
        is_legal |= m->column->transitions[i].from == from && m->column->transitions[i].to == to;
    if (!is_legal || !charle_field_has(m->field, merge->wanted))
        return illegal_step(m, from);
    if (m->has_moved)
        add_note(m, "had gone to %s meanwhile; from there it went to %s", shown(m, merge->stored),
                 shown(m, merge->wanted));
    take_field(m, merge->wanted);
    return CHARLE_OK;
}

// stored + (wanted - base); nulls count as zero.
static enum charle_err merge_counter(const struct merging *m)
{
    const struct ch_merge *merge = m->merge;
    if (!m->has_moved) {
        if (!is_same(m, merge->stored, merge->wanted))
            take_field(m, merge->wanted);
        return CHARLE_OK;
    }
    enum charle_type type = (enum charle_type)m->field->type;
    bool is_int4 = type == CHARLE_TYPE_INT4;
    if ((!is_int4 && type != CHARLE_TYPE_INT8) || !charle_field_has(m->field, merge->wanted))
        return is_same(m, merge->stored, merge->wanted) ? CHARLE_OK : conflict(m);
    const void *rows[3] = {merge->stored, merge->wanted, merge->base};
    CHARLE_ASSERT(merge->base); // without one nothing has moved
    int64_t values[3] = {0, 0, 0}, difference, sum;
    for (int i = 0; i < 3; i++) {
        const void *at = charle_field_ptr(m->field, rows[i]);
        if (charle_field_has(m->field, rows[i]))
            values[i] = is_int4 ? *(const int32_t *)at : *(const int64_t *)at;
    }
    if (__builtin_sub_overflow(values[1], values[2], &difference) ||
        __builtin_add_overflow(values[0], difference, &sum) || (is_int4 && (sum < INT32_MIN || sum > INT32_MAX)))
        return charle_fail(m->err, CHARLE_OUT_OF_RANGE, "%.*s of this %.*s would become too large",
                           CHARLE_FMT(m->column->name), CHARLE_FMT(merge->table->name));
    if (!difference)
        return CHARLE_OK;
    take_field(m, merge->wanted);
    void *to = charle_field_ptr(m->field, merge->merged);
    if (is_int4)
        *(int32_t *)to = (int32_t)sum;
    else
        *(int64_t *)to = sum;
    add_note(m, "was changed by %lld from %s, which someone else had set meanwhile", (long long)difference,
             shown(m, merge->stored));
    return CHARLE_OK;
}

static bool has_item(const struct merging *m, const struct charle_array *array, const void *item)
{
    enum charle_type type = (enum charle_type)m->field->type;
    bool found = false;
    for (size_t i = 0; !found && i < array->count; i++)
        found = ch_merge_is_equal_item(type, (const char *)array->items + i * charle_type_size(type), item,
                                       m->merge->arena);
    return found;
}

// Appends the items of `from` to `to`, each once, but for those that are in `without` and not in `unless`.
static void add_items(const struct merging *m, const struct charle_array *from, const struct charle_array *without,
                      const struct charle_array *unless, struct charle_array *to)
{
    size_t size = charle_type_size((enum charle_type)m->field->type);
    for (size_t i = 0; i < from->count; i++) {
        CHARLE_ASSERT_SLOW(to->items != from->items);
        const char *item = (const char *)from->items + i * size;
        if ((has_item(m, without, item) && !has_item(m, unless, item)) || has_item(m, to, item))
            continue;
        memcpy((char *)(uintptr_t)to->items + to->count++ * size, item, size);
    }
}

static enum charle_err merge_set(const struct merging *m)
{
    const struct ch_merge *merge = m->merge;
    if (!m->has_moved || m->field->label != CHARLE_REPEATED)
        return merge_lww(m);
    const struct charle_array none = {0}, *stored = charle_field_ptr(m->field, merge->stored),
                              *wanted = charle_field_ptr(m->field, merge->wanted),
                              *base = charle_field_ptr(m->field, merge->base);
    struct charle_array result = {.has = true};
    result.items = charle_arena_array(merge->arena, stored->count + wanted->count + 1,
                                      charle_type_size((enum charle_type)m->field->type));
    if (!result.items)
        return no_room(m);
    add_items(m, stored, base, wanted, &result); // what is there, but what the edit removed
    add_items(m, wanted, base, &none, &result);  // what the edit added
    CHARLE_ASSERT(result.count <= stored->count + wanted->count); // the room that was taken
    take_field(m, merge->wanted);
    *(struct charle_array *)charle_field_ptr(m->field, merge->merged) = result;
    add_note(m, "had been changed to %s meanwhile; with what was added and removed it is %s", shown(m, merge->stored),
             shown(m, merge->merged));
    return CHARLE_OK;
}

static enum charle_err merge_once(const struct merging *m)
{
    const struct ch_merge *merge = m->merge;
    if (!charle_field_has(m->field, merge->stored)) {
        take_field(m, merge->wanted);
        return CHARLE_OK;
    }
    bool saw_null = !merge->base || !charle_field_has(m->field, merge->base);
    if (saw_null && charle_field_has(m->field, merge->wanted)) {
        add_note(m, "is set once, and %s was there first", shown(m, merge->stored));
        return CHARLE_OK;
    }
    return charle_fail(m->err, CHARLE_FAILED_PRECONDITION, "%.*s of this %.*s is set only once; it is %s",
                       CHARLE_FMT(m->column->name), CHARLE_FMT(merge->table->name), shown(m, merge->stored));
}

static enum charle_err merge_append(const struct merging *m)
{
    return charle_fail(m->err, CHARLE_FAILED_PRECONDITION, "rows of %.*s are added, not changed: %.*s stays %s",
                       CHARLE_FMT(m->merge->table->name), CHARLE_FMT(m->column->name), shown(m, m->merge->stored));
}

static enum charle_err merge_text(const struct merging *m)
{
    struct ch_merge *merge = m->merge;
    // A text that one side took away has no paragraphs to compare.
    if (!m->has_moved || m->field->type != CHARLE_TYPE_TEXT || !charle_field_has(m->field, merge->stored) ||
        !charle_field_has(m->field, merge->wanted))
        return merge_lww(m);
    struct charle_str base = {0};
    if (charle_field_has(m->field, merge->base))
        base = *(const struct charle_str *)charle_field_ptr(m->field, merge->base);
    bool is_marked;
    struct charle_str text =
        ch_merge_text(base, *(const struct charle_str *)charle_field_ptr(m->field, merge->stored),
                      *(const struct charle_str *)charle_field_ptr(m->field, merge->wanted), merge->arena, &is_marked);
    if (!text.ptr)
        return no_room(m);
    take_field(m, merge->wanted);
    *(struct charle_str *)charle_field_ptr(m->field, merge->merged) = text;
    add_note(m, is_marked ? "was changed in the same place by someone else: both versions are in it, marked"
                          : "was changed elsewhere by someone else: both changes are in it");
    return CHARLE_OK;
}

static enum charle_err merge_derived(const struct merging *m)
{
    return charle_fail(m->err, CHARLE_FAILED_PRECONDITION,
                       "%.*s of %.*s is worked out from other values; it cannot be set", CHARLE_FMT(m->column->name),
                       CHARLE_FMT(m->merge->table->name));
}

static const policy policies[] = {
    [CHARLE_MERGE_LWW] = merge_lww,         [CHARLE_MERGE_SERVER] = merge_server,   [CHARLE_MERGE_GROUP] = merge_group,
    [CHARLE_MERGE_FSM] = merge_fsm,         [CHARLE_MERGE_COUNTER] = merge_counter, [CHARLE_MERGE_SET] = merge_set,
    [CHARLE_MERGE_ONCE] = merge_once,       [CHARLE_MERGE_APPEND] = merge_append,   [CHARLE_MERGE_TEXT] = merge_text,
    [CHARLE_MERGE_DERIVED] = merge_derived,
};

// --- rows --------------------------------------------------------------------------------------------------

struct charle_column_set ch_merge_needs(const struct charle_table *table, const struct charle_column_set *mask)
{
    struct charle_column_set needs = *mask;
    for (size_t i = 0; i < table->column_count; i++) {
        const struct charle_column *column = &table->columns[i];
        for (size_t n = 0; column->merge == CHARLE_MERGE_GROUP && n < table->column_count; n++) {
            const struct charle_column *other = &table->columns[n];
            if (charle_column_set_has(mask, n) && other->merge == CHARLE_MERGE_GROUP &&
                other->merge_group == column->merge_group)
                charle_column_set_add(&needs, i);
        }
    }
    CHARLE_ASSERT(!(mask->bits[0] & ~needs.bits[0]) && !(mask->bits[1] & ~needs.bits[1]));
    return needs;
}

static enum charle_err merge_column(struct ch_merge *merge, const struct charle_column *column, struct charle_buf *note,
                                    struct charle_error *err)
{
    struct merging m = {
        .merge = merge, .column = column, .field = patch_field(merge->table, column), .note = note, .err = err};
    m.has_moved = merge->base && !is_same(&m, merge->stored, merge->base);
    CHARLE_ASSERT(column->merge < sizeof(policies) / sizeof(policies[0]) && policies[column->merge]);
    if (column->merge != CHARLE_MERGE_COUNTER && is_same(&m, merge->stored, merge->wanted))
        return CHARLE_OK;
    return policies[column->merge](&m);
}

enum charle_err ch_merge_update(struct ch_merge *merge, struct charle_error *err)
{
    const struct charle_table *table = merge->table;
    struct charle_buf note = {0};
    CHARLE_ASSERT(table && merge->arena);
    CHARLE_ASSERT(merge->stored && merge->wanted);
    merge->changed = (struct charle_column_set){{0, 0}};
    merge->note = (struct charle_str){0};
    merge->merged = charle_arena_alloc(merge->arena, table->patch->size);
    enum charle_err rc = merge->merged ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no room to merge a row");
    for (size_t i = 0; !rc && i < table->column_count; i++) {
        if (charle_column_set_has(&merge->mask, i))
            rc = merge_column(merge, &table->columns[i], &note, err);
    }
    if (!rc && note.failed)
        rc = charle_fail(err, note.failed, "no room to say what was merged");
    if (!rc && note.size)
        merge->note = charle_arena_str(merge->arena, charle_buf_str(&note));
    charle_buf_deinit(&note);
    CHARLE_ASSERT(!(merge->changed.bits[0] & ~merge->mask.bits[0]) && !(merge->changed.bits[1] & ~merge->mask.bits[1]));
    return rc;
}

enum charle_err ch_merge_delete(const struct charle_table *table, const void *base, const void *stored,
                                struct charle_arena *arena, struct charle_error *err)
{
    struct ch_merge merge = {.table = table, .arena = arena, .base = base, .stored = stored};
    CHARLE_ASSERT(table && arena && (stored || !base));
    for (size_t i = 0; base && i < table->column_count; i++) {
        const struct charle_column *column = &table->columns[i];
        struct merging m = {.merge = &merge, .column = column, .field = patch_field(table, column), .err = err};
        bool is_kept_by_system = column->merge == CHARLE_MERGE_DERIVED || column->generate == CHARLE_GENERATE_UPDATED;
        if (is_kept_by_system || !charle_field_has(m.field, base) || is_same(&m, stored, base))
            continue;
        return charle_fail(
            err, CHARLE_CONFLICT,
            "%.*s of this %.*s was changed by someone else meanwhile: it is %s now; look at it before deleting it",
            CHARLE_FMT(column->name), CHARLE_FMT(table->name), shown(&m, stored));
    }
    return CHARLE_OK;
}
