// Dates and moments: against libc, through text and back, and what is refused.
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void dates_agree_with_libc(void **state)
{
    (void)state;
    for (int32_t days = -800000; days < 800000; days += 13) {
        time_t seconds = (time_t)days * 86400;
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        int year, month, day;
        charle_date_parts((struct charle_date){days}, &year, &month, &day);
        assert_int_equal(year, tm.tm_year + 1900);
        assert_int_equal(month, tm.tm_mon + 1);
        assert_int_equal(day, tm.tm_mday);
        assert_int_equal(charle_date_of(year, month, day).days, days);
    }
}

static void moments_survive_their_text(void **state)
{
    (void)state;
    static const int64_t moments[] = {0,
                                      -1,
                                      1,
                                      999999,
                                      1000000,
                                      -1000001,
                                      1795351260000000,
                                      1795351260123000,
                                      1795351260123456,
                                      253402300799999999,
                                      -62135596800000000};
    for (size_t i = 0; i < sizeof(moments) / sizeof(*moments); i++) {
        char text[CHARLE_TS_TEXT_SIZE];
        struct charle_ts back;
        size_t len = charle_ts_write((struct charle_ts){moments[i]}, text);
        assert_int_equal(len, strlen(text));
        assert_true(charle_ts_read(charle_str(text), &back));
        assert_true(back.us == moments[i]);
    }
}

static void moments_have_one_text(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1795351260123000, "2026-11-22T12:41:00.123Z"},
        {1795351260123456, "2026-11-22T12:41:00.123456Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[CHARLE_TS_TEXT_SIZE];
        charle_ts_write((struct charle_ts){cases[i].us}, text);
        assert_string_equal(text, cases[i].text);
    }
    assert_int_equal(charle_ts_date((struct charle_ts){-1}).days, -1);
    assert_int_equal(charle_ts_date((struct charle_ts){86399999999}).days, 0);
}

// The ends of PostgreSQL's dates and moments have names, which order as texts as they do as dates.
static void infinity_has_a_name(void **state)
{
    (void)state;
    static const struct {
        int32_t days;
        const char *text;
        bool is_text;
    } cases[] = {
        {INT32_MIN, "-infinity", true}, {-719163, "0000-12-31", false}, {-719162, "0001-01-01", true},
        {2932896, "9999-12-31", true},  {2932897, "10000-01-01", false}, {INT32_MAX, "infinity", true},
    };
    const char *last = NULL;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[CHARLE_DATE_TEXT_SIZE];
        struct charle_date date = {cases[i].days}, back;
        assert_int_equal(charle_date_write(date, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
        assert_int_equal(charle_date_is_text(date), cases[i].is_text);
        if (!cases[i].is_text)
            continue;
        assert_true(charle_date_read(charle_str(text), &back));
        assert_int_equal(back.days, cases[i].days);
        assert_true(!last || strcmp(last, cases[i].text) < 0);
        last = cases[i].text;
    }
    struct charle_ts ts;
    char text[CHARLE_TS_TEXT_SIZE];
    assert_true(charle_ts_read(CHARLE_STR("-infinity"), &ts) && ts.us == INT64_MIN);
    assert_int_equal(charle_ts_write(ts, text), strlen("-infinity"));
    assert_true(charle_ts_read(CHARLE_STR("infinity"), &ts) && ts.us == INT64_MAX);
    charle_ts_write(ts, text);
    assert_string_equal(text, "infinity");
}

static void offsets_and_fractions_are_read(void **state)
{
    (void)state;
    struct charle_ts ts;
    assert_true(charle_ts_read(CHARLE_STR("2026-11-22T13:41:00.5+01:00"), &ts));
    assert_true(ts.us == 1795351260500000);
    assert_true(charle_ts_read(CHARLE_STR("2026-11-22T07:11:00-05:30"), &ts));
    assert_true(ts.us == 1795351260000000);
}

static void other_forms_are_refused(void **state)
{
    (void)state;
    static const char *const moments[] = {"",
                                          "2026-11-22",
                                          "2026-11-22T12:41:00",
                                          "2026-11-22 12:41:00Z",
                                          "2026-11-22T24:00:00Z",
                                          "2026-11-22T12:60:00Z",
                                          "2026-11-22T12:41:60Z",
                                          "2026-11-22T12:41:00.Z",
                                          "2026-11-22T12:41:00.1234567Z",
                                          "2026-02-30T12:41:00Z",
                                          "2026-11-22T12:41:00Zx",
                                          "2026-11-22T12:41:00+1:00",
                                          "2026-11-22T12:41:00+16:00",
                                          "2026-11-22T12:41:00z",
                                          "26-11-22T12:41:00Z",
                                          "2026-11-22T12:41:00+01:60"};
    static const char *const dates[] = {"",           "2026-11-2",  "2026-13-01", "2026-00-10",
                                        "2026-01-00", "2026-02-29", "2026-04-31", "2026-11-22 ",
                                        "20261122",   "2026/11/22", "x026-11-22"};
    struct charle_ts ts;
    struct charle_date date;
    for (size_t i = 0; i < sizeof(moments) / sizeof(*moments); i++) {
        if (charle_ts_read(charle_str(moments[i]), &ts))
            fail_msg("%s was read", moments[i]);
    }
    for (size_t i = 0; i < sizeof(dates) / sizeof(*dates); i++) {
        if (charle_date_read(charle_str(dates[i]), &date))
            fail_msg("%s was read", dates[i]);
    }
    assert_true(charle_date_read(CHARLE_STR("2024-02-29"), &date));
}

static void clocks_move_on(void **state)
{
    (void)state;
    int64_t mono = ch_clock_mono_us();
    assert_true(ch_clock_mono_us() >= mono);
    assert_true(ch_clock_wall().us > 1700000000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_agree_with_libc),   cmocka_unit_test(moments_survive_their_text),
        cmocka_unit_test(moments_have_one_text),   cmocka_unit_test(offsets_and_fractions_are_read),
        cmocka_unit_test(other_forms_are_refused), cmocka_unit_test(infinity_has_a_name), cmocka_unit_test(clocks_move_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
