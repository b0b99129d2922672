// The limit of a first copy: libpq binary COPY piped into prepared SQLite inserts by a reader and a writer thread, with nothing of ours between.
#ifndef CHARLE_BENCH_LIMIT_H
#define CHARLE_BENCH_LIMIT_H

#include "db/schema.h"

// Copies the whole table from the database into a fresh SQLite file with the replica's columns, key and indexes (built at the end),
// in key order, in one transaction, synchronous NORMAL. Returns rows a second; out_rows takes how many they were.
double bench_limit_copy(const char *database_url, const struct charle_table *table, const char *file, int64_t *out_rows);

#endif
