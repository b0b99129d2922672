#include "history/run/crew.h"

size_t crew_read_items(const char *text, size_t size, uint64_t *out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < size && count < max; i++) {
        uint64_t value = 0;
        for (; i < size && text[i] >= '0' && text[i] <= '9'; i++)
            value = value * 10 + (uint64_t)(text[i] - '0');
        out[count++] = value;
    }
    return count;
}
