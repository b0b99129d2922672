#include "db/number.h"

#include <stdio.h>

const char *charle_number_label(const char *prefix, int64_t number, char out[CHARLE_NUMBER_LABEL_SIZE])
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz"; // Crockford's base 32
    enum { DIGITS = 5, BITS = 5 };
    int used = snprintf(out, CHARLE_NUMBER_LABEL_SIZE, "%.*s", CHARLE_LABEL_PREFIX_MAX, prefix ? prefix : "");
    if (number >= 0) {
        snprintf(out + used, CHARLE_NUMBER_LABEL_SIZE - (size_t)used, "%lld", (long long)number);
        return out;
    }
    uint64_t left = -(uint64_t)number;
    out[used++] = '?';
    for (int i = DIGITS - 1; i >= 0; i--, left >>= BITS)
        out[used + i] = digits[left & 31];
    out[used + DIGITS] = '\0';
    return out;
}
