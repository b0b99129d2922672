#include "extremes.h"

#include <libpq-fe.h>
#include <stddef.h>

#define ONE(SET) "update optional set " SET " where id = (select min(id) from optional)"
#define MANY(SET) "update repeated set " SET " where id = (select min(id) from repeated)"

const char *const extremes_kept[] = {
    ONE("a_float8 = 'NaN'"),
    ONE("a_float8 = 'Infinity'"),
    ONE("a_float8 = '-Infinity'"),
    ONE("a_float8 = 5e-324"),
    ONE("a_float8 = '-0'"),
    ONE("a_numeric = 'NaN'"),
    ONE("a_numeric = repeat('9', 1000)::numeric"),
    ONE("a_numeric = ('0.' || repeat('1', 998))::numeric"),
    ONE("a_numeric = -0.00"),
    ONE("a_date = 'infinity'"),
    ONE("a_date = '-infinity'"),
    ONE("a_date = '0001-01-01'"),
    ONE("a_date = '9999-12-31'"),
    ONE("a_date = null"),
    ONE("a_ts = 'infinity'"),
    ONE("a_ts = '-infinity'"),
    ONE("a_ts = '4713-01-01 BC'"),
    ONE("a_ts = '294276-12-31'"),
    ONE("a_ts = null"),
    ONE("a_json = '{\"a\": 1e1000, \"b\": [1.0, -0, \"\\u0001 \\ud83d\\ude00\"]}'"),
    ONE("a_json = 'null'"),
    ONE("a_json = (repeat('[', 60) || repeat(']', 60))::jsonb"),
    ONE("a_text = repeat('x', 3 << 20), a_json = null"),
    ONE("a_text = ''"),
    ONE("a_bytes = decode(repeat('00', 1000000), 'hex')"),
    MANY("a_date = '{infinity,-infinity,0001-01-01,9999-12-31}'"),
    MANY("a_numeric = '{NaN,1.50,-0}'"),
    MANY("a_numeric = array[repeat('9', 999)::numeric, 1]"),
    MANY("a_ts = '{infinity,-infinity}'"),
    MANY("a_float8 = '{NaN,Infinity,-0,5e-324}'"),
    MANY("a_text = '{a,null,\"\"}'"),
    MANY("n_text = null"),
    MANY("n_text = '{}'"),
    MANY("a_date = '{null,2020-01-01}'"),
    MANY("a_float8 = array_fill(0::float8, array[40000])"),
    "insert into key_date values ('infinity'), ('-infinity')",
    NULL,
};

const char *const extremes_refused[] = {
    "update optional set a_date = '10000-01-01'",
    "update optional set a_date = '0001-12-31 BC'",
    "update optional set a_numeric = repeat('9', 1001)::numeric",
    "update optional set a_numeric = 1e-1000",
    "update optional set a_text = repeat('x', (3 << 20) + 1)",
    "update optional set a_text = repeat('x', 2 << 20), a_json = to_jsonb(repeat('y', 2 << 20))",
    "update repeated set a_date = '{2020-01-01,10000-01-01}'",
    "update repeated set a_date = '{infinity,0001-12-31 BC}'",
    "update repeated set a_numeric = array[1, repeat('9', 1000)::numeric]",
    "update repeated set a_text = array_fill(repeat('x', 1000), array[4000])",
    "insert into key_date values ('10000-01-01')",
    "insert into key_ts values ('infinity')",
    "insert into key_ts values ('0044-03-15 BC')",
    "insert into key_ts values ('10000-01-01')",
    "insert into required select '', a_bool, a_int4, a_int8, a_float8, a_text, a_bytes, a_enum, a_ts, a_date, a_numeric, a_uuid, b_uuid, a_json, s_int4, s_int8, f_int8 from required limit 1",
    "update person set id = '' where id <> 'ada'",
    NULL,
};

bool extremes_try(const char *url, const char *sql)
{
    PGconn *conn = PQconnectdb(url);
    PGresult *result = PQexec(conn, sql);
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    PQfinish(conn);
    return ok;
}
