#include "base/arena.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <stdarg.h>
#include <stdio.h>

struct ch_arena_block {
    struct ch_arena_block *older;
    size_t size; // bytes after this header
    _Alignas(max_align_t) char data[];
};

enum { FIRST_BLOCK_SIZE = 4096, ALIGNMENT = _Alignof(max_align_t) };

void charle_arena_init(struct charle_arena *arena, size_t size_max)
{
    *arena = (struct charle_arena){.size_max = size_max};
}

void charle_arena_reset(struct charle_arena *arena)
{
    struct ch_arena_block *keep = NULL;
    arena->failed = CHARLE_OK;
    // The newest block is the largest one, so a steady workload ends up with a single block. One that was made for a single large thing is not kept:
    // the next such thing would not fit into what else is in it, and both together not into the limit.
    for (struct ch_arena_block *block = arena->block, *older; block; block = older) {
        older = block->older;
        if (!keep && block->size <= CH_ARENA_BLOCK_SIZE_MAX)
            keep = block;
        else
            ch_free(block);
    }
    if (!keep) {
        *arena = (struct charle_arena){.size_max = arena->size_max};
        return;
    }
    keep->older = NULL;
    arena->block = keep;
    arena->next = keep->data;
    arena->end = keep->data + keep->size;
    arena->held_size = keep->size;
}

void charle_arena_deinit(struct charle_arena *arena)
{
    if (!arena)
        return;
    for (struct ch_arena_block *block = arena->block, *older; block; block = older) {
        older = block->older;
        ch_free(block);
    }
    *arena = (struct charle_arena){.size_max = arena->size_max};
}

static bool add_block(struct charle_arena *arena, size_t size)
{
    size_t limit = arena->size_max ? arena->size_max : CH_ARENA_SIZE_MAX;
    size_t wanted = arena->block ? arena->block->size * 2 : FIRST_BLOCK_SIZE;
    if (wanted > CH_ARENA_BLOCK_SIZE_MAX)
        wanted = CH_ARENA_BLOCK_SIZE_MAX;
    if (wanted < size)
        wanted = size;
    if (arena->held_size > limit || size > limit - arena->held_size) {
        arena->failed = CHARLE_TOO_LARGE;
        return false;
    }
    if (wanted > limit - arena->held_size)
        wanted = limit - arena->held_size;
    struct ch_arena_block *block = ch_alloc(sizeof(*block) + wanted);
    if (!block) {
        arena->failed = CHARLE_NO_MEMORY;
        return false;
    }
    block->older = arena->block;
    block->size = wanted;
    arena->block = block;
    arena->next = block->data;
    arena->end = block->data + wanted;
    arena->held_size += wanted;
    return true;
}

static void *take(struct charle_arena *arena, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT) {
        arena->failed = CHARLE_TOO_LARGE;
        return NULL;
    }
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (rounded == 0)
        rounded = ALIGNMENT;
    if (rounded > (size_t)(arena->end - arena->next) && !add_block(arena, rounded))
        return NULL;
    void *ptr = arena->next;
    arena->next += rounded;
    return ptr;
}

void *charle_arena_alloc(struct charle_arena *arena, size_t size)
{
    void *ptr = take(arena, size);
    return ptr ? memset(ptr, 0, size) : NULL;
}

void *charle_arena_array(struct charle_arena *arena, size_t count, size_t item_size)
{
    size_t size = 0;
    if (__builtin_mul_overflow(count, item_size, &size))
        size = SIZE_MAX;
    return charle_arena_alloc(arena, size);
}

struct charle_str charle_arena_str(struct charle_arena *arena, struct charle_str text)
{
    char *copy = take(arena, text.len < SIZE_MAX ? text.len + 1 : SIZE_MAX);
    if (!copy)
        return (struct charle_str){0};
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return charle_str_n(copy, text.len);
}

struct charle_bytes charle_arena_bytes(struct charle_arena *arena, struct charle_bytes bytes)
{
    struct charle_str copy = charle_arena_str(arena, charle_str_n((const char *)bytes.ptr, bytes.len));
    return charle_bytes(copy.ptr, copy.len);
}

struct charle_str charle_arena_printf(struct charle_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : take(arena, (size_t)len + 1);
    if (!text)
        return (struct charle_str){0};
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return charle_str_n(text, (size_t)len);
}

enum charle_err charle_arena_check(const struct charle_arena *arena, const char *what, struct charle_error *err)
{
    if (!arena->failed)
        return CHARLE_OK;
    return charle_fail(err, arena->failed, "no memory for %s: %s", what, charle_err_text(arena->failed));
}
