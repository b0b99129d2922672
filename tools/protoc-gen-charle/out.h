// The kinds of output. Each function writes one file, or a part of one, from the model alone.
#ifndef CHARLE_GEN_OUT_H
#define CHARLE_GEN_OUT_H

#include "gen.h"

// Whole files.
void ch_out_header(struct ch_gen *gen, const struct ch_model_file *file);   // a/b.charle.h
void ch_out_source(struct ch_gen *gen, const struct ch_model_file *file);   // a/b.charle.c
void ch_out_columns(struct ch_gen *gen, const struct ch_model_file *file);  // a/b.columns.charle.h
void ch_out_stubs(struct ch_gen *gen, const struct ch_model_file *file);    // a/b.client.charle.h, a/b.channel.charle.h
void ch_out_handlers(struct ch_gen *gen, const struct ch_model_file *file); // a/b.handlers.charle.{h,c}
void ch_out_schema(struct ch_gen *gen); // <name>.schema.charle.{h,c}, <name>.tables.charle.c

// Parts.
void ch_out_head(struct charle_buf *out, const char *source); // the first lines of every file
void ch_out_source_head(struct charle_buf *out, const char *source); // of .c files
void ch_out_guard_open(struct ch_gen *gen, struct charle_buf *out, const char *name);
void ch_out_guard_close(struct charle_buf *out);
void ch_out_message_types(struct charle_buf *out, const struct ch_model *model, const struct ch_model_file *file);
void ch_out_message_data(struct charle_buf *out, const struct ch_model *model, const struct ch_model_file *file);
void ch_out_table_data(struct ch_gen *gen, struct charle_buf *out, const struct ch_model_table *table);
void ch_out_method_types(struct charle_buf *out, const struct ch_model *model, const struct ch_model_file *file);
void ch_out_method_data(struct ch_gen *gen, struct charle_buf *out, const struct ch_model_file *file);
const char *ch_out_service_symbol(struct charle_arena *run, const struct ch_model_service *service);
const char *ch_c_type(enum charle_type type);        // "struct charle_str"
const char *ch_type_suffix(enum charle_type type);   // "text", of charle_opt_ and charle_col_
const char *ch_type_constant(enum charle_type type); // "TIMESTAMPTZ"

// The SQL of a table, appended as plain text.
void ch_ddl_pg_create(struct charle_buf *out, const struct ch_model_table *table);
void ch_ddl_pg_foreign_keys(struct charle_buf *out, const struct ch_model_table *table);
void ch_ddl_pg_indexes(struct charle_buf *out, const struct ch_model_table *table);
void ch_ddl_pg_extra(struct charle_buf *out, const struct ch_model *model);
void ch_ddl_sqlite_create(struct charle_buf *out, const struct ch_model_table *table);
void ch_ddl_sqlite_indexes(struct charle_buf *out, const struct ch_model_table *table);
void ch_ddl_sqlite_extra(struct charle_buf *out, const struct ch_model *model);
void ch_ddl_replica_create(struct charle_buf *out, const struct ch_model_table *table);
void ch_ddl_replica_indexes(struct charle_buf *out, const struct ch_model_table *table);

#endif
