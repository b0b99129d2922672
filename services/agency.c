#include "services/agency.h"

#include "charleos/auxiliary.charle.h"
#include "services/store.h"

#include <stdio.h>

#define HOUR_US ((int64_t)3600 * 1000000)

// The moment at which summer time changes in a year: 01:00 UTC on the last Sunday of the month, which has 31 days.
static int64_t change_us(int year, int month)
{
    int32_t last = charle_date_of(year, month, 31).days;
    int32_t sunday = last - (last + 4) % 7; // 1970-01-01 was a Thursday

    return sunday * 24 * HOUR_US + HOUR_US;
}

struct charle_date ch_agency_day(struct charle_ts now)
{
    int year, month, day;

    charle_date_parts(charle_ts_date(now), &year, &month, &day);
    if (now.us >= change_us(year, 3) && now.us < change_us(year, 10))
        now.us += HOUR_US;
    return charle_ts_date(now);
}

void ch_agency_month(struct charle_date day, char out[CH_MONTH_SIZE])
{
    char text[CHARLE_DATE_TEXT_SIZE];

    charle_date_write(day, text);
    snprintf(out, CH_MONTH_SIZE, "%.7s", text);
}

enum charle_err ch_agency_caller(const struct charle_context *context, struct charle_str *out_user_id,
                                 struct charle_error *err)
{
    if (!context->identity || !charle_str_equal(context->identity->principal, CHARLE_STR("user")))
        return charle_fail(err, CHARLE_PERMISSION_DENIED, "this is for team members");
    *out_user_id = context->identity->id;
    return CHARLE_OK;
}

enum charle_err ch_agency_log(struct charle_context *context, const struct ch_activity *activity,
                              struct charle_error *err)
{
    const struct charle_identity *who = context->identity;
    bool is_user = charle_str_equal(who->principal, CHARLE_STR("user"));
    struct charleos_activity_log row = {
        .id = charle_context_new_id(context),
        .at = context->now,
        .verb = charle_str(activity->verb),
        .subject_type = charle_str(activity->subject_type),
        .subject_id = activity->subject_id,
        .client_id = activity->client_id,
        .device_id = {.value = who->device_id, .has = who->device_id.len > 0},
        .occurred_at = context->now,
        .client_visible = activity->is_client_visible,
        // The same on the laptop and at the replay, so that the confirmed row is the one that was shown.
        .offline_queued_at = {.value = context->now, .has = context->is_replica || context->is_replay},
    };

    if (!row.id.ptr)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for an id");
    if (is_user)
        row.actor_user_id = ch_some(who->id);
    else
        row.actor_client_user_id = ch_some(who->id);
    if (activity->after.len)
        row.after.has = true, row.after.value.text = activity->after;
    return ch_store_insert(context, &charleos_activity_log_table, &row, err);
}
