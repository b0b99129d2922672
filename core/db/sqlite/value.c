// Values into SQLite's parameters and out of its columns. How each type is stored: core/db/db.h.
#include "db/json_canonical.h"
#include "db/sqlite/internal.h"
#include "msg/scalar.h"
#include "msg/wire.h"

#include <math.h>

static int bind_text(sqlite3_stmt *statement, int number, struct charle_str text)
{
    return sqlite3_bind_text64(statement, number, text.ptr ? text.ptr : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

// SQLite would store NaN as NULL. As text it orders behind all numbers and equals itself: as in PostgreSQL.
static int bind_float(sqlite3_stmt *statement, int number, double value)
{
    if (isnan(value))
        return bind_text(statement, number, CHARLE_STR("NaN"));
    return sqlite3_bind_double(statement, number, value == 0 ? 0 : value);
}

static enum charle_err check_text(struct charle_str text, struct charle_error *err)
{
    if (charle_utf8_is_valid(text))
        return CHARLE_OK;
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a text is not valid UTF-8, or has a zero byte in it");
}

static enum charle_err text_form(const struct charle_value *value, struct charle_arena *arena, struct charle_str *out,
                                 struct charle_error *err)
{
    char text[CHARLE_UUID_TEXT_LEN + 1];
    struct charle_numeric numeric;
    switch ((enum charle_type)value->type) {
    case CHARLE_TYPE_DATE:
        if (!charle_date_is_text(value->date))
            return charle_fail(err, CHARLE_OUT_OF_RANGE, "the date %.*s cannot be kept: laptops keep 0001-01-01 to 9999-12-31, and infinity",
                               (int)charle_date_write(value->date, text), text);
        charle_date_write(value->date, text);
        *out = charle_arena_str(arena, charle_str(text));
        break;
    case CHARLE_TYPE_UUID:
        charle_uuid_write(value->uuid, text);
        *out = charle_arena_str(arena, charle_str(text));
        break;
    case CHARLE_TYPE_NUMERIC:
        if (!charle_numeric_read(value->text, arena, &numeric))
            return charle_fail(err, CHARLE_INVALID_ARGUMENT, "\"%.*s\" is not a decimal number",
                               CHARLE_FMT(value->text));
        *out = numeric.text;
        break;
    case CHARLE_TYPE_JSONB:
        return ch_json_canonical(value->text, arena, out, err);
    default: // the caller has dealt with all others
        return charle_fail(err, CHARLE_INTERNAL, "type %d has no text form", value->type);
    }
    return out->ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "out of memory while binding a value");
}

// Binds what needs no other form. Returns SQLite's code, or -1 when the type is not one of these.
static int bind_plain(sqlite3_stmt *statement, int number, const struct charle_value *value)
{
    switch ((enum charle_type)value->type) {
    case CHARLE_TYPE_BOOL:
        return sqlite3_bind_int(statement, number, value->boolean);
    case CHARLE_TYPE_INT4:
        return sqlite3_bind_int(statement, number, value->int4);
    case CHARLE_TYPE_INT8:
    case CHARLE_TYPE_TIMESTAMPTZ:
        return sqlite3_bind_int64(statement, number, value->int8);
    case CHARLE_TYPE_FLOAT8:
        return bind_float(statement, number, value->float8);
    case CHARLE_TYPE_TEXT:
    case CHARLE_TYPE_ENUM:
        return bind_text(statement, number, value->text);
    case CHARLE_TYPE_BYTES:
        return sqlite3_bind_blob64(statement, number, value->bytes.ptr ? (const void *)value->bytes.ptr : "",
                                   value->bytes.len, SQLITE_STATIC);
    case CHARLE_TYPE_DATE:
    case CHARLE_TYPE_NUMERIC:
    case CHARLE_TYPE_UUID:
    case CHARLE_TYPE_JSONB:
    case CHARLE_TYPE_MESSAGE:
    case CHARLE_TYPE_UINT4:
    case CHARLE_TYPE_UINT8:
    case CHARLE_TYPE_FLOAT4:
        break;
    }
    return -1;
}

enum charle_err ch_sqlite_bind(sqlite3_stmt *statement, int number, const struct charle_value *value,
                               struct charle_arena *arena, struct charle_error *err)
{
    struct charle_str text = {0};
    enum charle_err rc = CHARLE_OK;
    int code = -1;
    if (value->is_null) {
        code = sqlite3_bind_null(statement, number);
    } else if (value->is_array) {
        rc = ch_sqlite_array_write((enum charle_type)value->type, &value->array, arena, &text, err);
    } else {
        if (value->type == CHARLE_TYPE_TEXT || value->type == CHARLE_TYPE_ENUM)
            rc = check_text(value->text, err);
        if (!rc)
            code = bind_plain(statement, number, value);
        if (!rc && code < 0)
            rc = text_form(value, arena, &text, err);
    }
    if (!rc && code < 0)
        code = bind_text(statement, number, text);
    if (rc)
        return charle_error_prefix(err, rc, "value $%d", number);
    return code ? ch_sqlite_fail(sqlite3_db_handle(statement), code, "binding a value", err) : CHARLE_OK;
}

// --- columns --------------------------------------------------------------------------------------------------------

static enum charle_err mismatch(sqlite3_stmt *statement, int column, enum charle_type type, struct charle_error *err)
{
    static const char *const classes[] = {"nothing", "an integer", "a real number", "text", "a blob", "NULL"};
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "column %s holds %s, which cannot be read as %s",
                       sqlite3_column_name(statement, column), classes[sqlite3_column_type(statement, column)],
                       charle_type_name(type));
}

static void read_natural(sqlite3_stmt *statement, int column, struct charle_value *out)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        *out = charle_int8(sqlite3_column_int64(statement, column));
        break;
    case SQLITE_FLOAT:
        *out = charle_float8(sqlite3_column_double(statement, column));
        break;
    case SQLITE_BLOB:
        *out = charle_blob(
            charle_bytes(sqlite3_column_blob(statement, column), (size_t)sqlite3_column_bytes(statement, column)));
        break;
    default:
        *out = charle_text(ch_sqlite_text(statement, column));
    }
}

static bool read_integer(sqlite3_stmt *statement, int column, enum charle_type type, struct charle_value *out)
{
    int64_t number = sqlite3_column_int64(statement, column);
    if (sqlite3_column_type(statement, column) != SQLITE_INTEGER)
        return false;
    if (type == CHARLE_TYPE_INT4) {
        out->int4 = (int32_t)number;
        return number >= INT32_MIN && number <= INT32_MAX;
    }
    if (type == CHARLE_TYPE_BOOL) {
        out->boolean = number != 0;
        return number == 0 || number == 1;
    }
    out->int8 = number;
    return true;
}

static bool read_float(sqlite3_stmt *statement, int column, struct charle_value *out)
{
    int stored = sqlite3_column_type(statement, column);
    out->float8 = sqlite3_column_double(statement, column);
    if (stored != SQLITE_TEXT)
        return stored != SQLITE_BLOB;
    out->float8 = NAN;
    return charle_str_equal(ch_sqlite_text(statement, column), CHARLE_STR("NaN"));
}

static bool read_text_form(sqlite3_stmt *statement, int column, enum charle_type type, struct charle_arena *arena,
                           struct charle_value *out)
{
    int stored = sqlite3_column_type(statement, column);
    bool is_number = stored == SQLITE_INTEGER || stored == SQLITE_FLOAT;
    struct charle_numeric numeric;
    if (stored != SQLITE_TEXT && !(type == CHARLE_TYPE_NUMERIC && is_number))
        return false;
    struct charle_str text = ch_sqlite_text(statement, column);
    switch (type) {
    case CHARLE_TYPE_DATE:
        return charle_date_read(text, &out->date);
    case CHARLE_TYPE_UUID:
        return charle_uuid_read(text, &out->uuid);
    case CHARLE_TYPE_NUMERIC:
        if (!charle_numeric_read(text, arena, &numeric))
            return false;
        out->text = numeric.text;
        return true;
    default: // text and JSON
        out->text = text;
        return true;
    }
}

enum charle_err ch_sqlite_column(sqlite3_stmt *statement, int column, enum charle_type type, bool is_array,
                                 struct charle_arena *arena, struct charle_value *out, struct charle_error *err)
{
    enum charle_type as = type == CHARLE_TYPE_ENUM ? CHARLE_TYPE_TEXT : type;
    bool ok = true;
    *out = (struct charle_value){.type = (uint8_t)as, .is_array = is_array};
    int stored = sqlite3_column_type(statement, column);
    if (stored == SQLITE_NULL) {
        out->is_null = true;
        return CHARLE_OK;
    }
    if (type == 0) {
        read_natural(statement, column, out);
        return CHARLE_OK;
    }
    if (is_array) {
        if (stored != SQLITE_TEXT)
            return mismatch(statement, column, type, err);
        return ch_sqlite_array_read(as, ch_sqlite_text(statement, column), arena, &out->array, err);
    }
    if (as == CHARLE_TYPE_BOOL || as == CHARLE_TYPE_INT4 || as == CHARLE_TYPE_INT8 || as == CHARLE_TYPE_TIMESTAMPTZ)
        ok = read_integer(statement, column, as, out);
    else if (as == CHARLE_TYPE_FLOAT8)
        ok = read_float(statement, column, out);
    else if (as == CHARLE_TYPE_BYTES && stored == SQLITE_BLOB)
        read_natural(statement, column, out);
    else if (as == CHARLE_TYPE_BYTES)
        ok = false;
    else
        ok = read_text_form(statement, column, as, arena, out);
    return ok ? CHARLE_OK : mismatch(statement, column, type, err);
}
