// Rows on their way into a table: PostgreSQL's binary COPY, written field by field.
//
// Open with a table and its columns, write each row's fields in that order, close. Writes after a failure do nothing;
// close says what went wrong. A row with too few or too many fields is a bug of ours and stops the program. Texts are
// NUL-terminated; a NULL text is a NULL.
#ifndef CHARLE_TOOLS_SEED_COPY_H
#define CHARLE_TOOLS_SEED_COPY_H

#include "base/buf.h"
#include "base/clock.h"

#include <libpq-fe.h>

struct seed_copy {
    PGconn *pg;
    struct charle_buf buf;
    const char *table;
    uint16_t field_count; // of a row
    uint16_t fields;      // of the present row so far
    bool is_open;
    int64_t rows;
    struct charle_error *err;
    enum charle_err failed;
};

// columns: "id, name, created_at"; their number is counted. err must live until close.
void seed_copy_open(struct seed_copy *copy, PGconn *pg, const char *table, const char *columns,
                    struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err seed_copy_close(struct seed_copy *copy);

void seed_copy_row(struct seed_copy *copy); // begins a row
void seed_copy_null(struct seed_copy *copy);
void seed_copy_text(struct seed_copy *copy, const char *text); // text and enums
void seed_copy_int4(struct seed_copy *copy, int32_t value);
void seed_copy_int8(struct seed_copy *copy, int64_t value);
void seed_copy_bool(struct seed_copy *copy, bool value);
void seed_copy_date(struct seed_copy *copy, struct charle_date date);
void seed_copy_ts(struct seed_copy *copy, struct charle_ts ts);
void seed_copy_halves(struct seed_copy *copy, int32_t halves); // a numeric of n/2, 0 or more: 5 is 2.5
void seed_copy_json(struct seed_copy *copy, const char *text);
void seed_copy_texts(struct seed_copy *copy, const char *const *items, size_t count); // text[]

// For nullable columns.
void seed_copy_int4_if(struct seed_copy *copy, bool has, int32_t value);
void seed_copy_date_if(struct seed_copy *copy, bool has, struct charle_date date);
void seed_copy_ts_if(struct seed_copy *copy, bool has, struct charle_ts ts);

// Fills err from the connection's or the result's last message, with its SQLSTATE when there is one.
enum charle_err seed_fail_pg(PGconn *pg, const PGresult *result, const char *what, struct charle_error *err);

#endif
