// Rows for people and programs: an aligned table, JSON or CSV; and a progress bar.
#ifndef CHARLE_TOOLS_OUTPUT_H
#define CHARLE_TOOLS_OUTPUT_H

#include "base/buf.h"
#include "cli.h"
#include "db/db.h"
#include "db/schema.h"

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV };
bool output_format_read(const char *name, enum output_format *out); // "table", "json", "csv"

// Prints all rows. `columns` (may be NULL) are the descriptors of the result's columns where they are known, NULL entries where not: they turn
// stored forms into what people read (timestamps, booleans). Tables are gathered in memory up to 10,000 rows, then a line says how many
// more there are; JSON and CSV stream.
CHARLE_MUST_CHECK enum charle_err output_rows(struct charle_rows *rows, const struct charle_column *const *columns,
                                              enum output_format format, FILE *to, size_t *out_count, struct charle_error *err);

// Appends one row of values as SQLite stores them, as a JSON object or else a CSV record, without the line's end.
void output_values(const struct charle_value *values, const char *const *names, const struct charle_column *const *columns, size_t count,
                   enum output_format format, struct charle_buf *line);

// A progress bar on stderr when that is a terminal, a line every 5 seconds when it is not.
struct progress {
    const char *what;
    int64_t started_us;
    int64_t shown_us;
    bool is_terminal;
    bool is_quiet;
    bool is_open;
};
void progress_start(struct progress *progress, const char *what, bool quiet);
void progress_show(struct progress *progress, uint64_t done, uint64_t total, const char *unit); // total 0: unknown
void progress_end(struct progress *progress, const char *sentence);

#endif
