// A walk through the life of one laptop: the real client core on a real replica against a server of a few hundred lines, without PostgreSQL.
//
// What happens is said by bytes: each names something that a person, another writer, the network, the disk or the server does, and the next
// ones say how. So a seed can be walked, a fuzzer can look for a way that breaks something, and what it found is a file. In between and in
// the end everything heals, and the replica must be what the server has.
#ifndef CHARLE_TESTS_WALK_H
#define CHARLE_TESTS_WALK_H

#include <stddef.h>
#include <stdint.h>

struct walk_totals {
    int64_t walks, steps, calls, checks, deaths, restores, vanished;
};

// Walks, and fails the test where a promise is broken. Adds to totals.
void walk_run(const uint8_t *bytes, size_t size, struct walk_totals *totals);

#endif
