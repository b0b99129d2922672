// Protobuf bytes to structs.
//
// One pass over the bytes. A field is found by guessing that it is the next one of the descriptor (writers go in
// order), then by position, then by search. The first element of an array counts the others ahead of it, so an array is
// allocated once. Strings are not copied.
//
// Two things are kept in front of what is allocated here, where no descriptor sees them: an array's capacity, and which
// required scalars of a sub-message were seen. The second makes merging right: a singular sub-message may come in
// pieces, and only the whole must be complete, so `require` walks the finished tree of singular sub-messages once.
//
// Memory: every allocation is counted against CH_MESSAGE_AMPLIFY_MAX times the bytes given, then against the arena.
#include "base/limits.h"
#include "msg/json_text.h"
#include "msg/scalar.h"
#include "msg/wire_inline.h"

enum { ROOT_SEEN_WORDS = 4, ALIGNMENT = _Alignof(max_align_t) };

struct reading {
    struct charle_arena *arena;
    size_t budget_size; // what may still be allocated for these bytes
    struct charle_error *err;
};

// A message being filled in. `seen` has one bit a field.
struct target {
    const struct charle_message *type;
    char *message;
    uint64_t *seen;
};

struct array_head {
    size_t capacity;
};

static enum charle_err read_fields(struct reading *rd, const struct target *target, struct charle_bytes bytes,
                                   int depth);

static enum charle_err fail(const struct reading *rd, const struct target *target, const struct charle_field *field,
                            enum charle_err code, const char *what)
{
    return charle_fail(rd->err, code, "%s.%.*s %s", target->type->name, CHARLE_FMT(field->name), what);
}

// --- memory ------------------------------------------------------------------------------------------------

static size_t round_up(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

// Allocates `head` bytes and behind them `size` bytes, both zeroed; returns the second part.
static enum charle_err allocate(struct reading *rd, size_t head_size, size_t size, void **out)
{
    size_t total = round_up(head_size) + size;
    if (total < size || total > rd->budget_size)
        return charle_fail(rd->err, CHARLE_TOO_LARGE,
                           "the message would take more than %d times its size in memory; send fewer items at once",
                           CH_MESSAGE_AMPLIFY_MAX);
    char *at = charle_arena_alloc(rd->arena, total);
    if (!at)
        return charle_fail(rd->err, CHARLE_TOO_LARGE, "the message does not fit in the memory set aside for it");
    rd->budget_size -= total;
    *out = at + round_up(head_size);
    return CHARLE_OK;
}

static size_t seen_words(const struct charle_message *type)
{
    return (type->field_count + 63) / 64;
}

static uint64_t *seen_of(const struct charle_message *type, const void *message)
{
    return (uint64_t *)(void *)((char *)(uintptr_t)message - round_up(seen_words(type) * sizeof(uint64_t)));
}

static struct array_head *head_of(const struct charle_array *array)
{
    return (struct array_head *)(void *)((char *)(uintptr_t)array->items - round_up(sizeof(struct array_head)));
}

// --- single values -----------------------------------------------------------------------------------------

static void store32(void *to, uint32_t value)
{
    memcpy(to, &value, sizeof(value));
}

static void store64(void *to, uint64_t value)
{
    memcpy(to, &value, sizeof(value));
}

// Reads a scalar that is not length-delimited. False when the bytes end first.
static bool read_scalar(enum charle_wire wire, struct charle_wire_reader *in, void *to)
{
    uint64_t v = 0;
    int wire_type = ch_wire_type(wire);
    if (wire_type == CH_WIRE_VARINT) {
        if (!ch_wire_read_varint(in, &v))
            return false;
    } else {
        size_t size = wire_type == CH_WIRE_FIXED64 ? 8 : 4;
        if ((size_t)(in->end - in->next) < size)
            return false;
        v = size == 8 ? ch_le64(ch_load64(in->next)) : ch_le32(ch_load32(in->next));
        in->next += size;
    }
    switch (wire) {
    case CHARLE_WIRE_INT32:
    case CHARLE_WIRE_UINT32:
    case CHARLE_WIRE_ENUM:
    case CHARLE_WIRE_FIXED32:
    case CHARLE_WIRE_SFIXED32:
    case CHARLE_WIRE_FLOAT:
        store32(to, (uint32_t)v);
        break;
    case CHARLE_WIRE_SINT32:
        store32(to, (uint32_t)charle_wire_unzigzag((uint32_t)v));
        break;
    case CHARLE_WIRE_INT64:
    case CHARLE_WIRE_UINT64:
    case CHARLE_WIRE_FIXED64:
    case CHARLE_WIRE_SFIXED64:
    case CHARLE_WIRE_DOUBLE:
        store64(to, v);
        break;
    case CHARLE_WIRE_SINT64:
        store64(to, (uint64_t)charle_wire_unzigzag(v));
        break;
    case CHARLE_WIRE_BOOL:
        *(bool *)to = v != 0;
        break;
    case CHARLE_WIRE_STRING:
    case CHARLE_WIRE_BYTES:
    case CHARLE_WIRE_MESSAGE:
        return false;
    }
    return true;
}

static enum charle_err store_text(struct reading *rd, const struct target *target, const struct charle_field *field,
                                  struct charle_str text, void *to)
{
    if (field->wire == CHARLE_WIRE_STRING && !charle_utf8_is_valid(text))
        return fail(rd, target, field, CHARLE_MALFORMED, "is not valid UTF-8, or holds a NUL character");
    if (field->type == CHARLE_TYPE_NUMERIC) {
        struct charle_numeric numeric;
        if (!charle_numeric_read(text, rd->arena, &numeric))
            return fail(rd, target, field, CHARLE_INVALID_ARGUMENT, "is not a decimal number such as \"12.50\"");
        text = numeric.text;
    } else if (field->type == CHARLE_TYPE_JSONB && !ch_json_is_valid(text)) {
        return fail(rd, target, field, CHARLE_INVALID_ARGUMENT, "is not valid JSON");
    }
    memcpy(to, &text, sizeof(text)); // charle_bytes, charle_numeric and charle_json lie the same way
    return CHARLE_OK;
}

static enum charle_err store_uuid(struct reading *rd, const struct target *target, const struct charle_field *field,
                                  struct charle_bytes bytes, void *to)
{
    struct charle_uuid uuid;
    if (bytes.len == sizeof(uuid.bytes) && field->wire == CHARLE_WIRE_BYTES)
        memcpy(uuid.bytes, bytes.ptr, sizeof(uuid.bytes));
    else if (!charle_uuid_read(charle_str_n((const char *)bytes.ptr, bytes.len), &uuid))
        return fail(rd, target, field, CHARLE_INVALID_ARGUMENT, "is not a UUID");
    memcpy(to, &uuid, sizeof(uuid));
    return CHARLE_OK;
}

static enum charle_err read_len(struct reading *rd, const struct target *target, const struct charle_field *field,
                                struct charle_wire_reader *in, struct charle_bytes *out)
{
    uint64_t len;
    if (!ch_wire_read_varint(in, &len) || len > (uint64_t)(in->end - in->next))
        return fail(rd, target, field, CHARLE_MALFORMED, "is cut off: its length points past the end of the message");
    *out = charle_bytes(in->next, (size_t)len);
    in->next += len;
    return CHARLE_OK;
}

// One value of any kind but a sub-message, whose tag was read and fits the field.
static enum charle_err read_value(struct reading *rd, const struct target *target, const struct charle_field *field,
                                  struct charle_wire_reader *in, void *to)
{
    enum charle_wire wire = (enum charle_wire)field->wire;
    if (wire != CHARLE_WIRE_STRING && wire != CHARLE_WIRE_BYTES)
        return read_scalar(wire, in, to) ? CHARLE_OK : fail(rd, target, field, CHARLE_MALFORMED, "is cut off");
    struct charle_bytes bytes;
    enum charle_err rc = read_len(rd, target, field, in, &bytes);
    if (rc)
        return rc;
    if (field->size_max && bytes.len > field->size_max)
        return charle_fail(rd->err, CHARLE_INVALID_ARGUMENT, "%s.%.*s has %zu bytes; at most %u are allowed",
                           target->type->name, CHARLE_FMT(field->name), bytes.len, field->size_max);
    if (field->type == CHARLE_TYPE_UUID)
        return store_uuid(rd, target, field, bytes, to);
    return store_text(rd, target, field, charle_str_n((const char *)bytes.ptr, bytes.len), to);
}

// --- required fields ---------------------------------------------------------------------------------------

// Checks a finished message and the singular sub-messages in it. Elements of arrays were checked when they were read.
static enum charle_err require(struct reading *rd, const struct target *target)
{
    const struct charle_message *type = target->type;
    for (size_t i = 0; i < type->field_count; i++) {
        const struct charle_field *field = &type->fields[i];
        bool is_sub = field->wire == CHARLE_WIRE_MESSAGE && field->label != CHARLE_REPEATED;
        if (field->label != CHARLE_REQUIRED && !is_sub)
            continue;
        if (is_sub) {
            char *sub = *(char **)(void *)(target->message + field->offset);
            if (sub) {
                struct target inner = {field->message, sub, seen_of(field->message, sub)};
                enum charle_err rc = require(rd, &inner);
                if (rc)
                    return rc;
                continue;
            }
        }
        if (field->label == CHARLE_REQUIRED && !(target->seen[i / 64] >> (i % 64) & 1))
            return fail(rd, target, field, CHARLE_INVALID_ARGUMENT, "is required and missing");
    }
    return CHARLE_OK;
}

// --- sub-messages and arrays -------------------------------------------------------------------------------

static enum charle_err new_message(struct reading *rd, const struct charle_message *type, void **out)
{
    return allocate(rd, seen_words(type) * sizeof(uint64_t), type->size, out);
}

static enum charle_err read_sub(struct reading *rd, const struct target *target, const struct charle_field *field,
                                struct charle_wire_reader *in, void **message, int depth)
{
    struct charle_bytes bytes;
    enum charle_err rc = read_len(rd, target, field, in, &bytes);
    if (rc)
        return rc;
    if (depth >= CH_MESSAGE_DEPTH_MAX)
        return fail(rd, target, field, CHARLE_TOO_LARGE, "is nested too deeply");
    if (!*message && (rc = new_message(rd, field->message, message)))
        return rc;
    struct target inner = {field->message, *message, seen_of(field->message, *message)};
    rc = read_fields(rd, &inner, bytes, depth + 1);
    return rc || field->label != CHARLE_REPEATED ? rc : require(rd, &inner);
}

// How many items one length-delimited run of packed scalars holds; an upper bound when it is malformed.
static size_t count_packed(enum charle_wire wire, struct charle_bytes bytes)
{
    int wire_type = ch_wire_type(wire);
    if (wire_type != CH_WIRE_VARINT)
        return bytes.len / (wire_type == CH_WIRE_FIXED64 ? 8 : 4);
    size_t count = 0;
    for (size_t i = 0; i < bytes.len; i++)
        count += bytes.ptr[i] < 0x80;
    return count;
}

// Counts the items of an array from `in`, which stands at the tag of one of them, to the end of the message.
static size_t count_ahead(const struct charle_field *field, struct charle_wire_reader in)
{
    struct charle_wire_field next = {0};
    bool is_len = ch_wire_type((enum charle_wire)field->wire) == CH_WIRE_LEN;
    size_t count = 0;
    while (charle_wire_next(&in, &next) == CHARLE_OK) {
        if (next.number == field->number)
            count +=
                is_len || next.wire_type != CH_WIRE_LEN ? 1 : count_packed((enum charle_wire)field->wire, next.bytes);
    }
    return count;
}

// Makes room for the items from here to the end of the message. Doubling keeps a sub-message that comes in many pieces
// linear.
static enum charle_err grow_array(struct reading *rd, const struct charle_field *field, struct charle_array *array,
                                  size_t more)
{
    size_t old = array->items ? head_of(array)->capacity : 0;
    if (more <= old - array->count)
        return CHARLE_OK;
    size_t item_size = charle_type_size((enum charle_type)field->type);
    size_t capacity = array->count + more < 2 * old ? 2 * old : array->count + more;
    void *items;
    size_t size;
    if (__builtin_mul_overflow(capacity, item_size, &size))
        size = SIZE_MAX; // allocate refuses it
    enum charle_err rc = allocate(rd, sizeof(struct array_head), size, &items);
    if (rc)
        return rc;
    if (array->count)
        memcpy(items, array->items, array->count * item_size);
    array->items = items;
    head_of(array)->capacity = capacity;
    return CHARLE_OK;
}

static enum charle_err read_packed(struct reading *rd, const struct target *target, const struct charle_field *field,
                                   struct charle_wire_reader *in, struct charle_array *array)
{
    struct charle_bytes bytes;
    enum charle_err rc = read_len(rd, target, field, in, &bytes);
    if (rc || (rc = grow_array(rd, field, array, count_packed((enum charle_wire)field->wire, bytes))))
        return rc;
    size_t item_size = charle_type_size((enum charle_type)field->type);
    size_t capacity = array->items ? head_of(array)->capacity : 0;
    struct charle_wire_reader items = {bytes.ptr, bytes.ptr + bytes.len};
    while (items.next < items.end) {
        if (array->count >= capacity || !read_scalar((enum charle_wire)field->wire, &items,
                                                     (char *)(uintptr_t)array->items + array->count * item_size))
            return fail(rd, target, field, CHARLE_MALFORMED, "is cut off within its packed items");
        array->count++;
    }
    return CHARLE_OK;
}

// `at_tag` is where the item's tag began, `in` stands behind it.
static enum charle_err read_item(struct reading *rd, const struct target *target, const struct charle_field *field,
                                 int wire_type, const uint8_t *at_tag, struct charle_wire_reader *in, int depth)
{
    struct charle_array *array = charle_field_ptr(field, target->message);
    array->has = true;
    if (!array->items || array->count == head_of(array)->capacity) {
        size_t ahead = count_ahead(field, (struct charle_wire_reader){at_tag, in->end});
        enum charle_err rc = ahead ? grow_array(rd, field, array, ahead) : CHARLE_OK;
        if (rc)
            return rc;
    }
    bool is_len = ch_wire_type((enum charle_wire)field->wire) == CH_WIRE_LEN;
    if (!is_len && wire_type == CH_WIRE_LEN)
        return read_packed(rd, target, field, in, array);
    if (!array->items || array->count == head_of(array)->capacity)
        return fail(rd, target, field, CHARLE_MALFORMED, "is cut off"); // not even this item could be counted
    char *to = (char *)(uintptr_t)array->items + array->count * charle_type_size((enum charle_type)field->type);
    enum charle_err rc;
    if (field->wire == CHARLE_WIRE_MESSAGE) {
        void *sub = NULL;
        rc = read_sub(rd, target, field, in, &sub, depth);
        memcpy(to, &sub, sizeof(sub));
    } else {
        rc = read_value(rd, target, field, in, to);
    }
    array->count += rc == CHARLE_OK;
    return rc;
}

// --- messages ----------------------------------------------------------------------------------------------

static enum charle_err skip_unknown(struct reading *rd, const struct target *target, const uint8_t *at_tag,
                                    struct charle_wire_reader *in)
{
    struct charle_wire_field unknown = {0};
    in->next = at_tag;
    if (charle_wire_next(in, &unknown) == CHARLE_OK)
        return CHARLE_OK;
    return charle_fail(rd->err, CHARLE_MALFORMED, "%s is malformed behind byte %zu of what is left of it",
                       target->type->name, (size_t)(in->end - at_tag));
}

static enum charle_err read_field(struct reading *rd, const struct target *target, const struct charle_field *field,
                                  int wire_type, const uint8_t *at_tag, struct charle_wire_reader *in, int depth)
{
    int expected = ch_wire_type((enum charle_wire)field->wire);
    bool is_packed = field->label == CHARLE_REPEATED && wire_type == CH_WIRE_LEN;
    if (wire_type != expected && !is_packed)
        return fail(rd, target, field, CHARLE_MALFORMED, "was sent with another type than the schema has");
    if (field->label == CHARLE_REPEATED)
        return read_item(rd, target, field, wire_type, at_tag, in, depth);
    void *at = target->message + field->offset;
    if (field->wire == CHARLE_WIRE_MESSAGE)
        return read_sub(rd, target, field, in, at, depth);
    if (field->label == CHARLE_OPTIONAL) {
        *((bool *)target->message + field->has_offset) = true;
    } else {
        size_t index = (size_t)(field - target->type->fields);
        target->seen[index / 64] |= 1ull << (index % 64);
    }
    return read_value(rd, target, field, in, at);
}

static enum charle_err read_fields(struct reading *rd, const struct target *target, struct charle_bytes bytes,
                                   int depth)
{
    const struct charle_message *type = target->type;
    const struct charle_field *expected = type->fields, *end = type->fields + type->field_count;
    struct charle_wire_reader in = {bytes.ptr, bytes.ptr + bytes.len};
    while (in.next < in.end) {
        const uint8_t *at_tag = in.next;
        uint64_t tag;
        const struct charle_field *field = NULL;
        if (ch_wire_read_varint(&in, &tag) && tag >> 3 <= UINT32_MAX) {
            uint32_t number = (uint32_t)(tag >> 3);
            field = expected < end && expected->number == number ? expected : charle_message_field(type, number);
        }
        enum charle_err rc;
        if (field) {
            rc = read_field(rd, target, field, (int)(tag & 7), at_tag, &in, depth);
            expected = field->label == CHARLE_REPEATED && !field->packed ? field : field + 1;
        } else {
            rc = skip_unknown(rd, target, at_tag, &in);
        }
        if (rc)
            return rc;
    }
    return CHARLE_OK;
}

enum charle_err charle_message_read(const struct charle_message *type, struct charle_bytes bytes,
                                    struct charle_arena *arena, void *out, struct charle_error *err)
{
    memset(out, 0, type->size);
    struct reading rd = {arena, CH_MESSAGE_AMPLIFY_FREE_SIZE, err};
    if (bytes.len > SIZE_MAX / CH_MESSAGE_AMPLIFY_MAX - rd.budget_size)
        return charle_fail(err, CHARLE_TOO_LARGE, "%s has %zu bytes, more than any message may", type->name, bytes.len);
    rd.budget_size += bytes.len * CH_MESSAGE_AMPLIFY_MAX;
    uint64_t seen[ROOT_SEEN_WORDS] = {0};
    struct target target = {type, out, seen};
    enum charle_err rc = CHARLE_OK;
    if (seen_words(type) > ROOT_SEEN_WORDS) {
        void *words;
        rc = allocate(&rd, 0, seen_words(type) * sizeof(uint64_t), &words);
        target.seen = words;
    }
    if (!rc && bytes.len)
        rc = read_fields(&rd, &target, bytes, 1);
    return rc ? rc : require(&rd, &target);
}
