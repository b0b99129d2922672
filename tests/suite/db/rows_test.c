// Values and rows of every type: what goes in comes out, the same from both databases, as structs and as bytes.
#include "db/json_canonical.h"
#include "db/pg/pg.h"
#include "db/sqlite/sqlite_row.h"
#include "fixture.h"
#include "msg/wire.h"
#include "sample.h"

#include <stdio.h>

enum { ROWS = 200 };
static const uint64_t seed = 0x5eed1234;

static void make_table(struct charle_db *db)
{
    must_exec(db, charle_db_dialect(db) == CHARLE_PG ? sample_table.pg_create : sample_table.sqlite_create);
}

static void insert(struct charle_db *db, const struct sample *row, struct charle_arena *arena)
{
    struct charle_value values[SAMPLE_FIELD_COUNT];
    struct charle_error err;
    int64_t changed = 0;
    sample_values(row, values, arena);
    assert_ok(charle_exec(db, sample_insert_sql(), values, SAMPLE_FIELD_COUNT, &changed, &err), &err);
    assert_int_equal(changed, 1);
}

static void insert_random(struct charle_db *db, size_t count, struct charle_arena *arena)
{
    uint64_t random = seed;
    char id[32];
    struct charle_error err;
    assert_ok(charle_begin(db, NULL, &err), &err);
    for (size_t i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "row-%05zu", i);
        struct sample row = sample_random(&random, id, arena);
        insert(db, &row, arena);
    }
    assert_ok(charle_commit(db, &err), &err);
}

static void encode_struct(const struct sample *row, struct charle_buf *buf)
{
    charle_buf_reset(buf);
    charle_message_write(sample_table.row, row, buf);
    assert_int_equal(buf->failed, CHARLE_OK);
}

// The wire form of a struct is the canonical form of the row, but for what the row form settles: -0.0 and JSON's
// spelling.
static void settle(struct sample *row)
{
    row->ratio = row->ratio == 0 ? 0 : row->ratio;
    row->n_ratio.value = row->n_ratio.value == 0 ? 0 : row->n_ratio.value;
    row->doc.text = CHARLE_STR("null");
    row->n_doc.has = false;
    row->a_doc = (struct charle_array){0};
    double *items = (double *)(uintptr_t)row->a_ratio.items;
    for (size_t i = 0; i < row->a_ratio.count; i++)
        items[i] = items[i] == 0 ? 0 : items[i];
}

static void test_structs_come_back_as_they_went_in(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_buf wanted = {0}, got = {0};
    struct charle_error err;
    struct charle_rows *rows = NULL;
    struct charle_column_set all = charle_table_all_columns(&sample_table);
    char sql[4200], id[32];
    uint64_t random = seed;
    make_table(db);
    insert_random(db, ROWS, &arena);
    snprintf(sql, sizeof(sql), "%s order by id", sample_select_sql());
    assert_ok(charle_query(db, sql, NULL, 0, &rows, &err), &err);
    for (size_t i = 0; i < ROWS; i++) {
        struct sample in, out;
        snprintf(id, sizeof(id), "row-%05zu", i);
        in = sample_random(&random, id, &arena);
        assert_ok(charle_rows_next(rows, &err), &err);
        assert_ok(charle_record_read(rows, &sample_table, &all, sample_table.row, &arena, &out, &err), &err);
        settle(&in);
        settle(&out);
        encode_struct(&in, &wanted);
        encode_struct(&out, &got);
        assert_int_equal(got.size, wanted.size);
        assert_memory_equal(got.data, wanted.data, wanted.size);
    }
    assert_int_equal(charle_rows_next(rows, &err), CHARLE_DONE);
    charle_rows_close(rows);
    charle_buf_deinit(&wanted);
    charle_buf_deinit(&got);
    charle_arena_deinit(&arena);
}

// --- bytes ----------------------------------------------------------------------------------------------------------

struct bytes {
    struct charle_buf buf;
    size_t ends[ROWS];
    size_t count;
};

static void add_end(struct bytes *bytes)
{
    assert_int_equal(bytes->buf.failed, CHARLE_OK);
    bytes->ends[bytes->count++] = bytes->buf.size;
}

static struct charle_bytes row_at(const struct bytes *bytes, size_t i)
{
    size_t start = i ? bytes->ends[i - 1] : 0;
    return charle_bytes(bytes->buf.data + start, bytes->ends[i] - start);
}

static void encode_pg(struct charle_db *db, struct bytes *out)
{
    char sql[4200];
    struct charle_error err;
    struct charle_column_set all = charle_table_all_columns(&sample_table);
    snprintf(sql, sizeof(sql), "%s order by id", sample_select_sql());
    PGresult *result = PQexecParams(ch_pg_connection(db), sql, 0, NULL, NULL, NULL, NULL, 1);
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    for (int i = 0; i < PQntuples(result); i++) {
        assert_ok(ch_pg_encode_row(&sample_table, &all, result, i, &out->buf, &err), &err);
        add_end(out);
    }
    PQclear(result);
}

static void encode_pg_copy(struct charle_db *db, struct bytes *out)
{
    char sql[4300], *data;
    struct charle_error err;
    struct charle_column_set all = charle_table_all_columns(&sample_table);
    bool is_first = true;
    snprintf(sql, sizeof(sql), "copy (%s order by id) to stdout (format binary)", sample_select_sql());
    PGresult *result = PQexec(ch_pg_connection(db), sql);
    assert_int_equal(PQresultStatus(result), PGRES_COPY_OUT);
    PQclear(result);
    enum charle_err rc = CHARLE_OK;
    for (int len; (len = PQgetCopyData(ch_pg_connection(db), &data, 0)) > 0; PQfreemem(data), is_first = false) {
        struct charle_bytes piece = charle_bytes(data, (size_t)len);
        if (is_first)
            assert_ok(ch_pg_copy_skip_header(&piece, &err), &err);
        if (piece.len == 0)
            continue;
        rc = ch_pg_copy_row(&sample_table, &all, piece, &out->buf, &err);
        if (rc == CHARLE_DONE)
            continue;
        assert_ok(rc, &err);
        add_end(out);
    }
    assert_int_equal(rc, CHARLE_DONE); // the trailer came
    PQclear(PQgetResult(ch_pg_connection(db)));
    assert_null(PQgetResult(ch_pg_connection(db)));
}

static void encode_sqlite(struct charle_db *db, const char *table, struct bytes *out)
{
    char sql[4200];
    struct charle_error err;
    struct charle_arena arena = {0};
    struct charle_buf select = {0};
    sqlite3_stmt *statement;
    struct charle_column_set all = charle_table_all_columns(&sample_table);
    charle_table_write_columns(&sample_table, &all, "", &select);
    snprintf(sql, sizeof(sql), "select %s from %s order by id", charle_buf_text(&select), table);
    assert_ok(ch_sqlite_statement(db, sql, &statement, &err), &err);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        charle_arena_reset(&arena);
        assert_ok(ch_sqlite_read_row(statement, 0, &sample_table, &all, &arena, &out->buf, &err), &err);
        add_end(out);
    }
    sqlite3_reset(statement);
    charle_buf_deinit(&select);
    charle_arena_deinit(&arena);
}

static void assert_same_bytes(const struct bytes *a, const struct bytes *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        struct charle_bytes x = row_at(a, i), y = row_at(b, i);
        size_t same = 0;
        while (same < x.len && same < y.len && x.ptr[same] == y.ptr[same])
            same++;
        if (same < x.len || same < y.len)
            print_error("row %zu differs at byte %zu: …%.*s… and …%.*s…\n", i, same,
                        (int)(x.len - same < 40 ? x.len - same : 40), (const char *)x.ptr + same,
                        (int)(y.len - same < 40 ? y.len - same : 40), (const char *)y.ptr + same);
        assert_int_equal(x.len, y.len);
        assert_memory_equal(x.ptr, y.ptr, x.len);
    }
}

static void assert_ascending(struct charle_bytes row)
{
    struct charle_wire_reader reader = {row.ptr, row.ptr + row.len};
    struct charle_wire_field field;
    uint32_t last = 0;
    while (charle_wire_next(&reader, &field) == CHARLE_OK) {
        assert_true(field.number >= last);
        last = field.number;
    }
    assert_true(reader.next == reader.end);
}

static void test_rows_are_the_same_bytes_from_both(struct charle_db *db)
{
    static struct bytes from_pg, from_copy, from_sqlite, from_replica;
    struct charle_arena arena = {0};
    struct charle_db *sqlite = NULL;
    struct charle_error err;
    struct ch_sqlite_writer writer;
    struct charle_column_set all = charle_table_all_columns(&sample_table);
    if (charle_db_dialect(db) == CHARLE_SQLITE)
        return; // one run uses both
    make_table(db);
    insert_random(db, ROWS, &arena);
    assert_ok(ch_sqlite_open(":memory:", NULL, &sqlite, &err), &err);
    make_table(sqlite);
    insert_random(sqlite, ROWS, &arena);
    encode_pg(db, &from_pg);
    encode_pg_copy(db, &from_copy);
    encode_sqlite(sqlite, "sample", &from_sqlite);
    assert_int_equal(from_pg.count, ROWS);
    assert_same_bytes(&from_pg, &from_copy);
    assert_same_bytes(&from_pg, &from_sqlite);

    // And as a replica does it: bytes into an empty table, twice, then the bytes again.
    must_exec(sqlite, "delete from sample");
    assert_ok(ch_sqlite_writer_open(&writer, sqlite, &sample_table, &all, &err), &err);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < from_pg.count; i++)
            assert_ok(ch_sqlite_writer_put(&writer, row_at(&from_pg, i), &err), &err);
    encode_sqlite(sqlite, "sample", &from_replica);
    assert_same_bytes(&from_pg, &from_replica);
    for (size_t i = 0; i < from_pg.count; i++)
        assert_ascending(row_at(&from_pg, i));
    assert_ok(ch_sqlite_writer_delete(&writer, row_at(&from_pg, 0), &err), &err);
    assert_int_equal(must_count(sqlite, "select count(*) from sample"), ROWS - 1);
    assert_int_equal(must_count(sqlite, "select count(*) from sample where id = 'row-00000'"), 0);
    ch_sqlite_writer_close(&writer);
    charle_db_close(sqlite);
    charle_buf_deinit(&from_pg.buf);
    charle_buf_deinit(&from_copy.buf);
    charle_buf_deinit(&from_sqlite.buf);
    charle_buf_deinit(&from_replica.buf);
    charle_arena_deinit(&arena);
}

// A row's bytes become values that make the same row again.
static void test_bytes_become_values(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_buf first = {0}, second = {0};
    struct charle_error err;
    struct charle_value values[SAMPLE_FIELD_COUNT];
    struct charle_column_set all = charle_table_all_columns(&sample_table);
    struct charle_rows *rows;
    uint64_t random = seed + 1;
    make_table(db);
    for (int i = 0; i < 50; i++) {
        struct sample in = sample_random(&random, "one", &arena), out;
        settle(&in);
        encode_struct(&in, &first);
        must_exec(db, "delete from sample");
        assert_ok(charle_row_values(&sample_table, &all, charle_buf_bytes(&first), &arena, values, &err), &err);
        assert_ok(charle_exec(db, sample_insert_sql(), values, SAMPLE_FIELD_COUNT, NULL, &err), &err);
        assert_ok(charle_query(db, sample_select_sql(), NULL, 0, &rows, &err), &err);
        assert_ok(charle_rows_next(rows, &err), &err);
        assert_ok(charle_record_read(rows, &sample_table, &all, sample_table.row, &arena, &out, &err), &err);
        charle_rows_close(rows);
        settle(&out);
        encode_struct(&out, &second);
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);
    }
    charle_buf_deinit(&first);
    charle_buf_deinit(&second);
    charle_arena_deinit(&arena);
}

// Rows of a table with indexes, written again and again: alike, with other values in indexed columns, in others, and new
// ones between them.
static void test_a_writer_keeps_indexes_right(struct charle_db *db)
{
    const struct charle_index indexes[] = {
        {.name = "by_small_state", .columns = (const uint16_t[]){3, 7}, .column_count = 2},
        {.name = "by_n_text", .columns = (const uint16_t[]){13}, .column_count = 1},
        {.name = "by_day", .columns = (const uint16_t[]){9}, .column_count = 1},
    };
    enum { KEYS = 40, WRITES = 2000 };
    static struct bytes wanted, got;
    struct charle_table table = sample_table;
    struct charle_arena arena = {0};
    struct charle_buf kept[KEYS] = {0};
    struct charle_error err;
    struct ch_sqlite_writer writer;
    struct charle_column_set all = charle_table_all_columns(&sample_table);
    uint64_t random = seed + 7;
    char id[32];
    if (charle_db_dialect(db) == CHARLE_PG)
        return;
    table.indexes = indexes;
    table.index_count = 3;
    make_table(db);
    must_exec(db, "create index by_small_state on sample (small, state)");
    must_exec(db, "create index by_n_text on sample (n_text)");
    must_exec(db, "create index by_day on sample (day)");
    assert_ok(ch_sqlite_writer_open(&writer, db, &table, &all, &err), &err);
    for (int i = 0; i < WRITES; i++) {
        uint64_t key = (sample_next(&random) >> 20) % KEYS, change = (sample_next(&random) >> 20) % 3;
        snprintf(id, sizeof(id), "row-%05d", (int)key);
        uint64_t same = seed + key, other = seed + (uint64_t)i + 1000;
        struct sample row = sample_random(change ? &same : &other, id, &arena);
        row.big = change == 2 ? i : row.big;
        encode_struct(&row, &kept[key]);
        assert_ok(ch_sqlite_writer_put(&writer, charle_buf_bytes(&kept[key]), &err), &err);
        // The short way was taken, and is taken again at once, when the row is written once more as it is.
        while (writer.update_after)
            assert_ok(ch_sqlite_writer_put(&writer, charle_buf_bytes(&kept[key]), &err), &err);
        assert_ok(ch_sqlite_writer_put(&writer, charle_buf_bytes(&kept[key]), &err), &err);
        assert_int_equal(writer.update_pause, 0);
        charle_arena_reset(&arena);
    }
    ch_sqlite_writer_close(&writer);
    // Canonical bytes differ in what settle() settles: they are made once by a writer of a table without indexes.
    encode_sqlite(db, "sample", &got);
    must_exec(db, "delete from sample");
    assert_ok(ch_sqlite_writer_open(&writer, db, &sample_table, &all, &err), &err);
    assert_null(writer.update);
    for (int i = 0; i < KEYS; i++)
        assert_ok(ch_sqlite_writer_put(&writer, charle_buf_bytes(&kept[i]), &err), &err);
    ch_sqlite_writer_close(&writer);
    encode_sqlite(db, "sample", &wanted);
    assert_int_equal(wanted.count, KEYS);
    assert_same_bytes(&wanted, &got);
    assert_int_equal(must_count(db, "select count(*) from pragma_integrity_check where integrity_check <> 'ok'"), 0);
    for (int i = 0; i < KEYS; i++)
        charle_buf_deinit(&kept[i]);
    charle_buf_deinit(&wanted.buf);
    charle_buf_deinit(&got.buf);
    charle_arena_deinit(&arena);
}

// Every cut and every changed byte of a row is refused or taken as another row; none is read past its end.
static void test_damaged_bytes_do_no_harm(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_buf buf = {0};
    struct charle_error err;
    struct ch_sqlite_writer writer;
    struct charle_column_set all = charle_table_all_columns(&sample_table);
    uint64_t random = seed + 2;
    size_t refused = 0;
    if (charle_db_dialect(db) == CHARLE_PG)
        return;
    make_table(db);
    assert_ok(ch_sqlite_writer_open(&writer, db, &sample_table, &all, &err), &err);
    for (int i = 0; i < 40; i++) {
        struct sample row = sample_random(&random, "one", &arena);
        encode_struct(&row, &buf);
        for (size_t len = 0; len < buf.size; len++) {
            uint8_t *exact = malloc(len + 1); // so that a read past the end is seen
            memcpy(exact, buf.data, len);
            if (len && i % 2)
                exact[sample_next(&random) % len] ^= (uint8_t)(1u << sample_next(&random) % 8);
            refused += ch_sqlite_writer_put(&writer, charle_bytes(exact, len), &err) != CHARLE_OK;
            free(exact);
        }
    }
    assert_true(refused > 1000);
    ch_sqlite_writer_close(&writer);
    charle_buf_deinit(&buf);
    charle_arena_deinit(&arena);
}

// The same for the binary form that PostgreSQL sends.
static void test_damaged_tuples_do_no_harm(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_buf buf = {0};
    struct charle_error err;
    struct charle_column_set all = charle_table_all_columns(&sample_table);
    char sql[4300], *data;
    uint64_t random = seed + 4;
    size_t refused = 0;
    bool is_first = true;
    if (charle_db_dialect(db) == CHARLE_SQLITE)
        return;
    make_table(db);
    insert_random(db, 20, &arena);
    snprintf(sql, sizeof(sql), "copy (%s) to stdout (format binary)", sample_select_sql());
    PQclear(PQexec(ch_pg_connection(db), sql));
    for (int len; (len = PQgetCopyData(ch_pg_connection(db), &data, 0)) > 0; PQfreemem(data), is_first = false) {
        struct charle_bytes piece = charle_bytes(data, (size_t)len);
        if (is_first)
            assert_ok(ch_pg_copy_skip_header(&piece, &err), &err);
        for (size_t cut = 0; cut <= piece.len; cut++) {
            uint8_t *exact = malloc(cut + 1); // so that a read past the end is seen
            memcpy(exact, piece.ptr, cut);
            for (size_t flips = cut ? sample_next(&random) % 4 : 0; flips > 0; flips--)
                exact[sample_next(&random) % cut] ^= (uint8_t)(1u << sample_next(&random) % 8);
            charle_buf_reset(&buf);
            enum charle_err rc = ch_pg_copy_row(&sample_table, &all, charle_bytes(exact, cut), &buf, &err);
            refused += rc != CHARLE_OK && rc != CHARLE_DONE;
            free(exact);
        }
    }
    PQclear(PQgetResult(ch_pg_connection(db)));
    assert_null(PQgetResult(ch_pg_connection(db)));
    assert_true(refused > 1000);
    struct charle_bytes nothing = charle_bytes("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\1\0", 19);
    assert_fails(ch_pg_copy_skip_header(&nothing, &err), CHARLE_MALFORMED, &err, "not a binary COPY");
    charle_buf_deinit(&buf);
    charle_arena_deinit(&arena);
}

static void test_partial_rows_and_keys(struct charle_db *db)
{
    struct charle_arena arena = {0};
    struct charle_error err;
    struct bytes whole = {0}, part = {0};
    struct ch_sqlite_writer writer;
    struct charle_column_set some = {{0, 0}};
    uint64_t random = seed + 3;
    if (charle_db_dialect(db) == CHARLE_PG)
        return;
    make_table(db);
    struct sample row = sample_random(&random, "one", &arena);
    insert(db, &row, &arena);
    charle_column_set_add(&some, 0);
    charle_column_set_add(&some, 13);
    row.n_text = (struct charle_opt_text){CHARLE_STR("changed"), true};
    encode_struct(&row, &whole.buf);
    // The writer of two columns takes these two out of a whole row, and leaves the others alone. The row exists, so
    // that the NOT NULL columns it does not give are there.
    assert_ok(ch_sqlite_writer_open(&writer, db, &sample_table, &some, &err), &err);
    enum charle_err rc = ch_sqlite_writer_put(&writer, charle_buf_bytes(&whole.buf), &err);
    assert_fails(rc, CHARLE_NOT_NULL_VIOLATION, &err,
                 "sample.flag"); // SQLite checks NOT NULL before it looks for the conflict
    ch_sqlite_writer_close(&writer);
    must_exec(db, "update sample set n_text = 'changed'");
    sqlite3_stmt *statement;
    assert_ok(ch_sqlite_statement(db, "select id, n_text from sample", &statement, &err), &err);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_ok(ch_sqlite_read_row(statement, 0, &sample_table, &some, &arena, &part.buf, &err), &err);
    sqlite3_reset(statement);
    struct sample back;
    struct charle_message only_some = *sample_table.row;
    struct charle_field optional[SAMPLE_FIELD_COUNT];
    memcpy(optional, only_some.fields, sizeof(optional));
    only_some.fields = optional;
    for (size_t i = 1; i < SAMPLE_FIELD_COUNT; i++)
        if (optional[i].label == CHARLE_REQUIRED)
            optional[i].label = CHARLE_REPEATED; // absent is fine
    only_some.field_count = 1;
    assert_ok(charle_message_read(&only_some, charle_buf_bytes(&part.buf), &arena, &back, &err), &err);
    assert_true(charle_str_equal(back.id, CHARLE_STR("one")));
    charle_buf_deinit(&whole.buf);
    charle_buf_deinit(&part.buf);
    charle_arena_deinit(&arena);
}

// --- JSON -----------------------------------------------------------------------------------------------------------

static void add_json(uint64_t *random, struct charle_buf *buf, int depth)
{
    static const char *const atoms[] = {"null",        "true",       "false",     "0",      "-0",   "12",
                                        "1.50",        "-2.5e-3",    "1e5",       "0.0e-2", "\"\"", "\"a\"",
                                        "\"\\u00e9\"", "\"\\n\\t\"", "\"x\\/y\"", "9e-0"};
    static const char *const keys[] = {"a", "b", "ab", "", "\\u0061", "\xc3\xa9", "zzz"};
    size_t kind = (size_t)(sample_next(random) >> 20) % (depth < 4 ? 4 : 2),
           count = (size_t)(sample_next(random) >> 20) % 4;
    if (kind < 2) {
        charle_buf_add_text(buf, atoms[(sample_next(random) >> 20) % 16]);
        return;
    }
    charle_buf_add_text(buf, kind == 2 ? "[" : " {");
    for (size_t i = 0; i < count; i++) {
        charle_buf_add_text(buf, i ? "," : "");
        if (kind == 3)
            charle_buf_printf(buf, "\"%s\" :", keys[(sample_next(random) >> 20) % 7]);
        add_json(random, buf, depth + 1);
    }
    charle_buf_add_text(buf, kind == 2 ? " ]" : "}\n");
}

static void test_json_is_spelled_as_postgresql_spells_it(struct charle_db *db)
{
    struct charle_error err = {0};
    struct charle_buf buf = {0};
    struct charle_rows *rows;
    struct charle_value got;
    uint64_t random = seed + 9;
    if (charle_db_dialect(db) == CHARLE_SQLITE)
        return;
    for (int i = 0; i < 1000; i++) {
        struct charle_arena arena = {0};
        struct charle_str ours;
        charle_buf_reset(&buf);
        add_json(&random, &buf, 0);
        const struct charle_value value = charle_text(charle_buf_str(&buf));
        assert_ok(ch_json_canonical(value.text, &arena, &ours, &err), &err);
        assert_ok(charle_query(db, "select $1::jsonb", &value, 1, &rows, &err), &err);
        assert_ok(charle_rows_next(rows, &err), &err);
        assert_ok(charle_rows_value(rows, 0, CHARLE_TYPE_JSONB, false, &got, &err), &err);
        if (!charle_str_equal(got.text, ours))
            fail_msg("%.*s: PostgreSQL says %.*s, we say %.*s", CHARLE_FMT(value.text), CHARLE_FMT(got.text),
                     CHARLE_FMT(ours));
        charle_rows_close(rows);
        charle_arena_deinit(&arena);
    }
    charle_buf_deinit(&buf);
}

int main(void)
{
    const struct suite_item items[] = {
        SUITE_ITEM(test_structs_come_back_as_they_went_in),
        SUITE_ITEM(test_rows_are_the_same_bytes_from_both),
        SUITE_ITEM(test_a_writer_keeps_indexes_right),
        SUITE_ITEM(test_bytes_become_values),
        SUITE_ITEM(test_damaged_bytes_do_no_harm),
        SUITE_ITEM(test_damaged_tuples_do_no_harm),
        SUITE_ITEM(test_partial_rows_and_keys),
        SUITE_ITEM(test_json_is_spelled_as_postgresql_spells_it),
    };
    return suite_run("db rows", items, sizeof(items) / sizeof(items[0]));
}
