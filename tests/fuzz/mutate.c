#include "fuzz/mutate.h"

#include "msg/wire.h"

enum { DEPTH_MAX = 8, FOREIGN_MAX = 64 };

unsigned fuzz_choose(struct fuzz_input *in, unsigned below)
{
    return in->next < in->end ? *in->next++ % below : 0;
}

struct charle_bytes fuzz_take(struct fuzz_input *in, size_t max)
{
    size_t left = (size_t)(in->end - in->next), size = left < max ? left : max;
    const uint8_t *from = in->next;
    in->next += size;
    return charle_bytes(from, size);
}

// One change: of the field that comes as the target-th when all are counted, those of sub-messages too.
struct change {
    struct fuzz_input *in;
    unsigned target, at;
    unsigned op;
};

static uint64_t other_number(struct change *c, uint64_t value)
{
    static const uint64_t numbers[] = {0, 1, 2, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MIN, UINT32_MAX, (uint64_t)1 << 33, 0x7fffffff, 1000000};
    switch (c->op % 4) {
    case 0:
        return value + 1 + fuzz_choose(c->in, 4);
    case 1:
        return value - 1 - fuzz_choose(c->in, 4);
    case 2:
        return numbers[fuzz_choose(c->in, sizeof(numbers) / sizeof(numbers[0]))];
    default:
        return value ^ (uint64_t)1 << fuzz_choose(c->in, 64);
    }
}

static void write_number(struct charle_buf *out, const struct charle_wire_field *field, uint64_t value)
{
    charle_wire_write_tag(out, field->number, field->wire_type);
    if (field->wire_type == 0)
        charle_wire_write_varint(out, value);
    else
        charle_buf_add(out, &value, field->wire_type == 1 ? 8 : 4); // little-endian machines only, as all of these are
}

static void write_bytes(struct change *c, struct charle_buf *out, const struct charle_wire_field *field)
{
    struct charle_buf changed = {0};
    size_t size = field->bytes.len, at = size ? fuzz_choose(c->in, 256) * size / 256 : 0;
    charle_buf_add(&changed, field->bytes.ptr, size);
    if (c->op % 4 == 0 && size) {
        changed.data[at] ^= (uint8_t)(1u << fuzz_choose(c->in, 8));
    } else if (c->op % 4 == 1) {
        changed.size = at;
    } else if (c->op % 4 == 2) {
        charle_buf_add(&changed, field->bytes.ptr, size);
    } else {
        changed.size = at;
        struct charle_bytes foreign = fuzz_take(c->in, fuzz_choose(c->in, FOREIGN_MAX));
        charle_buf_add(&changed, foreign.ptr, foreign.len);
    }
    charle_wire_write_bytes(out, field->number, changed.data, changed.size);
    charle_buf_deinit(&changed);
}

static void write_field(struct charle_buf *out, const struct charle_wire_field *field)
{
    if (field->wire_type == 2)
        charle_wire_write_bytes(out, field->number, field->bytes.ptr, field->bytes.len);
    else
        write_number(out, field, field->value);
}

static void change_field(struct change *c, struct charle_buf *out, const struct charle_wire_field *field)
{
    struct charle_wire_field other = *field;
    switch (c->op / 4) {
    case 0: // it is missing
        break;
    case 1: // it comes twice
        write_field(out, field);
        write_field(out, field);
        break;
    case 2: // it is another one
        other.number = 1 + fuzz_choose(c->in, 32);
        write_field(out, &other);
        break;
    case 3: // one more before it
        other = (struct charle_wire_field){.number = 1 + fuzz_choose(c->in, 32), .value = fuzz_choose(c->in, 256)};
        write_field(out, &other);
        write_field(out, field);
        break;
    default:
        if (field->wire_type == 2)
            write_bytes(c, out, field);
        else
            write_number(out, field, other_number(c, field->value));
        break;
    }
}

// False: the bytes are no message of this type, and nothing of them was taken over.
static bool rewrite(struct change *c, const struct charle_message *type, struct charle_bytes bytes, int depth, struct charle_buf *out)
{
    struct charle_wire_reader reader = {bytes.ptr, bytes.ptr + bytes.len};
    struct charle_wire_field field;
    enum charle_err rc;
    while ((rc = charle_wire_next(&reader, &field)) == CHARLE_OK) {
        const struct charle_field *known = type ? charle_message_field(type, field.number) : NULL;
        const struct charle_message *sub = known && known->type == CHARLE_TYPE_MESSAGE && field.wire_type == 2 && depth < DEPTH_MAX ? known->message : NULL;
        struct charle_buf inner = {0};
        bool is_target = c->at++ == c->target;
        if (is_target)
            change_field(c, out, &field);
        else if (sub && rewrite(c, sub, field.bytes, depth + 1, &inner))
            charle_wire_write_buf(out, field.number, &inner);
        else
            write_field(out, &field);
        charle_buf_deinit(&inner);
    }
    return rc == CHARLE_DONE;
}

static unsigned count_fields(const struct charle_message *type, struct charle_bytes bytes)
{
    struct change none = {.target = UINT32_MAX};
    struct charle_buf out = {0};
    rewrite(&none, type, bytes, 0, &out);
    charle_buf_deinit(&out);
    return none.at;
}

void fuzz_change(struct fuzz_input *in, const struct charle_message *type, struct charle_buf *message)
{
    for (unsigned n = 1 + fuzz_choose(in, 4); n; n--) {
        struct charle_buf out = {0};
        unsigned count = count_fields(type, charle_buf_bytes(message)), target = fuzz_choose(in, 256);
        struct change change = {.in = in, .target = count > 256 ? target * count / 256 : target % (count + 1), .op = fuzz_choose(in, 32)};
        if (rewrite(&change, type, charle_buf_bytes(message), 0, &out)) {
            charle_buf_reset(message);
            charle_buf_add(message, out.data, out.size);
        }
        charle_buf_deinit(&out);
    }
}
