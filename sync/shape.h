// The shape of a schema: what a replica has to tell a server of another version so that it can be served.
//
// It names tables and columns by number, never by name, and says of each column how its values travel. It is small (about 6 bytes a
// column) and has one encoding, so its hash names it: whoever stores a shape under a hash checks the hash himself.
#ifndef CHARLE_SYNC_SHAPE_H
#define CHARLE_SYNC_SHAPE_H

#include "base/buf.h"
#include "charle/sync.charle.h"
#include "db/schema.h"

#define CH_SHAPE_SIZE_MAX (256 << 10) // 128 columns in each of 300 tables; more is not a schema

// Appends the encoded SchemaShape. NO_MEMORY.
CHARLE_MUST_CHECK enum charle_err ch_shape_write(const struct charle_schema *schema, struct charle_buf *out, struct charle_error *err);

// The first 8 bytes, little-endian, of BLAKE2b-128 over the encoded shape.
uint64_t ch_shape_hash(struct charle_bytes shape);

// Decodes and checks the shape that a peer sent: order, ranges, references. MALFORMED or INVALID_ARGUMENT with what is wrong. Everything
// is in the arena, texts too.
CHARLE_MUST_CHECK enum charle_err ch_shape_read(struct charle_bytes shape, struct charle_arena *arena, struct charle_schema_shape *out,
                                                struct charle_error *err);

// NULL when there is none.
const struct charle_table_shape *ch_shape_table(const struct charle_schema_shape *shape, uint32_t id);
const struct charle_column_shape *ch_shape_column(const struct charle_table_shape *table, uint32_t number);
const struct charle_audience_shape *ch_shape_audience(const struct charle_table_shape *table, struct charle_str name);
bool ch_shape_shows(const struct charle_audience_shape *audience, uint32_t number);

#endif
