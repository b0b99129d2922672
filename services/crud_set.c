// Many calls of one generated method in one statement: what edits and new rows have in common (crud_set.h).
//
// A run of calls is taken from the front: each is decoded and made ready, and the first that cannot be ends the run; so
// does the first that names a row a second time, because the second must see what the first did. The calls of a run are
// then sorted by shape, and each shape is a statement. Since they touch different rows, it does not matter that those of
// one shape run before those of another, nor that what a statement leaves over runs behind it.
//
// Nothing is explained here. Whatever fails, the caller rolls back and runs the calls one by one.
#include "services/crud_set.h"

#include "msg/wire.h"

#include <stddef.h>

enum {
    SHAPES_MAX = 8,  // statements of one run; a call of yet another shape ends it
    KEY_COLUMNS_MAX = 8,
};

// --- values ------------------------------------------------------------------------------------------------

// Values that unnest takes as one array for each column.
static const char *sql_type(uint8_t type)
{
    return type == CHARLE_TYPE_JSONB ? NULL : charle_type_pg_name((enum charle_type)type);
}

bool ch_set_nulls(const struct charle_table *table, const struct charle_column_set *columns, const void *patch,
                  struct charle_column_set *out_null)
{
    *out_null = (struct charle_column_set){{0, 0}};
    for (size_t i = 0; i < table->column_count; i++) {
        const struct charle_column *column = &table->columns[i];
        if (!charle_column_set_has(columns, i))
            continue;
        if (column->is_array || !sql_type(column->field->type))
            return false;
        if (!charle_field_has(ch_crud_patch_field(table, column), patch))
            charle_column_set_add(out_null, i);
    }
    return true;
}

static enum charle_err bind_items(struct ch_set_statement *s, uint8_t type, const void *items)
{
    const struct charle_value value = {
        .type = type == CHARLE_TYPE_ENUM ? CHARLE_TYPE_TEXT : type,
        .is_array = true,
        .array = {.items = items, .count = s->count, .has = true},
    };
    ch_crud_sql_bind(&s->sql, &value);
    s->column_count++;
    return s->sql.text.failed ? charle_fail(s->set->crud.err, s->sql.text.failed, "too many columns in one statement")
                              : CHARLE_OK;
}

static enum charle_err no_room(const struct ch_set *set)
{
    return charle_fail(set->crud.err, CHARLE_NO_MEMORY, "no room for %zu rows of %.*s", set->ready_count,
                       CHARLE_FMT(set->crud.table->name));
}

enum charle_err ch_set_bind(struct ch_set_statement *s, const struct charle_column *column,
                            const struct charle_message *message, size_t from)
{
    const struct ch_crud *crud = &s->set->crud;
    uint8_t type = column->field->type == CHARLE_TYPE_ENUM ? CHARLE_TYPE_TEXT : column->field->type;
    size_t size = charle_type_size((enum charle_type)type);
    char *items = charle_arena_array(crud->context->arena, s->count, size);
    enum charle_err rc = items ? CHARLE_OK : no_room(s->set);
    for (size_t i = 0; !rc && i < s->count; i++) {
        const void *record;
        struct charle_value value;
        memcpy(&record, (const char *)s->calls[i] + from, sizeof(record));
        rc = ch_crud_value(crud, column, message, record, &value);
        if (!rc)
            memcpy(items + i * size, &value.int8, size);
    }
    return rc ? rc : bind_items(s, type, items);
}

enum charle_err ch_set_bind_now(struct ch_set_statement *s)
{
    struct charle_ts *items = charle_arena_array(s->set->crud.context->arena, s->count, sizeof(*items));
    if (!items)
        return no_room(s->set);
    for (size_t i = 0; i < s->count; i++)
        items[i] = s->set->calls->contexts[s->calls[i]->index].now;
    return bind_items(s, CHARLE_TYPE_TIMESTAMPTZ, items);
}

// --- the statement -----------------------------------------------------------------------------------------

void ch_set_take(struct ch_set_statement *s)
{
    charle_buf_printf(&s->sql.text, "u.p%zu", ++s->next);
}

void ch_set_write_unnest(struct ch_set_statement *s)
{
    struct charle_buf *text = &s->sql.text;
    for (size_t i = 0; i < s->column_count; i++)
        charle_buf_printf(text, "%s$%zu::%s[]", i ? ", " : "unnest(", i + 1, sql_type(s->sql.params[i].type));
    charle_buf_add_text(text, ") with ordinality u(");
    for (size_t i = 0; i < s->column_count; i++)
        charle_buf_printf(text, "p%zu, ", i + 1);
    charle_buf_add_text(text, "n)");
}

enum charle_err ch_set_query(struct ch_set_statement *s, struct charle_rows **out_rows)
{
    const struct ch_crud *crud = &s->set->crud;
    const char *text;
    enum charle_err rc = ch_crud_sql_text(&s->sql, crud, &text);
    return rc ? rc : charle_query(crud->context->db, text, s->sql.params, s->sql.param_count, out_rows, crud->err);
}

enum charle_err ch_set_reply(struct ch_set_statement *s, size_t index, const void *reply)
{
    const struct ch_crud *crud = &s->set->crud;
    struct charle_bytes *out = &s->set->calls->replies[s->calls[index]->index];
    struct charle_buf buf = {0};
    if (s->set->calls->without_replies) {
        *out = charle_bytes("", 0);
        return CHARLE_OK;
    }
    charle_message_write(crud->method->reply, reply, &buf);
    if (!buf.failed)
        *out = charle_arena_bytes(crud->context->arena, charle_buf_bytes(&buf));
    charle_buf_deinit(&buf);
    return out->ptr ? CHARLE_OK : no_room(s->set);
}

// --- different rows ----------------------------------------------------------------------------------------

// The keys of a run, as bytes, in a hash table with open addressing.
struct keys {
    struct charle_bytes *slots;
    size_t mask; // slots are a power of two, more than twice as many as there are calls
    struct charle_buf buf;
};

// Are two keys equal to PostgreSQL exactly when their bytes are?
static bool has_plain_key(const struct charle_table *table)
{
    for (size_t i = 0; i < table->key_count; i++) {
        uint8_t type = table->columns[table->key_columns[i]].field->type;
        if (!sql_type(type) || type == CHARLE_TYPE_NUMERIC || type == CHARLE_TYPE_FLOAT8)
            return false;
    }
    return table->key_count && table->key_count <= KEY_COLUMNS_MAX;
}

static enum charle_err keys_init(struct keys *keys, const struct ch_set *set)
{
    size_t capacity = 16;
    while (capacity < set->calls->count * 2)
        capacity *= 2;
    *keys = (struct keys){.mask = capacity - 1};
    keys->slots = charle_arena_array(set->crud.context->arena, capacity, sizeof(*keys->slots));
    return keys->slots ? CHARLE_OK : no_room(set);
}

static struct charle_bytes key_bytes(struct keys *keys, const struct ch_set *set, const void *key)
{
    const struct charle_table *table = set->crud.table;
    charle_buf_reset(&keys->buf);
    for (size_t i = 0; i < table->key_count; i++) {
        const struct charle_column *column = &table->columns[table->key_columns[i]];
        struct charle_value value;
        if (ch_crud_value(&set->crud, column, set->key_message, key, &value) || value.is_null)
            return (struct charle_bytes){0};
        bool is_long = value.type == CHARLE_TYPE_TEXT || value.type == CHARLE_TYPE_ENUM || value.type == CHARLE_TYPE_BYTES;
        charle_buf_printf(&keys->buf, "%zu:", is_long ? value.text.len : 0);
        if (is_long)
            charle_buf_add_str(&keys->buf, value.text);
        else
            charle_buf_add(&keys->buf, &value.int8, charle_type_size((enum charle_type)value.type));
    }
    return keys->buf.failed ? (struct charle_bytes){0}
                            : charle_arena_bytes(set->crud.context->arena, charle_buf_bytes(&keys->buf));
}

// False: the key was there already, or there is no room.
static bool keys_add(struct keys *keys, const struct ch_set *set, const void *key)
{
    struct charle_bytes bytes = key_bytes(keys, set, key);
    uint64_t hash = 0xcbf29ce484222325u; // FNV-1a
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ bytes.ptr[i]) * 0x100000001b3u;
    size_t at = (size_t)hash & keys->mask;
    for (; keys->slots[at].ptr; at = (at + 1) & keys->mask) {
        if (keys->slots[at].len == bytes.len && memcmp(keys->slots[at].ptr, bytes.ptr, bytes.len) == 0)
            return false;
    }
    keys->slots[at] = bytes;
    return bytes.ptr;
}

// --- the run -----------------------------------------------------------------------------------------------

struct shapes {
    struct ch_set_shape items[SHAPES_MAX];
    size_t count;
};

// The number of a shape, a new one if need be; SHAPES_MAX: there are too many.
static size_t find_shape(struct shapes *shapes, const struct ch_set_shape *shape)
{
    size_t i = 0;
    while (i < shapes->count && memcmp(&shapes->items[i], shape, sizeof(*shape)) != 0)
        i++;
    if (i == shapes->count && i < SHAPES_MAX)
        shapes->items[shapes->count++] = *shape;
    return i;
}

// Is a caller treated as the first one is? That is so when both may call, both may write whatever the row, and both see all rows alike,
// through the same audiences that ask nothing of the row. Then the statement is the same for both.
static bool is_like_first(const struct ch_set *set, const struct ch_set_kind *kind, struct charle_context *context)
{
    struct charle_error unsaid;
    struct ch_set probe = {.calls = set->calls, .crud = set->crud};
    probe.crud.context = context;
    probe.crud.err = &unsaid;
    if (charle_method_check_caller(set->crud.method, context->identity, &unsaid) || ch_crud_view_init(&probe.view, &probe.crud) ||
        !kind->is_open(&probe) || !probe.view.has_always || probe.view.count != set->view.count)
        return false;
    bool is_like = true;
    for (size_t i = 0; is_like && i < probe.view.count; i++)
        is_like = probe.view.seen[i].is_always && probe.view.seen[i].audience == set->view.seen[i].audience;
    return is_like;
}

static bool make_ready(struct ch_set *set, const struct ch_set_kind *kind, size_t index, struct ch_set_call *out)
{
    const struct charle_message *message = set->crud.method->request;
    struct charle_arena *arena = set->crud.context->arena;
    void *request = charle_arena_alloc(arena, message->size);
    *out = (struct ch_set_call){.index = index};
    return request && !charle_message_read(message, set->calls->requests[index], arena, request, set->crud.err) &&
           kind->prepare(set, request, out);
}

static enum charle_err take_run(struct ch_set *set, const struct ch_set_kind *kind, struct shapes *shapes)
{
    struct charle_call_set *calls = set->calls;
    const struct charle_identity *last = calls->contexts[0].identity;
    struct keys keys;
    enum charle_err rc = keys_init(&keys, set);
    for (size_t i = 0; !rc && i < calls->count; i++) {
        struct ch_set_call *call = &set->ready[i];
        set->crud.context = &calls->contexts[i];
        if (calls->contexts[i].identity != last && !is_like_first(set, kind, &calls->contexts[i]))
            break;
        last = calls->contexts[i].identity;
        if (!make_ready(set, kind, i, call) || !keys_add(&keys, set, call->key) ||
            find_shape(shapes, &call->shape) == SHAPES_MAX)
            break;
        set->ready_count = i + 1;
    }
    charle_buf_deinit(&keys.buf);
    set->crud.context = &calls->contexts[0];
    return rc;
}

static enum charle_err run_shape(struct ch_set *set, const struct ch_set_kind *kind, const struct ch_set_shape *shape,
                                 const struct ch_set_call **members)
{
    struct ch_set_statement s = {.set = set, .calls = members};
    for (size_t i = 0; i < set->ready_count; i++) {
        if (memcmp(&set->ready[i].shape, shape, sizeof(*shape)) == 0)
            members[s.count++] = &set->ready[i];
    }
    ch_crud_sql_init(&s.sql, set->crud.dialect);
    enum charle_err rc = kind->run(&s);
    ch_crud_sql_deinit(&s.sql);
    return rc;
}

static enum charle_err run(struct ch_set *set, const struct ch_set_kind *kind)
{
    struct charle_arena *arena = set->crud.context->arena;
    const struct ch_set_call **members = charle_arena_array(arena, set->calls->count, sizeof(*members));
    struct shapes shapes = {.count = 0};
    set->ready = charle_arena_array(arena, set->calls->count, sizeof(*set->ready));
    enum charle_err rc = members && set->ready ? take_run(set, kind, &shapes) : no_room(set);
    if (rc || set->ready_count < 2)
        return rc;
    for (size_t i = 0; !rc && i < shapes.count; i++)
        rc = run_shape(set, kind, &shapes.items[i], members);
    set->calls->taken = set->ready_count;
    return rc;
}

enum charle_err ch_crud_run_set(struct charle_call_set *calls, struct charle_error *err)
{
    struct charle_error unsaid;
    const struct charle_method *method = calls->method;
    const struct ch_set_kind *kind = method->crud == CHARLE_CRUD_UPDATE   ? &ch_set_update
                                     : method->crud == CHARLE_CRUD_CREATE ? &ch_set_create
                                                                          : NULL;
    calls->taken = 0;
    if (calls->count < 2 || !kind || !method->table || !has_plain_key(method->table))
        return CHARLE_OK;
    struct charle_context *first = &calls->contexts[0];
    struct ch_set set = {.calls = calls,
                         .crud = {method, first, method->table, charle_db_dialect(first->db), err ? err : &unsaid}};
    if (set.crud.dialect != CHARLE_PG || charle_method_check_caller(method, first->identity, &unsaid) ||
        ch_crud_view_init(&set.view, &set.crud) || !kind->is_open(&set))
        return CHARLE_OK;
    return run(&set, kind);
}
