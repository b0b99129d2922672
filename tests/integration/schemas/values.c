#include "values.h"

#include "msg/json.h"

#include <stdio.h>

enum { MANY = 1000 };

#define LIST(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)

static void pick(struct charle_buf *json, size_t n, const char *const *list, size_t count)
{
    charle_buf_add_text(json, list[n % count]);
}

// Quotes, wildcards, other scripts, controls, and what looks like SQL or a parameter.
static void add_text(struct charle_buf *json, size_t n, bool is_unique)
{
    static const char *const edges[] = {"",  "plain", "it's \"quoted\" \\ $1 ?", "100% _under_ -- ; drop table",
                                        " x ", "Žluťoučký 🚲 ﬁ", "tab\tline\nreturn\r", "\x01\x1f\x7f", "null", "{\"a\":[1]}"};
    char text[80];
    const char *edge = edges[n % (sizeof(edges) / sizeof(edges[0]))];
    if (is_unique && strchr(edge, '\x1f'))
        edge = "\x01\x7f"; // U+001E and U+001F separate keys in the log of changes, so keys may not hold them
    if (is_unique)
        snprintf(text, sizeof(text), "k%04zu %s", n, edge);
    else
        snprintf(text, sizeof(text), "%s", edge);
    charle_json_write_str(json, charle_str(text));
}

static void add_unique(struct charle_buf *json, const struct charle_column *column, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    switch ((enum charle_type)column->field->type) {
    case CHARLE_TYPE_BYTES:
        charle_buf_printf(json, "\"%c%c%c%c\"", "ABCDEFGHIJ"[n % 10], "ABCDEFGHIJ"[n / 10 % 10], "ABCDEFGHIJ"[n / 100 % 10], 'A');
        break;
    case CHARLE_TYPE_UUID:
        charle_buf_printf(json, "\"%c%c%c00000-0000-4000-8000-ffffffffffff\"", hex[n % 10], hex[n / 10 % 10], hex[n / 100 % 10]);
        break;
    case CHARLE_TYPE_TIMESTAMPTZ:
        charle_buf_printf(json, "\"%s-03-04T05:06:07.%06zuZ\"", n % 2 ? "1969" : "2026", n);
        break;
    case CHARLE_TYPE_DATE:
        charle_buf_printf(json, "\"%04zu-02-28\"", 1000 + n);
        break;
    case CHARLE_TYPE_NUMERIC:
        charle_buf_printf(json, "\"%s%zu.%03zu\"", n % 2 ? "-" : "", n, n);
        break;
    case CHARLE_TYPE_FLOAT8:
        charle_buf_printf(json, "%s%zu.5", n % 2 ? "-" : "", n);
        break;
    default: // INT4 and INT8, the least first
        if (n == 0)
            charle_buf_add_text(json, column->field->type == CHARLE_TYPE_INT4 ? "-2147483648" : "-9223372036854775808");
        else
            charle_buf_printf(json, "%zu", n);
        break;
    }
}

static void add_enum(struct charle_buf *json, const struct charle_field *field, size_t n)
{
    charle_json_write_str(json, field->enumeration->values[n % field->enumeration->count].name);
}

static void add_scalar(struct charle_buf *json, const struct charle_column *column, size_t n, bool is_unique)
{
    switch ((enum charle_type)column->field->type) {
    case CHARLE_TYPE_TEXT:
        add_text(json, n, is_unique);
        return;
    case CHARLE_TYPE_ENUM:
        add_enum(json, column->field, n);
        return;
    case CHARLE_TYPE_BOOL:
        pick(json, n, LIST("false", "true"));
        return;
    default:
        break;
    }
    if (is_unique) {
        add_unique(json, column, n);
        return;
    }
    switch ((enum charle_type)column->field->type) {
    case CHARLE_TYPE_INT4:
        pick(json, n, LIST("0", "-1", "2147483647", "-2147483648", "127", "128", "65536"));
        break;
    case CHARLE_TYPE_INT8:
        pick(json, n, LIST("0", "-1", "9223372036854775807", "-9223372036854775808", "4294967296", "9007199254740993"));
        break;
    case CHARLE_TYPE_FLOAT8:
        // Not -0: a replica has 0 for it (db/row.h).
        pick(json, n, LIST("0", "0.1", "-1.7976931348623157e308", "5e-324", "3", "1e15", "123456789.123456789"));
        break;
    case CHARLE_TYPE_BYTES:
        pick(json, n, LIST("\"\"", "\"AA==\"", "\"/////w==\"", "\"J1wiAA==\""));
        break;
    case CHARLE_TYPE_TIMESTAMPTZ:
        pick(json, n, LIST("\"1970-01-01T00:00:00Z\"", "\"2026-11-22T12:41:00.123456Z\"", "\"0001-01-01T00:00:00Z\"",
                           "\"9999-12-31T23:59:59.999999Z\"", "\"1969-12-31T23:59:59.999999Z\""));
        break;
    case CHARLE_TYPE_DATE:
        pick(json, n, LIST("\"1970-01-01\"", "\"2024-02-29\"", "\"0001-01-01\"", "\"9999-12-31\"", "\"1969-12-31\""));
        break;
    case CHARLE_TYPE_NUMERIC:
        pick(json, n, LIST("\"0\"", "\"-1.5\"", "\"123456789012345678901234567890.123456789\"", "\"0.0000000001\"", "\"10000\""));
        break;
    case CHARLE_TYPE_UUID:
        pick(json, n, LIST("\"00000000-0000-0000-0000-000000000000\"", "\"ffffffff-ffff-ffff-ffff-ffffffffffff\"",
                           "\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\""));
        break;
    default: // JSONB
        pick(json, n, LIST("{}", "{\"b\":[1,2.5,{\"c\":null}],\"a\":\"it's\"}", "[]", "\"text\"", "true", "1e3", "{\"z\":1,\"aa\":2}"));
        break;
    }
}

void values_add(struct charle_buf *json, const struct charle_column *column, size_t n, bool is_unique)
{
    if (!column->is_array) {
        add_scalar(json, column, n, is_unique);
        return;
    }
    charle_buf_add_text(json, "[");
    for (size_t i = 0; i < n % 4; i++) { // of three different values, so that sets are sets
        charle_buf_add_text(json, i ? "," : "");
        add_scalar(json, column, n + i, false);
        if (column->field->type == CHARLE_TYPE_BOOL || column->field->type == CHARLE_TYPE_ENUM)
            break;
    }
    charle_buf_add_text(json, "]");
}

size_t values_count(const struct charle_column *column)
{
    if (column->field->type == CHARLE_TYPE_BOOL)
        return 2;
    return column->field->type == CHARLE_TYPE_ENUM ? column->field->enumeration->count : MANY;
}
