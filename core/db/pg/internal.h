// What the files of this folder share.
#ifndef CHARLE_DB_PG_INTERNAL_H
#define CHARLE_DB_PG_INTERNAL_H

#include "db/driver.h"
#include "db/pg/pg.h"

// PostgreSQL's object ids of the types we know; they are fixed for ever (pg_type.dat).
//   X(name, oid, oid of the array)
#define CH_PG_TYPES(X)         \
    X(BOOL, 16, 1000)          \
    X(BYTEA, 17, 1001)         \
    X(CHAR, 18, 1002)          \
    X(NAME, 19, 1003)          \
    X(INT8, 20, 1016)          \
    X(INT2, 21, 1005)          \
    X(INT4, 23, 1007)          \
    X(TEXT, 25, 1009)          \
    X(OID, 26, 1028)           \
    X(XID, 28, 1011)           \
    X(JSON, 114, 199)          \
    X(FLOAT4, 700, 1021)       \
    X(FLOAT8, 701, 1022)       \
    X(UNKNOWN, 705, 0)         \
    X(BPCHAR, 1042, 1014)      \
    X(VARCHAR, 1043, 1015)     \
    X(DATE, 1082, 1182)        \
    X(TIMESTAMP, 1114, 1115)   \
    X(TIMESTAMPTZ, 1184, 1185) \
    X(NUMERIC, 1700, 1231)     \
    X(UUID, 2950, 2951)        \
    X(JSONB, 3802, 3807)       \
    X(XID8, 5069, 271)         \
    X(VOID, 2278, 0)

enum ch_pg_oid {
#define CH_PG_OID(name, oid, array) CH_PG_##name = oid,
    CH_PG_TYPES(CH_PG_OID)
#undef CH_PG_OID
};

const char *ch_pg_type_name(Oid oid);
Oid ch_pg_element_type(Oid array); // 0 when it is not an array we know

struct ch_pg_statement {
    struct ch_statement head;
    char name[24];      // on the server
    int64_t generation; // of the connection that knows it
    int param_count;
    Oid *types; // of the parameters, inferred by PostgreSQL
};

struct ch_pg {
    struct charle_db base;
    PGconn *connection;
    PGcancel *cancel;
    char *url;
    struct ch_pg_options options;
    char application_name[64];
    uint64_t next_name;      // of prepared statements; never used twice on a connection
    int64_t generation;      // of the connection; a statement of an older one is gone on the server
    struct charle_buf bound; // encoded parameters of the statement that runs
    const char **values;     // for libpq; param_capacity entries each
    int *lengths, *formats;
    size_t *offsets; // of values in `bound`; SIZE_MAX: elsewhere
    size_t param_capacity;
};

static inline struct ch_pg *ch_pg_of(const struct charle_db *db)
{
    return (struct ch_pg *)(uintptr_t)db;
}

// Encodes the parameters into db->values, lengths and formats, as the statement's types want them.
CHARLE_MUST_CHECK enum charle_err ch_pg_bind(struct ch_pg *db, const struct ch_pg_statement *statement,
                                             const struct charle_value *params, size_t param_count,
                                             struct charle_error *err);
void ch_pg_bind_deinit(struct ch_pg *db);

// A value in PostgreSQL's binary form.
struct ch_pg_datum {
    const uint8_t *ptr;
    size_t len;
};
CHARLE_MUST_CHECK enum charle_err ch_pg_datum_value(struct ch_pg_datum datum, Oid oid, enum charle_type type,
                                                    bool is_array, struct charle_arena *arena, struct charle_value *out,
                                                    struct charle_error *err);

// numeric: PostgreSQL's base-10000 form to canonical decimal text, and back. The text of a datum needs at most
// ch_pg_numeric_size bytes; 0 when it is malformed.
size_t ch_pg_numeric_size(struct ch_pg_datum datum);
size_t ch_pg_numeric_text(struct ch_pg_datum datum, char *out);              // returns its length
bool ch_pg_numeric_add(struct charle_buf *buf, struct charle_str canonical); // false when it is no decimal

static inline uint16_t ch_pg_read16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t ch_pg_read32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t ch_pg_read64(const uint8_t *p)
{
    return (uint64_t)ch_pg_read32(p) << 32 | ch_pg_read32(p + 4);
}
void ch_pg_add16(struct charle_buf *buf, uint16_t value);
void ch_pg_add32(struct charle_buf *buf, uint32_t value);
void ch_pg_add64(struct charle_buf *buf, uint64_t value);

// PostgreSQL counts from 2000-01-01; infinities stay at the ends of the range.
#define CH_PG_EPOCH_DAYS 10957
#define CH_PG_EPOCH_US   ((int64_t)CH_PG_EPOCH_DAYS * 86400 * 1000000)
static inline int64_t ch_pg_ts_in(int64_t us)
{
    return us == INT64_MAX || us == INT64_MIN || us > INT64_MAX - CH_PG_EPOCH_US ? us : us + CH_PG_EPOCH_US;
}
static inline int64_t ch_pg_ts_out(int64_t us)
{
    return us == INT64_MAX || us < INT64_MIN + CH_PG_EPOCH_US ? us : us - CH_PG_EPOCH_US;
}
static inline int32_t ch_pg_date_in(int32_t days)
{
    return days == INT32_MAX || days == INT32_MIN || days > INT32_MAX - CH_PG_EPOCH_DAYS ? days
                                                                                         : days + CH_PG_EPOCH_DAYS;
}
static inline int32_t ch_pg_date_out(int32_t days)
{
    return days == INT32_MAX || days < INT32_MIN + CH_PG_EPOCH_DAYS ? days : days - CH_PG_EPOCH_DAYS;
}

// A round trip in the simple protocol; rows are dropped.
CHARLE_MUST_CHECK enum charle_err ch_pg_simple(struct ch_pg *db, const char *sql, struct charle_error *err);
// The cached statement, prepared on the server.
CHARLE_MUST_CHECK enum charle_err ch_pg_statement(struct ch_pg *db, const char *sql,
                                                  struct ch_pg_statement **out_statement, struct charle_error *err);

#endif
