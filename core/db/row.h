// Rows as protobuf bytes, and the values in them, without a C struct between.
//
// The canonical bytes of a row: fields in ascending order of number; a NULL is absent; an array that is NULL and one
// that is empty are both absent; -0.0 is 0.0; numeric and jsonb in canonical text; NULL elements of arrays are left
// out, because a message cannot hold them. The same row gives the same bytes whichever database it was read from:
// replicas are verified by hashing them.
#ifndef CHARLE_DB_ROW_H
#define CHARLE_DB_ROW_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "db/schema.h"
#include "db/value.h"

static inline void charle_column_set_add(struct charle_column_set *set, size_t index)
{
    set->bits[index / 64] |= (uint64_t)1 << (index % 64);
}
static inline size_t charle_column_set_count(const struct charle_column_set *set)
{
    return (size_t)(__builtin_popcountll(set->bits[0]) + __builtin_popcountll(set->bits[1]));
}
// How many columns of the set come before this one: its place in a select list made of the set.
static inline size_t charle_column_set_rank(const struct charle_column_set *set, size_t index)
{
    uint64_t below = ((uint64_t)1 << (index % 64)) - 1;
    size_t before = index >= 64 ? (size_t)__builtin_popcountll(set->bits[0]) : 0;
    return before + (size_t)__builtin_popcountll(set->bits[index / 64] & below);
}
struct charle_column_set charle_table_all_columns(const struct charle_table *table);
struct charle_column_set charle_table_key_set(const struct charle_table *table);

// The column of a field of the row message; NULL when there is none.
const struct charle_column *ch_row_column(const struct charle_table *table, const struct charle_field *field);

// A value as it lies in the bytes. `has` is false for what is absent.
struct ch_row_cell {
    bool has;
    uint64_t bits;             // varints, fixed32, fixed64
    struct charle_bytes bytes; // length-delimited; of arrays the last piece: use ch_row_array
};
// Finds the cells of a row, by the columns' positions. Unknown fields are skipped. Cells point into `row`.
CHARLE_MUST_CHECK enum charle_err ch_row_scan(const struct charle_table *table, struct charle_bytes row,
                                              struct ch_row_cell cells[CH_COLUMNS_MAX], struct charle_error *err);
// A whole number of a cell: BOOL, INT4, INT8, ENUM, TIMESTAMPTZ, DATE.
int64_t ch_row_cell_int(const struct charle_column *column, const struct ch_row_cell *cell);
double ch_row_cell_float(const struct charle_column *column, const struct ch_row_cell *cell);
// An array column's items, in the column's C type, from the arena; text and bytes point into `row`.
CHARLE_MUST_CHECK enum charle_err ch_row_array(const struct charle_column *column, struct charle_bytes row,
                                               struct charle_arena *arena, struct charle_array *out,
                                               struct charle_error *err);

// The values of a row or a key in bytes, one for each column of the set in the order of positions; absent ones are
// NULL, except absent arrays of NOT NULL columns, which are empty. `out` has room for the set's count.
CHARLE_MUST_CHECK enum charle_err charle_row_values(const struct charle_table *table,
                                                    const struct charle_column_set *columns, struct charle_bytes row,
                                                    struct charle_arena *arena, struct charle_value *out,
                                                    struct charle_error *err);

// Writers of one field each; what cannot be written is remembered in the buffer.
void ch_row_add_int(struct charle_buf *buf, const struct charle_field *field, int64_t value);
void ch_row_add_float(struct charle_buf *buf, const struct charle_field *field, double value);
void ch_row_add_bytes(struct charle_buf *buf, const struct charle_field *field, const void *data, size_t size);
void ch_row_add_uuid(struct charle_buf *buf, const struct charle_field *field, const uint8_t bytes[16]);
void ch_row_add_array(struct charle_buf *buf, const struct charle_field *field, const struct charle_array *array);

// A value as the text that a replica keeps: its name, or "#7" when only a newer schema has it; ch_row_enum_number reads both. And arrays.
CHARLE_MUST_CHECK enum charle_err ch_row_enum_text(const struct charle_field *field, int32_t number,
                                                   struct charle_arena *arena, struct charle_str *out,
                                                   struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_row_enum_texts(const struct charle_field *field,
                                                    const struct charle_array *numbers, struct charle_arena *arena,
                                                    struct charle_array *out, struct charle_error *err);

// The number of an enum's name: SCHEMA_MISMATCH with the field and the name when it is unknown. And arrays of them:
// numbers are int32_t, names struct charle_str; the results are from the arena.
CHARLE_MUST_CHECK enum charle_err ch_row_enum_number(const struct charle_field *field, struct charle_str name,
                                                     int32_t *out_number, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_row_enum_name(const struct charle_field *field, int32_t number,
                                                   struct charle_str *out_name, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_row_enum_names(const struct charle_field *field,
                                                    const struct charle_array *numbers, struct charle_arena *arena,
                                                    struct charle_array *out, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_row_enum_numbers(const struct charle_field *field,
                                                      const struct charle_array *names, struct charle_arena *arena,
                                                      struct charle_array *out, struct charle_error *err);

#endif
