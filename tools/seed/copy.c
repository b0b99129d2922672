#include "tools/seed/copy.h"

#include <stdio.h>

#define SEND_SIZE     ((size_t)256 << 10) // one PQputCopyData; larger gains nothing
#define PG_EPOCH_DAYS 10957               // 2000-01-01, PostgreSQL's day 0
#define PG_TEXT_OID   25

enum charle_err seed_fail_pg(PGconn *pg, const PGresult *result, const char *what, struct charle_error *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *detail = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) : NULL;

    if (!text || !state)
        return charle_fail(err, CHARLE_UNAVAILABLE, "%s: %s", what, PQerrorMessage(pg));
    return charle_fail_foreign(err, CHARLE_INTERNAL, CHARLE_DOMAIN_POSTGRES, charle_sqlstate_pack(state),
                               "%s: %s (%s)%s%s", what, text, state, detail ? " " : "", detail ? detail : "");
}

static void fail(struct seed_copy *copy, const PGresult *result)
{
    char what[100];

    snprintf(what, sizeof what, "seeding table %s", copy->table);
    if (!copy->failed)
        copy->failed = seed_fail_pg(copy->pg, result, what, copy->err);
}

static void flush(struct seed_copy *copy)
{
    if (!copy->failed && copy->buf.failed)
        copy->failed =
            charle_fail(copy->err, copy->buf.failed, "seeding table %s: no memory for its rows", copy->table);
    if (!copy->failed && copy->buf.size &&
        PQputCopyData(copy->pg, (const char *)copy->buf.data, (int)copy->buf.size) != 1)
        fail(copy, NULL);
    charle_buf_reset(&copy->buf);
}

static void put16(struct seed_copy *copy, uint16_t value)
{
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    charle_buf_add(&copy->buf, bytes, sizeof bytes);
}

static void put32(struct seed_copy *copy, uint32_t value)
{
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};

    charle_buf_add(&copy->buf, bytes, sizeof bytes);
}

static void put64(struct seed_copy *copy, uint64_t value)
{
    put32(copy, (uint32_t)(value >> 32));
    put32(copy, (uint32_t)value);
}

static void put_size(struct seed_copy *copy, size_t size) // of a field that follows
{
    copy->fields++;
    put32(copy, (uint32_t)size);
}

void seed_copy_open(struct seed_copy *copy, PGconn *pg, const char *table, const char *columns,
                    struct charle_error *err)
{
    static const char signature[] = "PGCOPY\n\377\r\n"; // with its NUL, 11 bytes
    char sql[2048];
    PGresult *result;

    *copy = (struct seed_copy){.pg = pg, .table = table, .err = err, .field_count = 1};
    for (const char *c = columns; *c; c++)
        copy->field_count = (uint16_t)(copy->field_count + (*c == ','));
    snprintf(sql, sizeof sql, "copy \"%s\" (%s) from stdin (format binary)", table, columns);
    result = PQexec(pg, sql);
    copy->is_open = PQresultStatus(result) == PGRES_COPY_IN;
    if (!copy->is_open)
        fail(copy, result);
    PQclear(result);
    charle_buf_add(&copy->buf, signature, 11);
    put32(copy, 0); // flags
    put32(copy, 0); // no header extension
    copy->fields = copy->field_count;
}

static void finish_row(struct seed_copy *copy)
{
    CHARLE_ASSERT(copy->fields == copy->field_count);
    if (copy->buf.size >= SEND_SIZE)
        flush(copy);
}

enum charle_err seed_copy_close(struct seed_copy *copy)
{
    PGresult *result;

    finish_row(copy);
    put16(copy, 0xffff);
    flush(copy);
    if (copy->is_open && PQputCopyEnd(copy->pg, copy->failed ? "the seed failed" : NULL) != 1)
        fail(copy, NULL);
    while (copy->is_open && (result = PQgetResult(copy->pg))) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            fail(copy, result);
        PQclear(result);
    }
    copy->is_open = false;
    charle_buf_deinit(&copy->buf);
    return copy->failed;
}

void seed_copy_row(struct seed_copy *copy)
{
    finish_row(copy);
    put16(copy, copy->field_count);
    copy->fields = 0;
    copy->rows++;
}

void seed_copy_null(struct seed_copy *copy)
{
    put_size(copy, (size_t)UINT32_MAX);
}

void seed_copy_text(struct seed_copy *copy, const char *text)
{
    size_t size = text ? strlen(text) : (size_t)UINT32_MAX;

    put_size(copy, size);
    if (text)
        charle_buf_add(&copy->buf, text, size);
}

void seed_copy_int4(struct seed_copy *copy, int32_t value)
{
    put_size(copy, 4);
    put32(copy, (uint32_t)value);
}

void seed_copy_int8(struct seed_copy *copy, int64_t value)
{
    put_size(copy, 8);
    put64(copy, (uint64_t)value);
}

void seed_copy_bool(struct seed_copy *copy, bool value)
{
    put_size(copy, 1);
    charle_buf_add_byte(&copy->buf, value);
}

void seed_copy_date(struct seed_copy *copy, struct charle_date date)
{
    seed_copy_int4(copy, date.days - PG_EPOCH_DAYS);
}

void seed_copy_ts(struct seed_copy *copy, struct charle_ts ts)
{
    seed_copy_int8(copy, ts.us - (int64_t)PG_EPOCH_DAYS * 86400 * 1000000);
}

// numeric in binary: count of base-10000 digits, weight of the first, sign, digits shown after the point, then the
// digits.
void seed_copy_halves(struct seed_copy *copy, int32_t halves)
{
    bool has_half = halves % 2;
    bool has_whole = halves >= 2;

    CHARLE_ASSERT(halves >= 0 && halves < 20000);
    put_size(copy, 8 + 2 * (size_t)(has_half + has_whole));
    put16(copy, (uint16_t)(has_half + has_whole));
    put16(copy, has_whole || !has_half ? 0 : 0xffff);
    put16(copy, 0);
    put16(copy, has_half);
    if (has_whole)
        put16(copy, (uint16_t)(halves / 2));
    if (has_half)
        put16(copy, 5000);
}

void seed_copy_json(struct seed_copy *copy, const char *text)
{
    if (!text) {
        seed_copy_null(copy);
        return;
    }
    put_size(copy, strlen(text) + 1);
    charle_buf_add_byte(&copy->buf, 1); // version of jsonb's binary form
    charle_buf_add_text(&copy->buf, text);
}

void seed_copy_texts(struct seed_copy *copy, const char *const *items, size_t count)
{
    size_t size = count ? 20 : 12;

    for (size_t i = 0; i < count; i++)
        size += 4 + strlen(items[i]);
    put_size(copy, size);
    put32(copy, count ? 1 : 0); // dimensions
    put32(copy, 0);             // has no NULLs
    put32(copy, PG_TEXT_OID);
    if (count) {
        put32(copy, (uint32_t)count);
        put32(copy, 1); // lower bound
    }
    for (size_t i = 0; i < count; i++) {
        put32(copy, (uint32_t)strlen(items[i]));
        charle_buf_add_text(&copy->buf, items[i]);
    }
}

void seed_copy_int4_if(struct seed_copy *copy, bool has, int32_t value)
{
    if (has)
        seed_copy_int4(copy, value);
    else
        seed_copy_null(copy);
}

void seed_copy_date_if(struct seed_copy *copy, bool has, struct charle_date date)
{
    if (has)
        seed_copy_date(copy, date);
    else
        seed_copy_null(copy);
}

void seed_copy_ts_if(struct seed_copy *copy, bool has, struct charle_ts ts)
{
    if (has)
        seed_copy_ts(copy, ts);
    else
        seed_copy_null(copy);
}
