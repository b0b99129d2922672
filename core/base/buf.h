// A growing byte buffer with a limit and a memory of its first failure.
//
// Write freely and ask once at the end: after a failure every write is a no-op and `failed` says why. A buffer is born
// with the most it may hold, so no input can grow it without bound. A zeroed struct is a valid, empty buffer with the
// default limit. Not thread-safe.
#ifndef CHARLE_BASE_BUF_H
#define CHARLE_BASE_BUF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct charle_buf {
    uint8_t *data;
    size_t size;     // bytes written
    size_t capacity; // bytes allocated
    size_t size_max; // 0: CH_BUF_SIZE_MAX of base/limits.h
    enum charle_err failed;
};

void charle_buf_init(struct charle_buf *buf, size_t size_max);
void charle_buf_reset(struct charle_buf *buf); // empty, failure forgotten, memory kept
void charle_buf_deinit(struct charle_buf *buf);

// Makes room for `size` more bytes and returns where they go, or NULL after a failure. Does not move `size` on: the
// caller writes and then calls charle_buf_advance.
uint8_t *charle_buf_reserve(struct charle_buf *buf, size_t size);
static inline void charle_buf_advance(struct charle_buf *buf, size_t size)
{
    buf->size += size;
}

void charle_buf_add(struct charle_buf *buf, const void *data, size_t size);
void charle_buf_add_byte(struct charle_buf *buf, uint8_t byte);
void charle_buf_add_str(struct charle_buf *buf, struct charle_str text);
void charle_buf_add_text(struct charle_buf *buf, const char *text); // NUL-terminated
void charle_buf_printf(struct charle_buf *buf, const char *format, ...) CHARLE_PRINTF(2, 3);

// Puts a NUL behind the content (not counted in size) and returns it as a C string; NULL after a failure.
const char *charle_buf_text(struct charle_buf *buf);
static inline struct charle_str charle_buf_str(const struct charle_buf *buf)
{
    return charle_str_n((const char *)buf->data, buf->size);
}
static inline struct charle_bytes charle_buf_bytes(const struct charle_buf *buf)
{
    return charle_bytes(buf->data, buf->size);
}

// The content as a string of the arena. What made the buffer fail makes the arena fail, and the result has ptr NULL.
struct charle_str charle_arena_buf(struct charle_arena *arena, const struct charle_buf *buf);

#endif
