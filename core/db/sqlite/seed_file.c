#include "db/sqlite/seed_file.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "db/sqlite/cipher.h"
#include "db/sqlite/sqlite_row.h"

#include <stdio.h>

struct ch_seed_writer {
    struct charle_db *db;
    const struct charle_schema *schema;
    struct ch_sqlite_writer rows; // of the present table
};

static enum charle_err run(struct ch_seed_writer *writer, const char *script, struct charle_error *err)
{
    sqlite3 *handle = ch_sqlite_handle(writer->db);
    int code = sqlite3_exec(handle, script, NULL, NULL, NULL);
    return code ? ch_sqlite_fail(handle, code, "making a seed file", err) : CHARLE_OK;
}

// The size of pages and the room at their ends can only be chosen before the first of them is written.
static enum charle_err make_file(const char *path, struct charle_error *err)
{
    sqlite3 *handle = NULL;
    char size[60];
    int reserve = CH_CIPHER_SEAL_SIZE;
    snprintf(size, sizeof(size), "pragma page_size = %d", CH_REPLICA_PAGE_SIZE);
    int code = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (!code)
        code = sqlite3_exec(handle, size, NULL, NULL, NULL);
    if (!code)
        code = sqlite3_file_control(handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
    if (!code)
        code = sqlite3_exec(handle, "pragma journal_mode = off; pragma synchronous = off; create table t(a); drop table t", NULL, NULL, NULL);
    enum charle_err rc = code ? ch_sqlite_fail(handle, code, "making a seed file", err) : CHARLE_OK;
    sqlite3_close(handle);
    return rc;
}

static enum charle_err make_tables(struct ch_seed_writer *writer, struct charle_error *err)
{
    enum charle_err rc = CHARLE_OK;
    for (size_t i = 0; !rc && i < writer->schema->table_count; i++) {
        if (writer->schema->tables[i]->is_replicated)
            rc = run(writer, writer->schema->tables[i]->replica_create, err);
    }
    return rc;
}

enum charle_err ch_seed_writer_open(const char *path, const struct charle_schema *schema, int64_t size_max, struct ch_seed_writer **out,
                                    struct charle_error *err)
{
    const struct ch_sqlite_options options = {.must_exist = true, .cache_size_kib = CH_SEED_CACHE_KIB};
    char pragmas[200];
    struct ch_seed_writer *writer = ch_alloc_zeroed(1, sizeof(*writer));
    if (!writer)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory to make a seed file");
    writer->schema = schema;
    snprintf(pragmas, sizeof(pragmas),
             "pragma journal_mode = off; pragma synchronous = off; pragma temp_store = file; pragma max_page_count = %lld; begin",
             (long long)(size_max / CH_REPLICA_PAGE_SIZE));
    enum charle_err rc = make_file(path, err);
    if (!rc)
        rc = ch_sqlite_open(path, &options, &writer->db, err);
    if (!rc)
        rc = run(writer, pragmas, err);
    if (!rc)
        rc = make_tables(writer, err);
    if (rc) {
        ch_seed_writer_free(writer);
        return rc;
    }
    *out = writer;
    return CHARLE_OK;
}

enum charle_err ch_seed_writer_begin(struct ch_seed_writer *writer, const struct charle_table *table, const struct charle_column_set *columns,
                                     struct charle_error *err)
{
    ch_sqlite_writer_close(&writer->rows);
    return ch_sqlite_writer_open(&writer->rows, writer->db, table, columns, err);
}

enum charle_err ch_seed_writer_put(struct ch_seed_writer *writer, struct charle_bytes row, struct charle_error *err)
{
    return ch_sqlite_writer_put(&writer->rows, row, err);
}

enum charle_err ch_seed_writer_finish(struct ch_seed_writer *writer, struct charle_error *err)
{
    ch_sqlite_writer_close(&writer->rows);
    enum charle_err rc = run(writer, "commit", err);
    for (size_t i = 0; !rc && i < writer->schema->table_count; i++) {
        const struct charle_table *table = writer->schema->tables[i];
        if (table->is_replicated && table->replica_indexes)
            rc = run(writer, table->replica_indexes, err);
    }
    // Replicas are in WAL mode, and so a replica that opens the file to make it its own changes nothing in it.
    return rc ? rc : run(writer, "pragma journal_mode = wal", err);
}

void ch_seed_writer_free(struct ch_seed_writer *writer)
{
    if (!writer)
        return;
    ch_sqlite_writer_close(&writer->rows);
    charle_db_close(writer->db);
    ch_free(writer);
}
