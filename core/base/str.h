// Strings and bytes by value.
//
// Every string in this code base is a pointer and a length. The bytes belong to someone else (an arena, a
// buffer, a statement's row): the function that hands one out says how long it stays valid. NUL-termination
// exists only at the edges, where libpq, SQLite or libc want it.
#ifndef CHARLE_BASE_STR_H
#define CHARLE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct charle_str {
    const char *ptr; // may be NULL when len is 0
    size_t len;      // bytes
};

struct charle_bytes {
    const uint8_t *ptr; // may be NULL when len is 0
    size_t len;         // bytes
};

// A string literal as a value, also in static initializers: CHARLE_STR("task").
#define CHARLE_STR(literal) ((struct charle_str){"" literal, sizeof(literal) - 1})
#define CHARLE_STR_INIT(literal) {"" literal, sizeof(literal) - 1}

// For printf: printf("%.*s", CHARLE_FMT(name)).
#define CHARLE_FMT(str) (int)(str).len, ((str).ptr ? (str).ptr : "")

static inline struct charle_str charle_str(const char *text)
{
    return (struct charle_str){text, text ? strlen(text) : 0};
}

static inline struct charle_str charle_str_n(const char *ptr, size_t len)
{
    return (struct charle_str){ptr, len};
}

static inline bool charle_str_equal(struct charle_str a, struct charle_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

// Byte order, which is also the order of text columns in both databases.
static inline int charle_str_compare(struct charle_str a, struct charle_str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static inline bool charle_str_has_prefix(struct charle_str s, struct charle_str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline struct charle_bytes charle_bytes(const void *ptr, size_t len)
{
    return (struct charle_bytes){ptr, len};
}

#endif
