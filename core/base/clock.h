// Time and dates as values. Nothing here reads a clock but ch_clock_wall and ch_clock_mono, and only edges call those.
#ifndef CHARLE_BASE_CLOCK_H
#define CHARLE_BASE_CLOCK_H

#include "base/str.h"

// A moment: microseconds since 1970-01-01 00:00:00 UTC, as PostgreSQL's timestamptz keeps it; -infinity and infinity as for dates.
struct charle_ts {
    int64_t us;
};

// A calendar date: days since 1970-01-01. The least and the largest number are PostgreSQL's -infinity and infinity.
struct charle_date {
    int32_t days;
};

struct charle_ts ch_clock_wall(void); // CLOCK_REALTIME
int64_t ch_clock_mono_us(void);       // CLOCK_MONOTONIC

struct charle_date charle_date_of(int year, int month, int day); // proleptic Gregorian; no range check
void charle_date_parts(struct charle_date date, int *out_year, int *out_month, int *out_day);
struct charle_date charle_ts_date(struct charle_ts ts); // in UTC

// Text forms: "2026-11-22" and "2026-11-22T12:41:00.123456Z". The writers return the length without the NUL.
// The readers accept exactly these forms (the fraction may have 0 to 6 digits; "Z" or an offset "+hh:mm"), "infinity" and "-infinity",
// and return false for anything else, a 30th of February among it.
#define CHARLE_DATE_TEXT_SIZE 16
#define CHARLE_TS_TEXT_SIZE 40
size_t charle_date_write(struct charle_date date, char out[CHARLE_DATE_TEXT_SIZE]);
size_t charle_ts_write(struct charle_ts ts, char out[CHARLE_TS_TEXT_SIZE]);
bool charle_date_read(struct charle_str text, struct charle_date *out);
// Can the date be read back from its text, and does the text order as the date does? Years of four digits, and infinity.
bool charle_date_is_text(struct charle_date date);
bool charle_ts_read(struct charle_str text, struct charle_ts *out);

#endif
