#include "services/ledger.h"

#include "charleos/billing.columns.charle.h"
#include "charleos/core.columns.charle.h"
#include "db/query_words.h"
#include "services/agency.h"
#include "services/store.h"

#define LEDGER_MONTH(FIELD, OUTER)      \
    FIELD(status, client_period.status) \
    FIELD(client_name, client.name)
CHARLE_SHAPE(ledger_month, LEDGER_MONTH);

int32_t ch_ledger_billable(int32_t quoted, int32_t quoted_max, int32_t actual)
{
    if (actual <= 0)
        return 0;
    if (actual < quoted)
        return quoted;
    return actual > quoted_max ? quoted_max : actual;
}

enum charle_err ch_ledger_check_open(struct charle_context *context, struct charle_str client_id,
                                     struct charle_date day, struct charle_error *err)
{
    struct ledger_month found;
    char month[CH_MONTH_SIZE];
    enum charle_err rc;

    ch_agency_month(day, month);
    rc = charle_fetch_one(
        context->db, context->arena,
        charle_select(ledger_month, from(client_period), inner_join(client, eq(client.id, client_period.client_id)),
                      where(and(eq(client_period.client_id, client_id), eq(client_period.month, month)))),
        &found, err);
    if (rc == CHARLE_NOT_FOUND)
        return CHARLE_OK;
    if (!rc && found.status == CHARLEOS_PERIOD_STATUS_CLOSED)
        rc = charle_fail(err, CHARLE_FAILED_PRECONDITION,
                         "the month %s of %.*s is closed; ask a manager for an adjustment of the month that is open",
                         month, CHARLE_FMT(found.client_name));
    return rc;
}

// Moves a requirement's counters; *out_charge is by how much its billable figure moved.
static enum charle_err move_requirement(struct charle_context *context, struct charle_str id, int32_t minutes,
                                        int32_t *out_charge, struct charle_error *err)
{
    struct charle_value found[3];
    int32_t quoted, most, actual, billable;
    enum charle_err rc =
        ch_store_row(context,
                     "update task_requirement set actual_minutes = actual_minutes + $2, updated_at = $3 where id = $1"
                     " returning quoted_minutes, quoted_max_minutes, actual_minutes",
                     CH_PARAMS(charle_text(id), charle_int4(minutes), charle_timestamp(context->now)),
                     CH_TYPES(CHARLE_TYPE_INT4, CHARLE_TYPE_INT4, CHARLE_TYPE_INT4), found, err);

    *out_charge = 0;
    if (rc == CHARLE_DONE)
        return CHARLE_OK; // not visible here
    if (rc)
        return rc;
    quoted = found[0].int4;
    most = found[1].int4;
    actual = found[2].int4;
    billable = ch_ledger_billable(quoted, most, actual);
    *out_charge = billable - ch_ledger_billable(quoted, most, actual - minutes);
    return ch_store_exec(context,
                         "update task_requirement set billable_minutes = $2, banked_minutes = $3, overage_minutes = $4,"
                         " status = case when status = 'complete' then status when actual_minutes > 0 then "
                         "'in_progress' else 'pending' end"
                         " where id = $1",
                         CH_PARAMS(charle_text(id), charle_int4(billable),
                                   charle_int4(actual > 0 && actual < quoted ? quoted - actual : 0),
                                   charle_int4(actual > most ? actual - most : 0)),
                         NULL, err);
}

static enum charle_err move_period(struct charle_context *context, const struct charleos_time_entry *entry,
                                   int32_t minutes, int32_t charge, struct charle_error *err)
{
    char month[CH_MONTH_SIZE];

    ch_agency_month(entry->date, month);
    return ch_store_exec(
        context,
        "update client_period set logged_minutes = logged_minutes + $3, billable_minutes = billable_minutes + $4,"
        " remaining_minutes = remaining_minutes - $4, help_desk_minutes = help_desk_minutes + $5, updated_at = $6"
        " where client_id = $1 and month = $2 and status = 'open'",
        CH_PARAMS(charle_text(entry->client_id.value), ch_literal(month), charle_int4(minutes), charle_int4(charge),
                  charle_int4(entry->help_desk_ticket_id.has ? minutes : 0), charle_timestamp(context->now)),
        NULL, err);
}

static enum charle_err move_project(struct charle_context *context, struct charle_str id, int32_t minutes,
                                    struct charle_error *err)
{
    enum charle_err rc = ch_store_exec(
        context, "update project_task set logged_minutes = logged_minutes + $2, updated_at = $3 where id = $1",
        CH_PARAMS(charle_text(id), charle_int4(minutes), charle_timestamp(context->now)), NULL, err);

    if (rc)
        return rc;
    return ch_store_exec(context,
                         "update project_phase set logged_minutes = logged_minutes + $2, updated_at = $3"
                         " where id = (select phase_id from project_task where id = $1)",
                         CH_PARAMS(charle_text(id), charle_int4(minutes), charle_timestamp(context->now)), NULL, err);
}

enum charle_err ch_ledger_move(struct charle_context *context, const struct charleos_time_entry *entry, int32_t minutes,
                               struct charle_error *err)
{
    int32_t charge = 0; // to the client's month
    enum charle_err rc = CHARLE_OK;

    if (entry->task_requirement_id.has) {
        rc = move_requirement(context, entry->task_requirement_id.value, minutes, &charge, err);
    } else if (entry->help_desk_ticket_id.has) {
        charge = entry->is_billable ? minutes : 0;
        rc = ch_store_exec(
            context, "update help_desk_ticket set actual_minutes = actual_minutes + $2, updated_at = $3 where id = $1",
            CH_PARAMS(charle_text(entry->help_desk_ticket_id.value), charle_int4(minutes),
                      charle_timestamp(context->now)),
            NULL, err);
    } else if (entry->project_task_id.has) {
        rc = move_project(context, entry->project_task_id.value, minutes, err);
    }
    if (!rc && entry->client_id.has)
        rc = move_period(context, entry, minutes, charge, err);
    return rc;
}

// The open month that finished work counts in: that of the day it was finished. Absent when the client has none.
static enum charle_err count_in_month(struct charle_context *context, struct charle_str client_id,
                                      const struct charleos_task_requirement *done,
                                      struct charle_opt_text *out_period_id, struct charle_error *err)
{
    struct charle_value found[1];
    char month[CH_MONTH_SIZE];
    enum charle_err rc;

    ch_agency_month(ch_agency_day(context->now), month);
    rc = ch_store_row(
        context,
        "update client_period set banked_minutes = banked_minutes + $3, overage_minutes = overage_minutes + $4,"
        " updated_at = $5 where client_id = $1 and month = $2 and status = 'open' returning id",
        CH_PARAMS(charle_text(client_id), ch_literal(month), charle_int4(done->banked_minutes),
                  charle_int4(done->overage_minutes), charle_timestamp(context->now)),
        CH_TYPES(CHARLE_TYPE_TEXT), found, err);
    *out_period_id = (struct charle_opt_text){0};
    if (!rc)
        *out_period_id = ch_some(found[0].text);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err freeze(struct charle_context *context, struct charle_str client_id,
                              const struct charleos_task_requirement *done, struct charle_error *err)
{
    struct charleos_requirement_efficiency row = {
        .task_requirement_id = done->id,
        .client_id = client_id,
        .type = done->type,
        .quoted_minutes = done->quoted_minutes,
        .quoted_max_minutes = done->quoted_max_minutes,
        .actual_minutes = done->actual_minutes,
        .billable_minutes = done->billable_minutes,
        .banked_minutes = done->banked_minutes,
        .overage_minutes = done->overage_minutes,
        .completed_at = context->now,
        .created_at = context->now,
        .updated_at = context->now,
    };
    enum charle_err rc = count_in_month(context, client_id, done, &row.client_period_id, err);

    if (rc)
        return rc;
    row.id = charle_context_new_id(context);
    if (!row.id.ptr)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for an id");
    if (done->actual_minutes > 0) {
        int64_t bps = (int64_t)done->quoted_minutes * 10000 / done->actual_minutes;

        row.efficiency_bps = (struct charle_opt_int4){.value = bps > INT32_MAX ? INT32_MAX : (int32_t)bps, .has = true};
    }
    return ch_store_insert(context, &charleos_requirement_efficiency_table, &row, err);
}

enum charle_err ch_ledger_finish(struct charle_context *context, struct charle_str requirement_id,
                                 struct charle_str client_id, struct charle_error *err)
{
    struct charleos_task_requirement done;
    int64_t changed = 0;
    enum charle_err rc = ch_store_exec(
        context,
        "update task_requirement set status = 'complete', updated_at = $2 where id = $1 and status <> 'complete' and "
        "not exists"
        " (select 1 from subtask s where s.task_requirement_id = $1 and s.status not in ('complete', 'cancelled'))",
        CH_PARAMS(charle_text(requirement_id), charle_timestamp(context->now)), &changed, err);

    if (rc || !changed || context->is_replica)
        return rc;
    rc = ch_store_get(context, &charleos_task_requirement_table, requirement_id, &done, err);
    return rc ? rc : freeze(context, client_id, &done, err);
}
