#include "base/clock.h"

#include <stdio.h>
#include <time.h>

enum {
    US_PER_SECOND = 1000000,
    FIRST_DAY = -719162, // 0001-01-01
    LAST_DAY = 2932896,  // 9999-12-31
};
#define US_PER_DAY ((int64_t)86400 * US_PER_SECOND)

struct charle_ts ch_clock_wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct charle_ts){(int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000};
}

int64_t ch_clock_mono_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

// Days and civil dates by Howard Hinnant's algorithms (chrono-compatible low-level date algorithms): eras of 400 years
// that begin on the 1st of March.
struct charle_date charle_date_of(int year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (struct charle_date){(int32_t)(era * 146097 + day_of_era - 719468)};
}

void charle_date_parts(struct charle_date date, int *out_year, int *out_month, int *out_day)
{
    int64_t z = (int64_t)date.days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t mp = (5 * day_of_year + 2) / 153;
    *out_day = (int)(day_of_year - (153 * mp + 2) / 5 + 1);
    *out_month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *out_year = (int)(year_of_era + era * 400 + (*out_month <= 2));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

struct charle_date charle_ts_date(struct charle_ts ts)
{
    return (struct charle_date){(int32_t)floor_div(ts.us, US_PER_DAY)};
}

// The names of the two ends; NULL for all others. As texts they order as they should: '-' before the digits, 'i' behind them.
static const char *infinity(bool is_least, bool is_largest)
{
    return is_least ? "-infinity" : is_largest ? "infinity" : NULL;
}

bool charle_date_is_text(struct charle_date date)
{
    return date.days == INT32_MIN || date.days == INT32_MAX || (date.days >= FIRST_DAY && date.days <= LAST_DAY);
}

size_t charle_date_write(struct charle_date date, char out[CHARLE_DATE_TEXT_SIZE])
{
    int year, month, day;
    const char *end = infinity(date.days == INT32_MIN, date.days == INT32_MAX);
    if (end)
        return (size_t)snprintf(out, CHARLE_DATE_TEXT_SIZE, "%s", end);
    charle_date_parts(date, &year, &month, &day);
    return (size_t)snprintf(out, CHARLE_DATE_TEXT_SIZE, "%04d-%02d-%02d", year, month, day);
}

size_t charle_ts_write(struct charle_ts ts, char out[CHARLE_TS_TEXT_SIZE])
{
    const char *end = infinity(ts.us == INT64_MIN, ts.us == INT64_MAX);
    if (end)
        return (size_t)snprintf(out, CHARLE_TS_TEXT_SIZE, "%s", end);
    struct charle_date date = charle_ts_date(ts);
    int64_t us = ts.us - (int64_t)date.days * US_PER_DAY;
    int year, month, day;
    charle_date_parts(date, &year, &month, &day);
    int seconds = (int)(us / US_PER_SECOND);
    int fraction = (int)(us % US_PER_SECOND);
    int len = snprintf(out, CHARLE_TS_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, seconds / 3600,
                       seconds / 60 % 60, seconds % 60);
    if (fraction % 1000)
        len += snprintf(out + len, CHARLE_TS_TEXT_SIZE - (size_t)len, ".%06d", fraction);
    else if (fraction)
        len += snprintf(out + len, CHARLE_TS_TEXT_SIZE - (size_t)len, ".%03d", fraction / 1000);
    len += snprintf(out + len, CHARLE_TS_TEXT_SIZE - (size_t)len, "Z");
    return (size_t)len;
}

// Reads exactly `count` digits; -1 when they are not there.
static int digits(const char **p, const char *end, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*p)++) {
        if (*p >= end || **p < '0' || **p > '9')
            return -1;
        value = value * 10 + (**p - '0');
    }
    return value;
}

static bool literal(const char **p, const char *end, char c)
{
    if (*p >= end || **p != c)
        return false;
    (*p)++;
    return true;
}

static bool read_date(const char **p, const char *end, struct charle_date *out)
{
    int year = digits(p, end, 4);
    bool ok = year >= 0 && literal(p, end, '-');
    int month = ok ? digits(p, end, 2) : -1;
    ok = month >= 1 && month <= 12 && literal(p, end, '-');
    int day = ok ? digits(p, end, 2) : -1;
    if (day < 1 || day > 31)
        return false;
    struct charle_date date = charle_date_of(year, month, day);
    int y, m, d;
    charle_date_parts(date, &y, &m, &d);
    if (y != year || m != month || d != day)
        return false; // 30 February
    *out = date;
    return true;
}

static bool read_infinity(struct charle_str text, bool *out_is_largest)
{
    *out_is_largest = charle_str_equal(text, CHARLE_STR("infinity"));
    return *out_is_largest || charle_str_equal(text, CHARLE_STR("-infinity"));
}

bool charle_date_read(struct charle_str text, struct charle_date *out)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    struct charle_date date;
    bool is_largest, is_infinite = read_infinity(text, &is_largest);
    if (is_infinite)
        date.days = is_largest ? INT32_MAX : INT32_MIN;
    else if (!text.len || !read_date(&p, end, &date) || p != end)
        return false;
    *out = date;
    return true;
}

static bool read_time(const char **p, const char *end, int64_t *out_us)
{
    int hour = digits(p, end, 2);
    bool ok = hour >= 0 && hour < 24 && literal(p, end, ':');
    int minute = ok ? digits(p, end, 2) : -1;
    ok = minute >= 0 && minute < 60 && literal(p, end, ':');
    int second = ok ? digits(p, end, 2) : -1;
    if (second < 0 || second > 59)
        return false;
    int64_t us = ((int64_t)hour * 3600 + minute * 60 + second) * US_PER_SECOND;
    if (*p < end && **p == '.') {
        (*p)++;
        int64_t unit = US_PER_SECOND / 10;
        const char *first = *p;
        for (; *p < end && **p >= '0' && **p <= '9' && unit > 0; (*p)++, unit /= 10)
            us += (**p - '0') * unit;
        if (*p == first)
            return false;
    }
    *out_us = us;
    return true;
}

static bool read_zone(const char **p, const char *end, int64_t *out_us)
{
    if (literal(p, end, 'Z')) {
        *out_us = 0;
        return true;
    }
    int sign = *p < end && **p == '-' ? -1 : 1;
    if (!literal(p, end, '+') && !literal(p, end, '-'))
        return false;
    int hour = digits(p, end, 2);
    bool ok = hour >= 0 && hour <= 15 && literal(p, end, ':');
    int minute = ok ? digits(p, end, 2) : -1;
    if (minute < 0 || minute > 59)
        return false;
    *out_us = sign * ((int64_t)hour * 3600 + minute * 60) * US_PER_SECOND;
    return true;
}

bool charle_ts_read(struct charle_str text, struct charle_ts *out)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    struct charle_date date;
    int64_t time_us, zone_us;
    bool is_largest;
    if (read_infinity(text, &is_largest)) {
        out->us = is_largest ? INT64_MAX : INT64_MIN;
        return true;
    }
    if (!text.len || !read_date(&p, end, &date) || !literal(&p, end, 'T') || !read_time(&p, end, &time_us) ||
        !read_zone(&p, end, &zone_us) || p != end)
        return false;
    out->us = (int64_t)date.days * US_PER_DAY + time_us - zone_us;
    return true;
}
