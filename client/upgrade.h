// A program of another version of the schema opens a replica: the tables are changed in place, and rows stay.
//
// charle_layout keeps what the tables in the file were made from: of each table its name, key and indexes, of each audience its rule, of each
// column its name, its kind and who shows it, all by their numbers. From that and the new schema follow ALTER TABLE statements: tables
// and columns that go are dropped, renamed ones renamed, new ones added with their default or the type's zero. What is in the file and means
// the same stays as it is. What the file does not have is written into charle_fill and fetched later, beside the replica in use (fill.h).
//
//   charle_fill(tab, number, is_new)   a column whose values have to be fetched; is_new: the file had none at all. number 0: rows of the
//                                      table may be missing, too (a new table, a new audience)
//
// Waiting calls: their effects are taken off by the kept images, as far as these go, and they are run again by the new program
// (ch_upgrade_rebase), before anybody reads.
//
// What cannot be done this way makes the tables anew, as ever: a file of a release that kept no layout, a replica that was not complete, another
// primary key, another rule of an audience, an audience that shows less.
#ifndef CHARLE_CLIENT_UPGRADE_H
#define CHARLE_CLIENT_UPGRADE_H

#include "client/replica.h"

// Changes the tables of another schema into those of this one; inside a transaction, before the tables are opened. *out_done false: it cannot be
// done this way, and everything has to be made anew.
CHARLE_MUST_CHECK enum charle_err ch_upgrade_tables(struct ch_replica *replica, bool *out_done, struct charle_error *err);
// Makes or changes the local tables alone, and describes all; inside a transaction. SCHEMA_MISMATCH when that would lose rows.
CHARLE_MUST_CHECK enum charle_err ch_upgrade_local(struct ch_replica *replica, struct charle_error *err);
int64_t ch_upgrade_local_hash(const struct charle_schema *schema); // 0: there are none
// Remembers what the tables are made from; inside a transaction.
CHARLE_MUST_CHECK enum charle_err ch_upgrade_describe(struct ch_replica *replica, struct charle_error *err);
// What is left to do once the replica is open: waiting calls run again on the changed tables. Nothing when nothing was changed.
CHARLE_MUST_CHECK enum charle_err ch_upgrade_rebase(struct ch_replica *replica, struct charle_error *err);

#endif
