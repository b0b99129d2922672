#include "output.h"

#include "base/alloc.h"
#include "msg/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_ROWS_MAX = 10000, CELL_WIDTH_MAX = 60 };

bool output_format_read(const char *name, enum output_format *out)
{
    static const char *const names[] = {"table", "json", "csv"};
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum output_format)i;
            return true;
        }
    }
    return false;
}

// With as many digits as tell it from its neighbours. JSON has no words for the other three, so they are strings.
static void write_float(double value, struct charle_buf *out)
{
    char text[40];
    if (!isfinite(value)) {
        charle_buf_add_text(out, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (digits == 17 || memcmp(&(double){strtod(text, NULL)}, &value, sizeof(value)) == 0)
            break;
    }
    charle_buf_add_text(out, text);
}

// A value as people read it; numbers and booleans are bare in JSON, all else is a string.
static void write_text(const struct charle_value *value, struct charle_buf *out, bool *out_is_bare)
{
    char text[CHARLE_TS_TEXT_SIZE];
    *out_is_bare = true;
    switch (value->is_null ? 0 : value->type) {
    case 0:
        return;
    case CHARLE_TYPE_BOOL:
        charle_buf_add_text(out, value->boolean ? "true" : "false");
        return;
    case CHARLE_TYPE_INT4:
        charle_buf_printf(out, "%" PRId32, value->int4);
        return;
    case CHARLE_TYPE_INT8:
        charle_buf_printf(out, "%" PRId64, value->int8);
        return;
    case CHARLE_TYPE_FLOAT8:
        write_float(value->float8, out);
        *out_is_bare = isfinite(value->float8);
        return;
    case CHARLE_TYPE_TIMESTAMPTZ:
        charle_buf_add(out, text, charle_ts_write(value->ts, text));
        break;
    case CHARLE_TYPE_DATE:
        charle_buf_add(out, text, charle_date_write(value->date, text));
        break;
    case CHARLE_TYPE_BYTES:
        for (size_t i = 0; i < value->bytes.len; i++)
            charle_buf_printf(out, "%02x", value->bytes.ptr[i]);
        break;
    default:
        charle_buf_add_str(out, value->text);
    }
    *out_is_bare = false;
}

static enum charle_err read_cell(struct charle_rows *rows, const struct charle_column *const *columns, size_t index,
                                 struct charle_value *out, struct charle_error *err)
{
    const struct charle_column *column = columns ? columns[index] : NULL;
    // Arrays, enums, uuids and JSON are stored as text that people can read as it is.
    uint8_t type = !column || column->is_array ? 0 : column->field->type;
    if (type == CHARLE_TYPE_ENUM || type == CHARLE_TYPE_UUID || type == CHARLE_TYPE_JSONB || type == CHARLE_TYPE_NUMERIC)
        type = 0;
    return charle_rows_value(rows, index, (enum charle_type)type, false, out, err);
}

static void add_csv(struct charle_buf *line, struct charle_str text)
{
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++)
        quoted |= strchr(",\"\r\n", text.ptr[i]) != NULL;
    if (quoted)
        charle_buf_add_byte(line, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            charle_buf_add_byte(line, '"');
        charle_buf_add_byte(line, (uint8_t)text.ptr[i]);
    }
    if (quoted)
        charle_buf_add_byte(line, '"');
}

static void write_cell(const struct charle_value *value, struct charle_str name, size_t index, enum output_format format,
                       struct charle_buf *line, struct charle_buf *cell)
{
    bool is_bare;
    charle_buf_reset(cell);
    write_text(value, cell, &is_bare);
    charle_buf_add_text(line, index ? (format == OUTPUT_JSON ? ", " : ",") : (format == OUTPUT_JSON ? "{" : ""));
    if (format != OUTPUT_JSON) {
        add_csv(line, charle_buf_str(cell));
        return;
    }
    charle_json_write_str(line, name);
    charle_buf_add_text(line, ": ");
    if (value->is_null)
        charle_buf_add_text(line, "null");
    else if (is_bare)
        charle_buf_add_str(line, charle_buf_str(cell));
    else
        charle_json_write_str(line, charle_buf_str(cell));
}

// One row as a JSON object or a CSV record, without the line's end.
static enum charle_err write_line(struct charle_rows *rows, const struct charle_column *const *columns, enum output_format format,
                                  struct charle_buf *line, struct charle_buf *cell, struct charle_error *err)
{
    for (size_t i = 0; i < charle_rows_column_count(rows); i++) {
        struct charle_value value;
        enum charle_err rc = read_cell(rows, columns, i, &value, err);
        if (rc)
            return rc;
        write_cell(&value, charle_rows_column_name(rows, i), i, format, line, cell);
    }
    if (format == OUTPUT_JSON)
        charle_buf_add_byte(line, '}');
    return line->failed ? charle_fail(err, line->failed, "a row is too large to print") : CHARLE_OK;
}

// A stored value of these types looks like a number; all others are text that people can read as it is.
static struct charle_value as_shown(const struct charle_column *column, struct charle_value value)
{
    if (!column || column->is_array || value.is_null || value.type != CHARLE_TYPE_INT8)
        return value;
    if (column->field->type == CHARLE_TYPE_BOOL)
        return charle_bool(value.int8 != 0);
    if (column->field->type == CHARLE_TYPE_TIMESTAMPTZ)
        return charle_timestamp((struct charle_ts){value.int8});
    return value;
}

void output_values(const struct charle_value *values, const char *const *names, const struct charle_column *const *columns, size_t count,
                   enum output_format format, struct charle_buf *line)
{
    struct charle_buf cell = {0};
    for (size_t i = 0; i < count; i++) {
        struct charle_value value = as_shown(columns ? columns[i] : NULL, values[i]);
        write_cell(&value, charle_str(names[i]), i, format, line, &cell);
    }
    if (format == OUTPUT_JSON)
        charle_buf_add_byte(line, '}');
    charle_buf_deinit(&cell);
}

static enum charle_err print_stream(struct charle_rows *rows, const struct charle_column *const *columns, enum output_format format,
                                    FILE *to, size_t *out_count, struct charle_error *err)
{
    struct charle_buf line = {0}, cell = {0};
    enum charle_err rc;
    size_t count = 0;
    // The bracket waits for the first row: what fails before it leaves room for an error that is JSON itself.
    for (size_t i = 0; format == OUTPUT_CSV && i < charle_rows_column_count(rows); i++)
        fprintf(to, "%s%.*s", i ? "," : "", CHARLE_FMT(charle_rows_column_name(rows, i)));
    fprintf(to, "%s", format == OUTPUT_CSV ? "\r\n" : "");
    while ((rc = charle_rows_next(rows, err)) == CHARLE_OK) {
        charle_buf_reset(&line);
        rc = write_line(rows, columns, format, &line, &cell, err);
        if (rc)
            break;
        fprintf(to, "%s%.*s%s", format == OUTPUT_JSON ? (count ? ",\n " : "[\n ") : "", CHARLE_FMT(charle_buf_str(&line)),
                format == OUTPUT_CSV ? "\r\n" : "");
        count++;
    }
    if (format == OUTPUT_JSON && (count || rc == CHARLE_DONE))
        fprintf(to, "%s]\n", count ? "\n" : "[");
    charle_buf_deinit(&line);
    charle_buf_deinit(&cell);
    *out_count = count;
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// Columns on the terminal that the text takes: continuation bytes of UTF-8 take none.
static size_t width_of(struct charle_str text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++)
        width += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return width;
}

// Cuts a cell to what fits one line: no line breaks, an ellipsis where it was too wide.
static struct charle_str shorten(struct charle_arena *arena, struct charle_str text)
{
    size_t width = 0, end = 0;
    while (end < text.len && width < CELL_WIDTH_MAX) {
        end++;
        while (end < text.len && ((unsigned char)text.ptr[end] & 0xc0) == 0x80)
            end++;
        width++;
    }
    struct charle_str copy = end < text.len ? charle_arena_printf(arena, "%.*s…", (int)end, text.ptr) : charle_arena_str(arena, text);
    for (size_t i = 0; i < copy.len; i++) {
        if ((unsigned char)copy.ptr[i] < 0x20)
            ((char *)(uintptr_t)copy.ptr)[i] = ' ';
    }
    return copy;
}

struct grid {
    struct charle_arena arena;
    struct charle_str *cells; // row by row, the header first
    bool *is_number;          // of each column: aligned to the right
    size_t columns, rows, capacity;
};

static bool grid_add(struct grid *grid, struct charle_str text)
{
    if (grid->rows == grid->capacity) {
        size_t capacity = grid->capacity ? grid->capacity * 2 : 256;
        struct charle_str *cells = ch_realloc_array(grid->cells, capacity, sizeof(*cells));
        if (!cells)
            return false;
        grid->cells = cells;
        grid->capacity = capacity;
    }
    grid->cells[grid->rows++] = text; // `rows` counts cells while the grid is filled
    return text.ptr != NULL;
}

static void grid_print(const struct grid *grid, FILE *to)
{
    size_t line_count = grid->rows / grid->columns;
    size_t *widths = ch_alloc_zeroed(grid->columns, sizeof(*widths));
    if (!widths)
        return;
    for (size_t i = 0; i < grid->rows; i++) {
        size_t width = width_of(grid->cells[i]);
        if (width > widths[i % grid->columns])
            widths[i % grid->columns] = width;
    }
    for (size_t line = 0; line < line_count; line++) {
        for (size_t c = 0; c < grid->columns; c++) {
            struct charle_str text = grid->cells[line * grid->columns + c];
            int pad = (int)(widths[c] - width_of(text));
            if (grid->is_number[c] && line)
                fprintf(to, "%s%*s%.*s", c ? "  " : "", pad, "", CHARLE_FMT(text));
            else
                fprintf(to, "%s%.*s%*s", c ? "  " : "", CHARLE_FMT(text), c + 1 < grid->columns ? pad : 0, "");
        }
        fprintf(to, "\n");
        for (size_t c = 0; line == 0 && c < grid->columns; c++) {
            fprintf(to, "%s", c ? "  " : "");
            for (size_t i = 0; i < widths[c]; i++)
                fputc('-', to);
        }
        if (line == 0)
            fprintf(to, "\n");
    }
    ch_free(widths);
}

static enum charle_err print_table(struct charle_rows *rows, const struct charle_column *const *columns, FILE *to, size_t *out_count,
                                   struct charle_error *err)
{
    struct grid grid = {.columns = charle_rows_column_count(rows)};
    struct charle_buf cell = {0};
    enum charle_err rc = CHARLE_OK;
    size_t count = 0;
    grid.is_number = charle_arena_array(&grid.arena, grid.columns, sizeof(bool));
    bool ok = grid.is_number != NULL;
    for (size_t i = 0; ok && i < grid.columns; i++)
        ok = grid_add(&grid, charle_arena_str(&grid.arena, charle_rows_column_name(rows, i)));
    while (ok && (rc = charle_rows_next(rows, err)) == CHARLE_OK) {
        if (count++ >= TABLE_ROWS_MAX)
            continue;
        for (size_t i = 0; ok && rc == CHARLE_OK && i < grid.columns; i++) {
            struct charle_value value;
            rc = read_cell(rows, columns, i, &value, err);
            if (rc)
                break;
            bool is_bare;
            charle_buf_reset(&cell);
            write_text(&value, &cell, &is_bare);
            grid.is_number[i] |= is_bare && !value.is_null && value.type != CHARLE_TYPE_BOOL;
            ok = !cell.failed && grid_add(&grid, shorten(&grid.arena, charle_buf_str(&cell)));
        }
        if (rc)
            break;
    }
    if (!ok)
        rc = charle_fail(err, CHARLE_NO_MEMORY, "the result does not fit in memory as a table; use --format csv or --limit");
    if (rc == CHARLE_DONE && grid.columns)
        grid_print(&grid, to);
    if (rc == CHARLE_DONE && count > TABLE_ROWS_MAX)
        fprintf(to, "… and %zu more rows; --format csv prints all\n", count - TABLE_ROWS_MAX);
    charle_arena_deinit(&grid.arena);
    charle_buf_deinit(&cell);
    ch_free(grid.cells);
    *out_count = count;
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

enum charle_err output_rows(struct charle_rows *rows, const struct charle_column *const *columns, enum output_format format, FILE *to,
                            size_t *out_count, struct charle_error *err)
{
    return format == OUTPUT_TABLE ? print_table(rows, columns, to, out_count, err)
                                  : print_stream(rows, columns, format, to, out_count, err);
}
