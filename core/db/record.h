// C structs of rows, and the values in them: what generated services and the query builder bind from and fetch into.
#ifndef CHARLE_DB_RECORD_H
#define CHARLE_DB_RECORD_H

#include "db/db.h"
#include "db/row.h"

// A field of a message struct as a value to bind. Absent optional fields are NULL; an absent array is empty when
// `column` is NOT NULL. `field` may be of any of the table's messages (row, insert, patch, key). The value points into
// the message; the arena is used for arrays of enums only, whose items become names.
CHARLE_MUST_CHECK enum charle_err charle_record_value(const struct charle_column *column,
                                                      const struct charle_field *field, const void *message,
                                                      struct charle_arena *arena, struct charle_value *out,
                                                      struct charle_error *err);

// Puts a value into a field of a message struct; the other way round. Text is copied into the arena. A NULL leaves an
// optional field absent; INVALID_ARGUMENT when the field is required, or the types differ.
CHARLE_MUST_CHECK enum charle_err charle_record_store(const struct charle_field *field, void *message,
                                                      const struct charle_value *value, struct charle_arena *arena,
                                                      struct charle_error *err);

// Reads the present row of a result into a message struct of the table (row or patch), zeroed here first. The result's
// first columns must be those of the set, in the order of positions.
CHARLE_MUST_CHECK enum charle_err charle_record_read(struct charle_rows *rows, const struct charle_table *table,
                                                     const struct charle_column_set *columns,
                                                     const struct charle_message *message, struct charle_arena *arena,
                                                     void *out, struct charle_error *err);

// Names of the columns of a set, quoted and separated by commas, in the order of positions; `qualifier` ("r.", or "")
// stands before each.
void charle_table_write_columns(const struct charle_table *table, const struct charle_column_set *columns,
                                const char *qualifier, struct charle_buf *buf);
void charle_sql_write_name(struct charle_buf *buf, struct charle_str name); // "name", quotes doubled

#endif
