// Memory by lifetime: an arena hands out memory that is freed all at once.
//
// Name an arena for its lifetime (conn, call, batch, result) and pass it as a parameter. An arena is born with the most
// it may ever hold; past that it returns NULL, which callers report as CHARLE_TOO_LARGE or CHARLE_NO_MEMORY. It
// also remembers its first failure: who copies many small texts may ask once, before the result counts
// (charle_arena_check). Not thread-safe. A zeroed struct is a valid, empty arena with the default limit.
#ifndef CHARLE_BASE_ARENA_H
#define CHARLE_BASE_ARENA_H

#include "base/err.h"
#include "base/str.h"

struct ch_arena_block;

struct charle_arena {
    struct ch_arena_block *block; // newest first
    char *next;                   // first free byte in the newest block
    char *end;
    size_t held_size;
    size_t size_max;        // 0: CH_ARENA_SIZE_MAX of base/limits.h
    enum charle_err failed; // why something could not be had since the last reset; CHARLE_OK: nothing
};

void charle_arena_init(struct charle_arena *arena, size_t size_max);
void charle_arena_reset(struct charle_arena *arena);  // empties it, keeps one block unless it is large, forgets a failure
void charle_arena_deinit(struct charle_arena *arena); // frees all; zeroed and NULL are fine

// Zeroed memory, aligned for any type, valid until reset or deinit. NULL when the limit or the heap is exhausted.
void *charle_arena_alloc(struct charle_arena *arena, size_t size);
void *charle_arena_array(struct charle_arena *arena, size_t count, size_t item_size);

// Copies. On failure the result has ptr NULL (and len 0); a copy of an empty string has a non-NULL ptr.
struct charle_str charle_arena_str(struct charle_arena *arena, struct charle_str text); // also NUL-terminated
struct charle_bytes charle_arena_bytes(struct charle_arena *arena, struct charle_bytes bytes);
struct charle_str charle_arena_printf(struct charle_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// CHARLE_OK when everything asked for since the last reset was had; else CHARLE_NO_MEMORY or CHARLE_TOO_LARGE and a
// sentence with what it was for: "the reply".
CHARLE_MUST_CHECK enum charle_err charle_arena_check(const struct charle_arena *arena, const char *what,
                                                     struct charle_error *err);

#define CHARLE_ARENA_NEW(arena, type) ((type *)charle_arena_alloc((arena), sizeof(type)))

#endif
