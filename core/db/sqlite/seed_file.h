// Makes the SQLite file that a replica can take as its own (docs/decisions/0017-seed-files.md): the application's tables as replicas have
// them, with rows and secondary indexes, in pages of a replica's size with room for the seals of an encrypted one.
//
// The file is made by one writer from beginning to end and is worth nothing before finish: a crash leaves something to be deleted. Nothing of it
// is synced here. Memory is bounded by CH_SEED_CACHE_KIB, the file by size_max. One thread at a time.
#ifndef CHARLE_DB_SQLITE_SEED_FILE_H
#define CHARLE_DB_SQLITE_SEED_FILE_H

#include "base/err.h"
#include "db/row.h"

struct ch_seed_writer;

// Makes the file, which must not exist, with the tables of the schema that are replicated. The schema must outlive the writer. Errors: IO, DISK_FULL, NO_MEMORY.
CHARLE_MUST_CHECK enum charle_err ch_seed_writer_open(const char *path, const struct charle_schema *schema, int64_t size_max,
                                                      struct ch_seed_writer **out, struct charle_error *err);
// The rows that follow are of this table and hold at most these columns.
CHARLE_MUST_CHECK enum charle_err ch_seed_writer_begin(struct ch_seed_writer *writer, const struct charle_table *table,
                                                       const struct charle_column_set *columns, struct charle_error *err);
// Puts a row's canonical bytes; quickest in the order of keys. DISK_FULL: the file would be larger than size_max.
CHARLE_MUST_CHECK enum charle_err ch_seed_writer_put(struct ch_seed_writer *writer, struct charle_bytes row, struct charle_error *err);
// Makes the secondary indexes and closes the file.
CHARLE_MUST_CHECK enum charle_err ch_seed_writer_finish(struct ch_seed_writer *writer, struct charle_error *err);
void ch_seed_writer_free(struct ch_seed_writer *writer); // NULL is fine; does not delete the file

#endif
