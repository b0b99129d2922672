// What the agency's services share: its calendar, its log, and who the caller is.
#ifndef CHARLE_SERVICES_AGENCY_H
#define CHARLE_SERVICES_AGENCY_H

#include "call/context.h"

// The agency's day at a moment: London's, with British Summer Time from the last Sunday of March to that of October,
// 01:00 UTC.
struct charle_date ch_agency_day(struct charle_ts now);
// "2026-11" of a day. NUL-terminated.
#define CH_MONTH_SIZE 8
void ch_agency_month(struct charle_date day, char out[CH_MONTH_SIZE]);

// The id of the team member who calls; PERMISSION_DENIED for anyone else.
CHARLE_MUST_CHECK enum charle_err ch_agency_caller(const struct charle_context *context, struct charle_str *out_user_id,
                                                   struct charle_error *err);

// Writes what happened into activity_log, as the caller's deed at the call's time. `after` is a JSON object or empty.
// client_id may be absent. Takes one id from the context.
struct ch_activity {
    const char *verb;         // "time.logged"
    const char *subject_type; // name of a table
    struct charle_str subject_id;
    struct charle_opt_text client_id;
    struct charle_str after;
    bool is_client_visible;
};
CHARLE_MUST_CHECK enum charle_err ch_agency_log(struct charle_context *context, const struct ch_activity *activity,
                                                struct charle_error *err);

#endif
