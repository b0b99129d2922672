// The one door to the heap, so that a test can let the n-th allocation fail.
#ifndef CHARLE_BASE_ALLOC_H
#define CHARLE_BASE_ALLOC_H

#include <stddef.h>

// As malloc, calloc, realloc and free. NULL on failure; sizes are checked for overflow. Thread-safe.
void *ch_alloc(size_t size);
void *ch_alloc_zeroed(size_t count, size_t item_size);
void *ch_realloc(void *ptr, size_t size);
void *ch_realloc_array(void *ptr, size_t count, size_t item_size);
char *ch_strdup_n(const char *ptr, size_t len); // NUL-terminated copy
void ch_free(void *ptr);                        // NULL is fine

// Tests: fail the n-th allocation from now on (1 is the next); with `sticky` all after it fail too. 0 turns it off.
void ch_alloc_fail_at(long n, int sticky);
long ch_alloc_count(void); // allocations since the last ch_alloc_fail_at

#endif
