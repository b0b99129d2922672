// Working days, months and the bank holidays of England and Wales.
#include "tools/seed/world.h"

#include <stdio.h>

static int weekday(int32_t day) // 0 is Sunday
{
    return (day % 7 + 11) % 7;
}

// The day itself, or the Monday after it when it falls on a weekend.
static int32_t weekday_after(int32_t day)
{
    return weekday(day) == 6 ? day + 2 : weekday(day) == 0 ? day + 1 : day;
}

static int32_t monday_from(int32_t day)
{
    return day + (8 - weekday(day)) % 7;
}

// Easter Sunday by the anonymous Gregorian computus (Meeus, Jones, Butcher).
static int32_t easter(int year)
{
    int a = year % 19, b = year / 100, c = year % 100;
    int d = b / 4, e = b % 4, f = (b + 8) / 25, g = (b - f + 1) / 3;
    int h = (19 * a + b - d - g + 15) % 30, i = c / 4, k = c % 4;
    int l = (32 + 2 * e + 2 * i - h - k) % 7, m = (a + 11 * h + 22 * l) / 451;
    int sum = h + l - 7 * m + 114;

    return charle_date_of(year, sum / 31, sum % 31 + 1).days;
}

size_t seed_holidays_of(int year, struct seed_holiday out[10])
{
    int32_t christmas = charle_date_of(year, 12, 25).days;
    int32_t sunday = easter(year);
    size_t n = 0;

    out[n++] = (struct seed_holiday){weekday_after(charle_date_of(year, 1, 1).days), "New Year's Day"};
    out[n++] = (struct seed_holiday){sunday - 2, "Good Friday"};
    out[n++] = (struct seed_holiday){sunday + 1, "Easter Monday"};
    out[n++] = (struct seed_holiday){monday_from(charle_date_of(year, 5, 1).days), "Early May bank holiday"};
    out[n++] = (struct seed_holiday){monday_from(charle_date_of(year, 5, 25).days), "Spring bank holiday"};
    out[n++] = (struct seed_holiday){monday_from(charle_date_of(year, 8, 25).days), "Summer bank holiday"};
    // When Christmas and Boxing Day touch a weekend, both substitutes come after both days.
    out[n++] = (struct seed_holiday){weekday(christmas) == 6 || weekday(christmas) == 0 ? christmas + 2 : christmas,
                                     "Christmas Day"};
    out[n++] = (struct seed_holiday){
        weekday(christmas + 1) == 6 || weekday(christmas + 1) == 0 ? christmas + 3 : christmas + 1, "Boxing Day"};
    return n;
}

bool seed_is_working_day(const struct seed_world *world, int32_t day)
{
    if (day >= world->first && day <= world->last)
        return !world->is_closed[day - world->first];
    return weekday(day) != 0 && weekday(day) != 6;
}

int32_t seed_next_working_day(const struct seed_world *world, int32_t day)
{
    while (!seed_is_working_day(world, day))
        day++;
    return day;
}

int64_t seed_at(struct seed_world *world, int32_t day, int hour)
{
    return day * SEED_DAY_US + ((int64_t)hour * 3600 + seed_below(&world->random, 3600)) * 1000000 +
           seed_below(&world->random, 1000000);
}

int seed_month_of(const struct seed_world *world, int32_t day)
{
    int year, month, unused;

    charle_date_parts((struct charle_date){day}, &year, &month, &unused);
    return (year - world->first_year) * 12 + month - world->first_month;
}

int32_t seed_month_start(const struct seed_world *world, int month)
{
    int index = world->first_year * 12 + world->first_month - 1 + month;

    return charle_date_of(index / 12, index % 12 + 1, 1).days;
}

void seed_month_name(const struct seed_world *world, int month, char out[8])
{
    unsigned index = (unsigned)(world->first_year * 12 + world->first_month - 1 + month);

    snprintf(out, 8, "%04u-%02u", index / 12 % 10000, index % 12 + 1);
}
