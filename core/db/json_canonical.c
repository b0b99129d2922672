#include "db/json_canonical.h"

#include "base/buf.h"
#include "msg/json_text.h"
#include "msg/wire.h"

#include <stdlib.h>

enum { NUMBER_LEN_MAX = 4000 }; // digits of a number after its exponent was expanded

struct writer {
    struct ch_json_scanner scanner;
    struct charle_arena *arena;
    struct charle_buf buf;
    bool no_memory;
};

struct member {
    struct charle_str key;
    size_t start, end; // of the value's canonical text in the scratch buffer
    size_t order;
};

static bool write_value(struct writer *w);

static void write_string(struct charle_buf *buf, struct charle_str text)
{
    static const char special[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    charle_buf_add_byte(buf, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        const char *at = c ? strchr(special, c) : NULL;
        if (at) {
            charle_buf_add_byte(buf, '\\');
            charle_buf_add_byte(buf, (uint8_t)letters[at - special]);
        } else if (c < 0x20) {
            charle_buf_printf(buf, "\\u%04x", c);
        } else {
            charle_buf_add_byte(buf, c);
        }
    }
    charle_buf_add_byte(buf, '"');
}

// A number's parts: value = digits * 10^-scale.
struct decimal {
    bool negative;
    char digits[NUMBER_LEN_MAX];
    long count, scale;
};

static bool read_decimal(struct charle_str text, struct decimal *out)
{
    size_t i = 0;
    *out = (struct decimal){0};
    out->negative = text.len && text.ptr[0] == '-';
    bool behind_point = false;
    for (i = out->negative; i < text.len && text.ptr[i] != 'e' && text.ptr[i] != 'E'; i++) {
        if (text.ptr[i] == '.') {
            behind_point = true;
            continue;
        }
        if (out->count >= NUMBER_LEN_MAX / 2)
            return false;
        out->digits[out->count++] = text.ptr[i];
        out->scale += behind_point;
    }
    long exponent = 0;
    if (i < text.len) {
        char number[16] = {0};
        if (text.len - i - 1 >= sizeof(number))
            return false;
        memcpy(number, text.ptr + i + 1, text.len - i - 1);
        exponent = strtol(number, NULL, 10);
    }
    if (labs(exponent) > NUMBER_LEN_MAX / 4)
        return false;
    out->scale -= exponent;
    for (; out->scale < 0; out->scale++) {
        if (out->count >= NUMBER_LEN_MAX)
            return false;
        out->digits[out->count++] = '0';
    }
    return true;
}

// As PostgreSQL's numeric prints: zeros behind the point stay, there is no exponent and no negative zero.
static bool write_number(struct charle_buf *buf, struct charle_str text)
{
    struct decimal number;
    if (!read_decimal(text, &number))
        return false;
    long whole = number.count - number.scale, first = 0;
    bool is_zero = true;
    for (long i = 0; i < number.count; i++)
        is_zero = is_zero && number.digits[i] == '0';
    if (number.negative && !is_zero)
        charle_buf_add_byte(buf, '-');
    while (first < whole - 1 && number.digits[first] == '0')
        first++;
    if (whole <= 0)
        charle_buf_add_byte(buf, '0');
    for (long i = first; i < whole; i++)
        charle_buf_add_byte(buf, (uint8_t)number.digits[i]);
    if (number.scale > 0)
        charle_buf_add_byte(buf, '.');
    for (long i = whole; i < number.count; i++)
        charle_buf_add_byte(buf, i < 0 ? '0' : (uint8_t)number.digits[i]);
    return true;
}

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->key.len != y->key.len)
        return x->key.len < y->key.len ? -1 : 1;
    int order = charle_str_compare(x->key, y->key);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static bool out_of_memory(struct writer *w)
{
    w->no_memory = true;
    return false;
}

// Reads the members of an object; their values' texts are left behind one another in w->buf from `base` on.
static bool read_members(struct writer *w, struct member **out_members, size_t *out_count)
{
    size_t count = 0, capacity = 8;
    struct member *members = charle_arena_array(w->arena, capacity, sizeof(*members));
    if (!members)
        return out_of_memory(w);
    if (!ch_json_take(&w->scanner, '}'))
        do {
            if (count == capacity) {
                struct member *more = charle_arena_array(w->arena, capacity * 2, sizeof(*members));
                if (!more)
                    return out_of_memory(w);
                memcpy(more, members, count * sizeof(*members));
                members = more;
                capacity *= 2;
            }
            struct member *m = &members[count];
            ch_json_peek(&w->scanner);
            if (!ch_json_string(&w->scanner, w->arena, &m->key) || !ch_json_take(&w->scanner, ':'))
                return false;
            m->start = w->buf.size;
            if (!write_value(w))
                return false;
            m->end = w->buf.size;
            m->order = count++;
            if (ch_json_take(&w->scanner, '}'))
                break;
            if (!ch_json_take(&w->scanner, ','))
                return false;
        } while (true);
    *out_members = members;
    *out_count = count;
    return true;
}

static struct charle_str written_since(const struct writer *w, size_t base)
{
    return w->buf.data ? charle_str_n((const char *)w->buf.data + base, w->buf.size - base) : CHARLE_STR("");
}

static bool write_object(struct writer *w)
{
    struct member *members = NULL;
    size_t base = w->buf.size, count = 0;
    if (!read_members(w, &members, &count))
        return false;
    struct charle_str values = charle_arena_str(w->arena, written_since(w, base));
    if (!values.ptr)
        return out_of_memory(w);
    w->buf.size = base;
    qsort(members, count, sizeof(*members), compare_members);
    bool first = true;
    charle_buf_add_byte(&w->buf, '{');
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && charle_str_equal(members[i].key, members[i + 1].key))
            continue; // the last one counts
        if (!first)
            charle_buf_add_text(&w->buf, ", ");
        first = false;
        write_string(&w->buf, members[i].key);
        charle_buf_add_text(&w->buf, ": ");
        charle_buf_add(&w->buf, values.ptr + (members[i].start - base), members[i].end - members[i].start);
    }
    charle_buf_add_byte(&w->buf, '}');
    return true;
}

static bool write_array(struct writer *w)
{
    charle_buf_add_byte(&w->buf, '[');
    if (!ch_json_take(&w->scanner, ']'))
        while (true) {
            if (!write_value(w))
                return false;
            if (ch_json_take(&w->scanner, ']'))
                break;
            if (!ch_json_take(&w->scanner, ','))
                return false;
            charle_buf_add_text(&w->buf, ", ");
        }
    charle_buf_add_byte(&w->buf, ']');
    return true;
}

static bool write_value(struct writer *w)
{
    static const struct charle_str words[] = {CHARLE_STR_INIT("null"), CHARLE_STR_INIT("true"),
                                              CHARLE_STR_INIT("false")};
    struct charle_str raw;
    char next = ch_json_peek(&w->scanner);
    if (next == '{' && ch_json_take(&w->scanner, '{'))
        return write_object(w);
    if (next == '[' && ch_json_take(&w->scanner, '['))
        return write_array(w);
    if (next == '"') {
        if (!ch_json_string(&w->scanner, w->arena, &raw))
            return false;
        write_string(&w->buf, raw);
        return true;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (next == words[i].ptr[0] && ch_json_take_word(&w->scanner, words[i])) {
            charle_buf_add_str(&w->buf, words[i]);
            return true;
        }
    return ch_json_number(&w->scanner, &raw) && write_number(&w->buf, raw);
}

enum charle_err ch_json_canonical(struct charle_str text, struct charle_arena *arena, struct charle_str *out,
                                  struct charle_error *err)
{
    // The scanner bounds nesting when it skips; so the value is skipped once before it is walked.
    struct writer w = {.scanner = ch_json_scanner(text), .arena = arena};
    enum charle_err rc = CHARLE_OK;
    if (!ch_json_is_valid(text)) {
        ch_json_peek(&w.scanner);
        if (ch_json_skip(&w.scanner, NULL))
            ch_json_peek(&w.scanner);
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "not valid JSON from byte %zu on: %.*s",
                           (size_t)(w.scanner.next - w.scanner.start) + 1, CHARLE_FMT(text));
    }
    if (!write_value(&w))
        rc = w.no_memory ? charle_fail(err, CHARLE_NO_MEMORY, "out of memory while reading JSON")
                         : charle_fail(err, CHARLE_INVALID_ARGUMENT, "a number in the JSON is too long");
    if (!rc && w.buf.failed)
        rc = charle_fail(err, w.buf.failed, "the JSON does not fit into memory");
    if (!rc)
        *out = charle_arena_str(arena, charle_buf_str(&w.buf));
    if (!rc && !out->ptr)
        rc = charle_fail(err, CHARLE_NO_MEMORY, "out of memory while reading JSON");
    charle_buf_deinit(&w.buf);
    return rc;
}
