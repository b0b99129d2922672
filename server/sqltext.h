// SQL text as a program looks at it: what it says without how it is laid out.
#ifndef CHARLE_SERVER_SQLTEXT_H
#define CHARLE_SERVER_SQLTEXT_H

#include "base/str.h"

#define CH_SQL_CHECKSUM_SIZE 65 // 64 hex digits and a NUL

// BLAKE2b-256 of the text with comments left out and white space between words made one blank, so that a comment added
// to an old migration is not taken for a change of it. Quoted parts count as they stand.
void ch_sql_checksum(struct charle_str sql, char out[CH_SQL_CHECKSUM_SIZE]);

// The schema hash that a migration leads to, from its line "-- schema NAME 0123456789abcdef". False when there is none.
bool ch_sql_schema_hash(struct charle_str sql, uint64_t *out);

#endif
