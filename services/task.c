// TaskFlow: what moves a task as a whole, and the rule by which its status follows its subtasks.
#include "services/task.h"

#include "charleos/scheduling.charle.h"
#include "charleos/work.handlers.charle.h"
#include "msg/json.h"
#include "services/agency.h"
#include "services/store.h"

// Phases in their order: the status a task shows while a subtask of this type is its earliest unfinished one.
static int32_t phase_of(int32_t subtask_type)
{
    switch ((enum charleos_subtask_type)subtask_type) {
    case CHARLEOS_SUBTASK_TYPE_DESIGN:
    case CHARLEOS_SUBTASK_TYPE_CLIENT_DESIGN_FEEDBACK:
        return CHARLEOS_TASK_STATUS_DESIGN;
    case CHARLEOS_SUBTASK_TYPE_DEVELOPMENT:
    case CHARLEOS_SUBTASK_TYPE_INTERNAL_QA_FIXES:
    case CHARLEOS_SUBTASK_TYPE_EXTERNAL_QA_FIXES:
        return CHARLEOS_TASK_STATUS_DEVELOPMENT;
    case CHARLEOS_SUBTASK_TYPE_INTERNAL_QA_REVIEW:
        return CHARLEOS_TASK_STATUS_INTERNAL_QA;
    case CHARLEOS_SUBTASK_TYPE_EXTERNAL_QA_REVIEW:
        return CHARLEOS_TASK_STATUS_EXTERNAL_QA;
    case CHARLEOS_SUBTASK_TYPE_DEPLOYMENT:
        return CHARLEOS_TASK_STATUS_DEPLOYMENT;
    }
    return CHARLEOS_TASK_STATUS_DEVELOPMENT; // a type that a newer server knows
}

struct survey {    // of a task's subtasks
    bool is_begun; // any was scheduled or more
    bool is_any;   // there is one that counts
    int32_t phase; // of the earliest unfinished one; 0: all are finished
};

static int32_t number_of(const struct charle_enum *e, struct charle_str name)
{
    const struct charle_enum_value *value = charle_enum_by_name(e, name);

    return value ? value->number : 0;
}

static void survey_subtask(struct survey *survey, int32_t type, int32_t status)
{
    int32_t phase = phase_of(type);

    if (status == CHARLEOS_SUBTASK_STATUS_CANCELLED)
        return;
    survey->is_any = true;
    survey->is_begun |= status != CHARLEOS_SUBTASK_STATUS_UNSCHEDULED;
    if (status != CHARLEOS_SUBTASK_STATUS_COMPLETE && (!survey->phase || phase < survey->phase))
        survey->phase = phase;
}

static enum charle_err survey_task(struct charle_context *context, struct charle_str task_id, struct survey *out,
                                   struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    enum charle_err rc = charle_query(context->db, "select type, status from subtask where task_id = $1",
                                      CH_PARAMS(charle_text(task_id)), &rows, err);

    *out = (struct survey){0};
    while (!rc && !(rc = charle_rows_next(rows, err))) {
        struct charle_value type, status;

        rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &type, err);
        if (!rc)
            rc = charle_rows_value(rows, 1, CHARLE_TYPE_TEXT, false, &status, err);
        if (!rc)
            survey_subtask(out, number_of(&charleos_subtask_type_enum, type.text),
                           number_of(&charleos_subtask_status_enum, status.text));
    }
    charle_rows_close(rows);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// Nothing has begun: planned or backlog, by the month's plan. A replica that does not see plans leaves it as it is.
static enum charle_err status_before_work(struct charle_context *context, const struct charleos_task *task,
                                          int32_t *out, struct charle_error *err)
{
    struct charle_value found[1];
    enum charle_err rc;

    *out = task->status;
    if (task->status == CHARLEOS_TASK_STATUS_BACKLOG || task->status == CHARLEOS_TASK_STATUS_PLANNED)
        return CHARLE_OK;
    rc = ch_store_row(context, "select id from roadmap_item where task_id = $1", CH_PARAMS(charle_text(task->id)),
                      CH_TYPES(CHARLE_TYPE_TEXT), found, err);
    *out = rc == CHARLE_OK ? CHARLEOS_TASK_STATUS_PLANNED : CHARLEOS_TASK_STATUS_BACKLOG;
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static struct charle_value status_value(int32_t status)
{
    const struct charle_enum_value *value = charle_enum_by_number(&charleos_task_status_enum, status);

    return charle_text(value ? value->name : CHARLE_STR(""));
}

static struct charle_value opt_ts(struct charle_opt_ts ts)
{
    return ts.has ? charle_timestamp(ts.value) : charle_null(CHARLE_TYPE_TIMESTAMPTZ);
}

// Stores status, priority and the two moments of the struct.
static enum charle_err store(struct charle_context *context, struct charleos_task *task, struct charle_error *err)
{
    task->updated_at = context->now;
    return ch_store_exec(context,
                         "update task set status = $2, priority = $3, completed_at = $4, cancelled_at = $5, updated_at "
                         "= $6 where id = $1",
                         CH_PARAMS(charle_text(task->id), status_value(task->status), charle_int4(task->priority),
                                   opt_ts(task->completed_at), opt_ts(task->cancelled_at),
                                   charle_timestamp(task->updated_at)),
                         NULL, err);
}

enum charle_err ch_task_derive(struct charle_context *context, struct charleos_task *task, struct charle_error *err)
{
    struct survey survey;
    int32_t status;
    enum charle_err rc;

    if (task->status == CHARLEOS_TASK_STATUS_CANCELLED)
        return CHARLE_OK;
    rc = survey_task(context, task->id, &survey, err);
    if (rc)
        return rc;
    status = survey.phase ? survey.phase : CHARLEOS_TASK_STATUS_COMPLETE;
    if (!survey.is_begun || !survey.is_any)
        rc = status_before_work(context, task, &status, err);
    if (rc || status == task->status)
        return rc;
    task->status = status;
    task->completed_at = (struct charle_opt_ts){.value = context->now, .has = status == CHARLEOS_TASK_STATUS_COMPLETE};
    return store(context, task, err);
}

static enum charle_err get_task(struct charle_context *context, struct charle_str id, struct charleos_task **out,
                                struct charle_error *err)
{
    *out = CHARLE_ARENA_NEW(context->arena, struct charleos_task);
    return *out ? ch_store_get(context, &charleos_task_table, id, *out, err)
                : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a task");
}

static enum charle_err log_deed(struct charle_context *context, const char *verb, const struct charleos_task *task,
                                struct charle_str after, struct charle_error *err)
{
    struct ch_activity activity = {.verb = verb,
                                   .subject_type = "task",
                                   .subject_id = task->id,
                                   .client_id = ch_some(task->client_id),
                                   .after = after};

    return ch_agency_log(context, &activity, err);
}

enum charle_err charleos_task_flow_set_priority(struct charle_context *context,
                                                const struct charleos_set_priority_request *request,
                                                struct charleos_set_priority_reply *reply, struct charle_error *err)
{
    struct charleos_task *task;
    enum charle_err rc;

    if (request->priority < 1 || request->priority > 5)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a priority is 1 (highest) to 5, not %d", request->priority);
    rc = get_task(context, request->task_id, &task, err);
    if (rc)
        return rc;
    reply->task = task;
    if (task->priority == request->priority)
        return CHARLE_OK;
    task->priority = request->priority;
    rc = store(context, task, err);
    if (!rc)
        rc = log_deed(context, "task.priority", task,
                      charle_arena_printf(context->arena, "{\"priority\":%d}", task->priority), err);
    return rc;
}

// Open subtasks go, and what they had on calendars; a replica has no cascades, so the order is written out.
static enum charle_err cancel_subtasks(struct charle_context *context, struct charle_str task_id, int64_t *out_count,
                                       struct charle_error *err)
{
    enum charle_err rc = ch_store_exec(
        context,
        "delete from schedule_allocation where schedule_item_id in (select i.id from schedule_item i"
        " join subtask s on s.id = i.subtask_id where s.task_id = $1 and s.status not in ('complete', 'cancelled'))",
        CH_PARAMS(charle_text(task_id)), NULL, err);

    if (!rc)
        rc = ch_store_exec(context,
                           "delete from schedule_item where subtask_id in (select id from subtask where task_id = $1"
                           " and status not in ('complete', 'cancelled'))",
                           CH_PARAMS(charle_text(task_id)), NULL, err);
    if (!rc)
        rc = ch_store_exec(context,
                           "update subtask set status = 'cancelled', updated_at = $2 where task_id = $1"
                           " and status not in ('complete', 'cancelled')",
                           CH_PARAMS(charle_text(task_id), charle_timestamp(context->now)), out_count, err);
    return rc;
}

static enum charle_err reason_json(struct charle_context *context, struct charle_str reason, struct charle_str *out,
                                   struct charle_error *err)
{
    struct charle_buf buf = {0};

    charle_buf_add_text(&buf, "{\"reason\":");
    charle_json_write_str(&buf, reason);
    charle_buf_add_text(&buf, "}");
    *out = buf.failed ? (struct charle_str){0} : charle_arena_str(context->arena, charle_buf_str(&buf));
    charle_buf_deinit(&buf);
    return out->ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a reason");
}

enum charle_err charleos_task_flow_cancel_task(struct charle_context *context,
                                               const struct charleos_cancel_task_request *request,
                                               struct charleos_cancel_task_reply *reply, struct charle_error *err)
{
    struct charleos_task *task;
    struct charle_str after = {0};
    int64_t count = 0;
    enum charle_err rc = get_task(context, request->task_id, &task, err);

    if (rc)
        return rc;
    reply->task = task;
    if (task->status == CHARLEOS_TASK_STATUS_CANCELLED)
        return CHARLE_OK;
    if (task->status == CHARLEOS_TASK_STATUS_COMPLETE)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "task #%d is complete; only open tasks can be cancelled",
                           task->display_id);
    rc = cancel_subtasks(context, task->id, &count, err);
    if (rc)
        return rc;
    reply->cancelled_subtasks = (int32_t)count;
    task->status = CHARLEOS_TASK_STATUS_CANCELLED;
    task->cancelled_at = (struct charle_opt_ts){.value = context->now, .has = true};
    rc = store(context, task, err);
    if (!rc)
        rc = reason_json(context, request->reason, &after, err);
    return rc ? rc : log_deed(context, "task.cancelled", task, after, err);
}

enum charle_err charleos_task_flow_reopen_task(struct charle_context *context,
                                               const struct charleos_reopen_task_request *request,
                                               struct charleos_reopen_task_reply *reply, struct charle_error *err)
{
    struct charleos_task *task;
    int64_t count = 0;
    enum charle_err rc = get_task(context, request->task_id, &task, err);

    if (rc)
        return rc;
    reply->task = task;
    if (task->status == CHARLEOS_TASK_STATUS_COMPLETE)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                           "task #%d is complete; only cancelled tasks can be reopened", task->display_id);
    if (task->status != CHARLEOS_TASK_STATUS_CANCELLED)
        return CHARLE_OK;
    rc = ch_store_exec(
        context,
        "update subtask set status = 'unscheduled', updated_at = $2 where task_id = $1 and status = 'cancelled'",
        CH_PARAMS(charle_text(task->id), charle_timestamp(context->now)), &count, err);
    if (rc)
        return rc;
    reply->reopened_subtasks = (int32_t)count;
    task->status = 0; // to be derived
    task->cancelled_at.has = false;
    rc = ch_task_derive(context, task, err);
    return rc ? rc : log_deed(context, "task.reopened", task, (struct charle_str){0}, err);
}
