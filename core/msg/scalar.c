#include "msg/scalar.h"

#include "base/limits.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// --- numeric -----------------------------------------------------------------------------------------------

// The parts of a decimal as they stand in its text.
struct decimal {
    bool is_negative;
    struct charle_str whole;    // digits before the point, may be empty
    struct charle_str fraction; // digits behind it, may be empty
    int exponent;
};

static struct charle_str take_digits(const char **p, const char *end)
{
    const char *first = *p;
    while (*p < end && is_digit(**p))
        (*p)++;
    return charle_str_n(first, (size_t)(*p - first));
}

static bool take_exponent(const char **p, const char *end, int *out)
{
    *out = 0;
    if (*p >= end || (**p != 'e' && **p != 'E'))
        return true;
    (*p)++;
    bool is_negative = *p < end && **p == '-';
    if (*p < end && (**p == '-' || **p == '+'))
        (*p)++;
    struct charle_str digits = take_digits(p, end);
    if (!digits.len || digits.len > 5)
        return false;
    int value = 0;
    for (size_t i = 0; i < digits.len; i++)
        value = value * 10 + (digits.ptr[i] - '0');
    *out = is_negative ? -value : value;
    return value <= CH_NUMERIC_LEN_MAX;
}

static bool split(struct charle_str text, struct decimal *out)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    *out = (struct decimal){.is_negative = text.len && *p == '-'};
    if (text.len && (*p == '-' || *p == '+'))
        p++;
    out->whole = take_digits(&p, end);
    if (p < end && *p == '.') {
        p++;
        out->fraction = take_digits(&p, end);
    }
    return (out->whole.len || out->fraction.len) && take_exponent(&p, end, &out->exponent) && p == end;
}

// The digit `index` places behind the first digit of the whole part; zeros on both sides of what was written.
static char digit_at(const struct decimal *d, long index)
{
    if (index < 0)
        return '0';
    size_t i = (size_t)index;
    if (i < d->whole.len)
        return d->whole.ptr[i];
    i -= d->whole.len;
    return i < d->fraction.len ? d->fraction.ptr[i] : '0';
}

// PostgreSQL has these beside the numbers.
static bool is_special(struct charle_str text)
{
    return charle_str_equal(text, CHARLE_STR("NaN")) || charle_str_equal(text, CHARLE_STR("Infinity")) ||
           charle_str_equal(text, CHARLE_STR("-Infinity"));
}

bool charle_numeric_is_canonical(struct charle_str text)
{
    struct decimal d;
    if (is_special(text))
        return true;
    if (!text.len || text.len > CH_NUMERIC_LEN_MAX || text.ptr[0] == '+' || !split(text, &d))
        return false;
    bool has_point = memchr(text.ptr, '.', text.len) != NULL;
    size_t plain_len = (size_t)d.is_negative + d.whole.len + (has_point ? 1 + d.fraction.len : 0);
    if (plain_len != text.len || !d.whole.len || (d.whole.len > 1 && d.whole.ptr[0] == '0'))
        return false; // an exponent, no digit before the point, or a leading zero
    if (has_point && (!d.fraction.len || d.fraction.ptr[d.fraction.len - 1] == '0'))
        return false;
    return !(d.is_negative && d.whole.ptr[0] == '0' && !d.fraction.len); // "-0"
}

bool charle_numeric_read(struct charle_str text, struct charle_arena *arena, struct charle_numeric *out)
{
    if (charle_numeric_is_canonical(text)) {
        out->text = text;
        return true;
    }
    struct decimal d;
    if (!text.len || text.len > CH_NUMERIC_LEN_MAX || !split(text, &d))
        return false;
    // The value's digits lie at the places first … last - 1; the point stands before the place `point`.
    long point = (long)d.whole.len + d.exponent;
    long first = 0, last = (long)(d.whole.len + d.fraction.len);
    while (first < last && digit_at(&d, first) == '0')
        first++;
    while (last > first && digit_at(&d, last - 1) == '0')
        last--;
    if (first == last) {
        out->text = CHARLE_STR("0");
        return true;
    }
    if (first > point - 1)
        first = point - 1; // "0.05" has a zero before its point
    long whole_end = point, fraction_end = last > point ? last : point;
    size_t size = (size_t)(fraction_end - first) + 3;
    char *to = size > CH_NUMERIC_LEN_MAX ? NULL : charle_arena_alloc(arena, size);
    if (!to)
        return false;
    size_t len = 0;
    if (d.is_negative)
        to[len++] = '-';
    for (long i = first; i < whole_end; i++)
        to[len++] = digit_at(&d, i);
    if (fraction_end > whole_end)
        to[len++] = '.';
    for (long i = whole_end; i < fraction_end; i++)
        to[len++] = digit_at(&d, i);
    out->text = charle_str_n(to, len);
    return true;
}

int charle_numeric_compare(struct charle_numeric a, struct charle_numeric b)
{
    struct decimal x, y;
    if (!split(a.text, &x) || !split(b.text, &y))
        return charle_str_compare(a.text, b.text);
    if (x.is_negative != y.is_negative)
        return x.is_negative ? -1 : 1;
    // Canonical whole parts have no leading zeros, so the longer one is larger; fractions compare as text.
    int order = x.whole.len != y.whole.len ? (x.whole.len > y.whole.len) - (x.whole.len < y.whole.len)
                                           : charle_str_compare(x.whole, y.whole);
    if (!order)
        order = charle_str_compare(x.fraction, y.fraction);
    return x.is_negative ? -order : order;
}

// --- uuid --------------------------------------------------------------------------------------------------

void charle_uuid_write(struct charle_uuid uuid, char out[CHARLE_UUID_TEXT_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    char *to = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = hex[uuid.bytes[i] >> 4];
        *to++ = hex[uuid.bytes[i] & 15];
    }
    *to = '\0';
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool charle_uuid_read(struct charle_str text, struct charle_uuid *out)
{
    bool has_dashes = text.len == CHARLE_UUID_TEXT_LEN;
    if (!has_dashes && text.len != 32)
        return false;
    const char *p = text.ptr;
    struct charle_uuid uuid;
    for (int i = 0; i < 16; i++) {
        if (has_dashes && (i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-')
            return false;
        int high = hex_digit(p[0]), low = hex_digit(p[1]);
        if (high < 0 || low < 0)
            return false;
        uuid.bytes[i] = (uint8_t)(high << 4 | low);
        p += 2;
    }
    *out = uuid;
    return true;
}
