#include "bench/sync/limit.h"

#include "bench/common/bench.h"

#include <endian.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SQL_SIZE = 8192, PG_EPOCH_DAYS = 10957, BLOCK_TUPLES = 256, BLOCKS = 8 };
#define PG_EPOCH_US ((int64_t)PG_EPOCH_DAYS * 86400 * 1000000)

static void run_sql(sqlite3 *db, const char *sql)
{
    char *text = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
        bench_die("sqlite: %s in %.80s", text, sql);
}

static void column_list(const struct charle_table *table, char *out, int *out_count)
{
    int count = 0;
    size_t used = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        if (!charle_column_set_has(table->replica_columns, i))
            continue;
        used += (size_t)snprintf(out + used, SQL_SIZE - used, "%s\"%s\"", count++ ? ", " : "", table->columns[i].name.ptr);
    }
    *out_count = count;
}

static uint32_t be32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return be32toh(v);
}

static uint64_t be64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return be64toh(v);
}

// Only the types that the benchmark's table has.
static void bind_field(sqlite3_stmt *stmt, int index, const struct charle_column *column, const char *data, int32_t size)
{
    if (size < 0) {
        sqlite3_bind_null(stmt, index);
        return;
    }
    switch (column->field->type) {
    case CHARLE_TYPE_INT4:
        sqlite3_bind_int(stmt, index, (int)be32(data));
        break;
    case CHARLE_TYPE_INT8:
        sqlite3_bind_int64(stmt, index, (int64_t)be64(data));
        break;
    case CHARLE_TYPE_TIMESTAMPTZ:
        sqlite3_bind_int64(stmt, index, (int64_t)be64(data) + PG_EPOCH_US);
        break;
    case CHARLE_TYPE_BOOL:
        sqlite3_bind_int(stmt, index, data[0]);
        break;
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_ENUM:
        sqlite3_bind_text(stmt, index, data, size, SQLITE_STATIC);
        break;
    default:
        bench_die("the limit does not know the type of column %s", column->name.ptr);
    }
}

// --- the reader: a thread that takes tuples from libpq and hands them over in blocks ----------------------------------------

struct block {
    char *tuples[BLOCK_TUPLES];
    int count; // 0: the end
};

struct pipe {
    PGconn *pg;
    struct block blocks[BLOCKS];
    int first, count;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

// The block to fill next; waits until there is one.
static struct block *free_block(struct pipe *pipe)
{
    pthread_mutex_lock(&pipe->mutex);
    while (pipe->count == BLOCKS)
        pthread_cond_wait(&pipe->changed, &pipe->mutex);
    struct block *block = &pipe->blocks[(pipe->first + pipe->count) % BLOCKS];
    pthread_mutex_unlock(&pipe->mutex);
    block->count = 0;
    return block;
}

static void hand_over(struct pipe *pipe)
{
    pthread_mutex_lock(&pipe->mutex);
    pipe->count++;
    pthread_cond_signal(&pipe->changed);
    pthread_mutex_unlock(&pipe->mutex);
}

static void *read_tuples(void *ctx)
{
    struct pipe *pipe = ctx;
    struct block *block = free_block(pipe);
    char *data;
    int size;
    while ((size = PQgetCopyData(pipe->pg, &data, 0)) > 0) {
        block->tuples[block->count++] = data;
        if (block->count == BLOCK_TUPLES) {
            hand_over(pipe);
            block = free_block(pipe);
        }
    }
    if (size == -2)
        bench_die("copy: %s", PQerrorMessage(pipe->pg));
    if (block->count) {
        hand_over(pipe);
        block = free_block(pipe);
    }
    hand_over(pipe);
    return NULL;
}

static struct block *take_block(struct pipe *pipe)
{
    pthread_mutex_lock(&pipe->mutex);
    while (!pipe->count)
        pthread_cond_wait(&pipe->changed, &pipe->mutex);
    struct block *block = &pipe->blocks[pipe->first];
    pthread_mutex_unlock(&pipe->mutex);
    return block;
}

static void give_back(struct pipe *pipe)
{
    pthread_mutex_lock(&pipe->mutex);
    pipe->first = (pipe->first + 1) % BLOCKS;
    pipe->count--;
    pthread_cond_signal(&pipe->changed);
    pthread_mutex_unlock(&pipe->mutex);
}

// --- the writer --------------------------------------------------------------------------------------------------------------

// False: it was the trailer.
static int insert_tuple(sqlite3_stmt *stmt, const struct charle_table *table, const char *p)
{
    int16_t fields = (int16_t)((uint8_t)p[0] << 8 | (uint8_t)p[1]);
    p += 2;
    if (fields < 0)
        return 0;
    int index = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        if (!charle_column_set_has(table->replica_columns, i))
            continue;
        int32_t len = (int32_t)be32(p);
        bind_field(stmt, ++index, &table->columns[i], p + 4, len);
        p += 4 + (len > 0 ? len : 0);
    }
    if (sqlite3_step(stmt) != SQLITE_DONE)
        bench_die("sqlite: %s", sqlite3_errmsg(sqlite3_db_handle(stmt)));
    sqlite3_reset(stmt);
    return 1;
}

static int64_t copy_rows(PGconn *pg, sqlite3_stmt *stmt, const struct charle_table *table)
{
    struct pipe pipe = {.pg = pg, .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    pthread_t reader;
    int64_t rows = 0;
    size_t skip = 19; // signature, flags, extension length
    if (pthread_create(&reader, NULL, read_tuples, &pipe))
        bench_die("no thread");
    for (struct block *block; (block = take_block(&pipe))->count; give_back(&pipe)) {
        for (int i = 0; i < block->count; i++) {
            rows += insert_tuple(stmt, table, block->tuples[i] + skip);
            skip = 0;
            PQfreemem(block->tuples[i]);
        }
    }
    pthread_join(reader, NULL);
    return rows;
}

static sqlite3 *open_replica(const char *file, const struct charle_table *table)
{
    char shadow[512];
    static const char *const tails[] = {"", "-wal", "-shm"};
    for (int i = 0; i < 3; i++) {
        snprintf(shadow, sizeof(shadow), "%s%s", file, tails[i]);
        unlink(shadow);
    }
    sqlite3 *db;
    if (sqlite3_open(file, &db) != SQLITE_OK)
        bench_die("sqlite: cannot open %s", file);
    run_sql(db, "pragma page_size = 8192; pragma cache_size = -16384;"); // a replica's: quicker than SQLite's own
    run_sql(db, "pragma journal_mode = wal; pragma synchronous = normal; pragma secure_delete = off;");
    run_sql(db, table->replica_create);
    return db;
}

double bench_limit_copy(const char *database_url, const struct charle_table *table, const char *file, int64_t *out_rows)
{
    char columns[SQL_SIZE / 2], sql[SQL_SIZE];
    int count;
    column_list(table, columns, &count);
    PGconn *pg = PQconnectdb(database_url);
    if (PQstatus(pg) != CONNECTION_OK)
        bench_die("%s", PQerrorMessage(pg));
    sqlite3 *db = open_replica(file, table);
    size_t used = (size_t)snprintf(sql, sizeof(sql), "insert into \"%s\" (%s) values (", table->name.ptr, columns);
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(sql + used, sizeof(sql) - used, i ? ",?" : "?");
    snprintf(sql + used, sizeof(sql) - used, ")");
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        bench_die("sqlite: %s", sqlite3_errmsg(db));
    snprintf(sql, sizeof(sql), "copy (select %s from \"%s\" order by \"%s\") to stdout (format binary)", columns, table->name.ptr,
             table->columns[table->key_columns[0]].name.ptr);
    double start = bench_now();
    run_sql(db, "begin");
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_COPY_OUT)
        bench_die("copy: %s", PQerrorMessage(pg));
    PQclear(result);
    *out_rows = copy_rows(pg, stmt, table);
    run_sql(db, "commit");
    run_sql(db, table->replica_indexes);
    double seconds = bench_now() - start;
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    PQfinish(pg);
    return (double)*out_rows / seconds;
}
