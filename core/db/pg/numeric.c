// PostgreSQL's binary numeric: int16 count of digits, int16 weight of the first digit, uint16 sign, uint16 display
// scale, then digits to the base 10000, each an int16; all big-endian. value = sum of digit[i] * 10000^(weight - i).
#include "db/pg/internal.h"

#include <stdio.h>

enum {
    HEADER_SIZE = 8,
    DIGIT_LEN = 4, // decimal digits in one of base 10000
    SIGN_NEGATIVE = 0x4000,
    SIGN_NAN = 0xC000,
    SIGN_INFINITY = 0xD000,
    SIGN_MINUS_INFINITY = 0xF000,
    WEIGHT_MAX = 0x7fff / 4,
};

size_t ch_pg_numeric_size(struct ch_pg_datum datum)
{
    if (datum.len < HEADER_SIZE)
        return 0;
    size_t count = ch_pg_read16(datum.ptr);
    int weight = (int16_t)ch_pg_read16(datum.ptr + 2);
    if (datum.len != HEADER_SIZE + count * 2)
        return 0;
    size_t whole = weight >= 0 ? (size_t)weight + 1 : 1;
    size_t gap = weight < 0 ? (size_t)-weight : 0; // groups of zeros behind the point
    return (whole + gap + count) * DIGIT_LEN + 16;
}

static char *put_group(char *to, unsigned digit)
{
    for (unsigned unit = 1000; unit; unit /= 10)
        *to++ = (char)('0' + digit / unit % 10);
    return to;
}

static unsigned group(const uint8_t *digits, int count, int index)
{
    return index >= 0 && index < count ? ch_pg_read16(digits + (size_t)index * 2) : 0;
}

size_t ch_pg_numeric_text(struct ch_pg_datum datum, char *out)
{
    int count = ch_pg_read16(datum.ptr), weight = (int16_t)ch_pg_read16(datum.ptr + 2);
    unsigned sign = ch_pg_read16(datum.ptr + 4);
    const uint8_t *digits = datum.ptr + HEADER_SIZE;
    const char *special = sign == SIGN_NAN              ? "NaN"
                          : sign == SIGN_INFINITY       ? "Infinity"
                          : sign == SIGN_MINUS_INFINITY ? "-Infinity"
                                                        : NULL;
    if (special || count == 0) {
        const char *text = special ? special : "0";
        memcpy(out, text, strlen(text));
        return strlen(text);
    }
    char *p = out;
    if (sign == SIGN_NEGATIVE)
        *p++ = '-';
    char *first = p;
    for (int i = 0; i <= weight; i++)
        p = put_group(p, group(digits, count, i));
    char *significant = first; // zeros in front of the first group
    while (significant < p - 1 && *significant == '0')
        significant++;
    memmove(first, significant, (size_t)(p - significant));
    p -= significant - first;
    if (weight < 0)
        *p++ = '0';
    char *point = p;
    *p++ = '.';
    for (int i = weight + 1; i < count; i++)
        p = put_group(p, group(digits, count, i));
    while (p > point + 1 && p[-1] == '0')
        p--;
    if (p == point + 1)
        p = point; // nothing behind the point
    return (size_t)(p - out);
}

static bool add_special(struct charle_buf *buf, unsigned sign)
{
    ch_pg_add16(buf, 0);
    ch_pg_add16(buf, 0);
    ch_pg_add16(buf, (uint16_t)sign);
    ch_pg_add16(buf, 0);
    return true;
}

// The decimal digit at a place, where place 0 is the last one before the point.
static unsigned digit_at(struct charle_str digits, size_t point, long place)
{
    long index = (long)point - 1 - place;
    if (place < 0)
        index = (long)point - place; // behind the point itself
    return index >= 0 && index < (long)digits.len ? (unsigned)(digits.ptr[index] - '0') : 0;
}

bool ch_pg_numeric_add(struct charle_buf *buf, struct charle_str text)
{
    if (charle_str_equal(text, CHARLE_STR("NaN")))
        return add_special(buf, SIGN_NAN);
    if (charle_str_equal(text, CHARLE_STR("Infinity")))
        return add_special(buf, SIGN_INFINITY);
    if (charle_str_equal(text, CHARLE_STR("-Infinity")))
        return add_special(buf, SIGN_MINUS_INFINITY);
    bool negative = text.len && text.ptr[0] == '-';
    struct charle_str digits = charle_str_n(text.ptr + negative, text.len - negative);
    size_t point = digits.len;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] == '.' && point == digits.len)
            point = i;
        else if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
    }
    size_t scale = point < digits.len ? digits.len - point - 1 : 0;
    long whole_groups = (long)(point + DIGIT_LEN - 1) / DIGIT_LEN,
         part_groups = (long)(scale + DIGIT_LEN - 1) / DIGIT_LEN;
    if (digits.len == 0 || whole_groups + part_groups > WEIGHT_MAX)
        return false;
    ch_pg_add16(buf, (uint16_t)(whole_groups + part_groups));
    ch_pg_add16(buf, (uint16_t)(whole_groups - 1));
    ch_pg_add16(buf, negative ? SIGN_NEGATIVE : 0);
    ch_pg_add16(buf, (uint16_t)scale);
    for (long g = whole_groups - 1; g >= -part_groups; g--) {
        unsigned value = 0;
        for (long place = g * DIGIT_LEN + DIGIT_LEN - 1; place >= g * DIGIT_LEN; place--)
            value = value * 10 + digit_at(digits, point, place);
        ch_pg_add16(buf, (uint16_t)value);
    }
    return true;
}
