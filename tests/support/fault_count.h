// Which of the calls that a test lets fail is meant: the n-th from now on, alone or with all behind it.
#ifndef CHARLE_TESTS_FAULT_COUNT_H
#define CHARLE_TESTS_FAULT_COUNT_H

#include <stdbool.h>

struct ch_fault_count {
    long at, count; // at 0: nothing fails, and nothing is counted
    bool is_sticky;
};

static inline struct ch_fault_count ch_fault_count_from(long at, bool is_sticky)
{
    return (struct ch_fault_count){.at = at, .is_sticky = is_sticky};
}

// Counts a call. True: it is to fail.
static inline bool ch_fault_count_hits(struct ch_fault_count *fault)
{
    if (!fault->at)
        return false;
    fault->count++;
    return fault->count == fault->at || (fault->is_sticky && fault->count > fault->at);
}

#endif
