// Logging time, for the other services: completing a subtask logs time by the same rules.
#ifndef CHARLE_SERVICES_TIME_H
#define CHARLE_SERVICES_TIME_H

#include "charleos/time.charle.h"

// The rules and effects of TimeService.LogTime.
CHARLE_MUST_CHECK enum charle_err ch_time_log(struct charle_context *context,
                                              const struct charleos_log_time_request *request,
                                              struct charleos_time_entry *out_entry, int32_t *out_day_minutes,
                                              struct charle_error *err);

#endif
