#include "msg/wire.h"

// Bytes 2 to n of a sequence. 0: the sequence is not valid at `p`.
static size_t sequence_len(const uint8_t *p, size_t left)
{
    uint8_t lead = p[0];
    size_t len = lead >= 0xc2 && lead <= 0xdf ? 2 : (lead & 0xf0) == 0xe0 ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
    if (!len || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    // Overlong forms, UTF-16 surrogates and what lies past U+10FFFF show in the second byte.
    if ((lead == 0xe0 && p[1] < 0xa0) || (lead == 0xed && p[1] > 0x9f) || (lead == 0xf0 && p[1] < 0x90) ||
        (lead == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

bool charle_utf8_is_valid(struct charle_str text)
{
    const uint8_t *p = (const uint8_t *)text.ptr;
    size_t left = text.len;
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    while (left) {
        // Eight bytes at a time while they are plain ASCII: no high bit, and no zero byte (the classic bit trick).
        while (left >= 8) {
            uint64_t word;
            memcpy(&word, p, 8);
            if ((word & highs) || ((word - ones) & ~word & highs))
                break;
            p += 8;
            left -= 8;
        }
        if (!left)
            break;
        size_t len = *p == 0 ? 0 : *p < 0x80 ? 1 : sequence_len(p, left);
        if (!len)
            return false;
        p += len;
        left -= len;
    }
    return true;
}
