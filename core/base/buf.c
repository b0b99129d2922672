#include "base/buf.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <stdarg.h>
#include <stdio.h>

enum { FIRST_CAPACITY = 256 };

void charle_buf_init(struct charle_buf *buf, size_t size_max)
{
    *buf = (struct charle_buf){.size_max = size_max};
}

void charle_buf_reset(struct charle_buf *buf)
{
    buf->size = 0;
    buf->failed = CHARLE_OK;
}

void charle_buf_deinit(struct charle_buf *buf)
{
    if (!buf)
        return;
    ch_free(buf->data);
    *buf = (struct charle_buf){.size_max = buf->size_max};
}

static bool grow(struct charle_buf *buf, size_t size)
{
    size_t limit = buf->size_max ? buf->size_max : CH_BUF_SIZE_MAX;
    if (size > limit || buf->size > limit - size) {
        buf->failed = CHARLE_TOO_LARGE;
        return false;
    }
    size_t needed = buf->size + size;
    size_t capacity = buf->capacity ? buf->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        capacity *= 2; // cannot overflow: needed is at most the limit
    if (capacity > limit)
        capacity = limit; // what was allocated is what may be written
    uint8_t *data = ch_realloc(buf->data, capacity);
    if (!data) {
        buf->failed = CHARLE_NO_MEMORY;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

uint8_t *charle_buf_reserve(struct charle_buf *buf, size_t size)
{
    if (buf->failed)
        return NULL;
    if (size > buf->capacity - buf->size && !grow(buf, size))
        return NULL;
    return buf->data + buf->size;
}

void charle_buf_add(struct charle_buf *buf, const void *data, size_t size)
{
    uint8_t *to = size ? charle_buf_reserve(buf, size) : NULL;
    if (!to)
        return;
    memcpy(to, data, size);
    buf->size += size;
}

void charle_buf_add_byte(struct charle_buf *buf, uint8_t byte)
{
    charle_buf_add(buf, &byte, 1);
}

void charle_buf_add_str(struct charle_buf *buf, struct charle_str text)
{
    charle_buf_add(buf, text.ptr, text.len);
}

void charle_buf_add_text(struct charle_buf *buf, const char *text)
{
    charle_buf_add(buf, text, strlen(text));
}

void charle_buf_printf(struct charle_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *to = len < 0 ? NULL : charle_buf_reserve(buf, (size_t)len + 1);
    if (!to)
        return;
    va_start(args, format);
    vsnprintf((char *)to, (size_t)len + 1, format, args);
    va_end(args);
    buf->size += (size_t)len;
}

const char *charle_buf_text(struct charle_buf *buf)
{
    uint8_t *end = charle_buf_reserve(buf, 1);
    if (!end)
        return NULL;
    *end = '\0';
    return (const char *)buf->data;
}

struct charle_str charle_arena_buf(struct charle_arena *arena, const struct charle_buf *buf)
{
    if (!buf->failed)
        return charle_arena_str(arena, charle_buf_str(buf));
    if (!arena->failed)
        arena->failed = buf->failed;
    return (struct charle_str){0};
}
