// The figures that follow from time entries: of requirements, tickets, project tasks and months.
//
// They move by the minutes that came or went, under the row locks of their updates, so that concurrent entries add up.
// On a replica, which may not see the other entries or the month, the same steps give a preview of what is there.
#ifndef CHARLE_SERVICES_LEDGER_H
#define CHARLE_SERVICES_LEDGER_H

#include "call/context.h"
#include "charleos/billing.charle.h"

// Moves the figures for an entry that was added (minutes > 0) or taken away (minutes < 0).
CHARLE_MUST_CHECK enum charle_err ch_ledger_move(struct charle_context *context,
                                                 const struct charleos_time_entry *entry, int32_t minutes,
                                                 struct charle_error *err);

// FAILED_PRECONDITION when the client's month is closed. Nothing for a client without a month, or one that is not
// visible here.
CHARLE_MUST_CHECK enum charle_err ch_ledger_check_open(struct charle_context *context, struct charle_str client_id,
                                                       struct charle_date day, struct charle_error *err);

// Called when a step of a requirement was completed: when it was the last one, the requirement is complete, and on the
// server its figures are frozen in requirement_efficiency and counted in the client's open month.
CHARLE_MUST_CHECK enum charle_err ch_ledger_finish(struct charle_context *context, struct charle_str requirement_id,
                                                   struct charle_str client_id, struct charle_error *err);

// What a requirement bills after `actual` minutes: nothing at 0, otherwise between the quoted average and maximum.
int32_t ch_ledger_billable(int32_t quoted, int32_t quoted_max, int32_t actual);

#endif
