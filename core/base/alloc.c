#include "base/alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Fault injection is global because the heap is. All atomics are relaxed: tests that use them are single-threaded,
// and in production they only ever hold zero.
static atomic_long fail_at;
static atomic_int fail_sticky;
static atomic_long counted;

static int must_fail(void)
{
    long at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (at == 0)
        return 0;
    long now = atomic_fetch_add_explicit(&counted, 1, memory_order_relaxed) + 1;
    return atomic_load_explicit(&fail_sticky, memory_order_relaxed) ? now >= at : now == at;
}

void *ch_alloc(size_t size)
{
    return must_fail() ? NULL : malloc(size ? size : 1);
}

void *ch_alloc_zeroed(size_t count, size_t item_size)
{
    return must_fail() ? NULL : calloc(count ? count : 1, item_size ? item_size : 1);
}

void *ch_realloc(void *ptr, size_t size)
{
    return must_fail() ? NULL : realloc(ptr, size ? size : 1);
}

void *ch_realloc_array(void *ptr, size_t count, size_t item_size)
{
    size_t size = 0;
    if (__builtin_mul_overflow(count, item_size, &size))
        return NULL;
    return ch_realloc(ptr, size);
}

char *ch_strdup_n(const char *ptr, size_t len)
{
    char *copy = len < SIZE_MAX ? ch_alloc(len + 1) : NULL;
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, ptr, len);
    copy[len] = '\0';
    return copy;
}

void ch_free(void *ptr)
{
    free(ptr);
}

void ch_alloc_fail_at(long n, int sticky)
{
    atomic_store(&counted, 0);
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_at, n);
}

long ch_alloc_count(void)
{
    return atomic_load(&counted);
}
