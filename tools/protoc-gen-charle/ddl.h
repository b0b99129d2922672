// What the three writers of DDL share.
#ifndef CHARLE_GEN_DDL_H
#define CHARLE_GEN_DDL_H

#include "out.h"

// "a", "b", "c"
void ch_ddl_columns(struct charle_buf *out, const struct ch_model_column *const *columns, size_t count);
void ch_ddl_key(struct charle_buf *out, const struct ch_model_table *table); // the primary key's columns
// 'a', 'b', 'c'
void ch_ddl_enum_names(struct charle_buf *out, const struct ch_model_enum *enumeration);
const char *ch_ddl_action(enum charle_action action); // "cascade"
// Whether SQLite keeps the table by rowid: its key is one whole number. All others are WITHOUT ROWID.
bool ch_ddl_has_rowid(const struct ch_model_table *table);
// What ends a table's definition. It is STRICT, so that a value of the wrong type is an error, but where numbers are doubles: NaN is no
// number to SQLite, so it is kept as text.
void ch_ddl_sqlite_end(struct charle_buf *out, const struct ch_model_table *table);
void ch_ddl_sqlite_type(struct charle_buf *out, const struct ch_model_column *column);
// One index for SQLite; nothing when it cannot stand there. `is_unique` overrides what the index says.
void ch_ddl_sqlite_index(struct charle_buf *out, const struct ch_model_table *table, const struct ch_model_index *index,
                         bool is_unique);

#endif
